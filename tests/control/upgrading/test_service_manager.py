"""What is said by sd_notify(3), to whom, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_core.control.upgrading.service_manager import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(5)
        yield made


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def nothing(manager: socket.socket) -> bool:
    manager.setblocking(False)
    try:
        manager.recv(1)
    except BlockingIOError:
        return True
    finally:
        manager.settimeout(5)
    return False


async def test_each_step_is_a_datagram_in_the_words_of_the_protocol(manager: socket.socket) -> None:
    this = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    this.ready()
    assert heard(manager) == ["READY=1"]
    before = time.monotonic_ns() // 1000
    this.reloading()
    reloading, at = heard(manager)
    assert reloading == "RELOADING=1"
    assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    this.stopping()
    assert heard(manager) == ["STOPPING=1"]
    await this.give_way(4711)
    assert heard(manager) == ["MAINPID=4711"]
    this.ready()
    assert nothing(manager), "who gave way does not speak for the service any more"


async def test_an_abstract_socket_is_spelled_with_an_at(tmp_path: Path) -> None:
    name = f"rproxy-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard(manager) == ["READY=1"]


async def test_a_status_is_one_line_whatever_it_says_and_is_told_where_it_changed(manager: socket.socket) -> None:
    this = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    this.status("a\nMAINPID=1")
    (line,) = heard(manager)
    assert line.startswith("STATUS=a")
    this.status("a\nMAINPID=1")
    assert nothing(manager)
    this.status("b")
    assert heard(manager) == ["STATUS=b"]


async def test_the_environment_is_emptied_and_given_on_to_who_takes_over(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    this = ServiceManager(environment)
    assert environment == {}
    assert this.environment() == {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"}


async def test_a_quiet_one_says_nothing_until_it_speaks(manager: socket.socket) -> None:
    this = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()}, quiet=True)
    this.status("b")
    this.stopping()
    assert nothing(manager)
    this.speak()
    assert heard(manager) == ["READY=1"]


@pytest.mark.parametrize(
    ("micros", "pid", "alive"),
    [
        ("300000", "", True),
        ("300000", "ours", True),
        ("300000", "1", False),
        ("", "", False),
        ("x", "", False),
    ],
)
async def test_signs_of_life_come_thrice_in_the_time_that_the_manager_waits(
    manager: socket.socket, micros: str, pid: str, alive: bool
) -> None:
    named = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": micros, "WATCHDOG_PID": pid}
    named["WATCHDOG_PID"] = str(os.getpid()) if pid == "ours" else pid
    this = ServiceManager(named)
    this.speak()
    assert heard(manager) == ["READY=1"]
    began = time.monotonic()
    signs = 0
    while time.monotonic() < began + 5 and signs < 3:
        await asyncio.sleep(0.02)
        if not nothing(manager):
            signs += 1
        elif not alive and time.monotonic() > began + 0.4:
            break
    assert signs == (3 if alive else 0)
    await this.close()


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:1", "relative"])
async def test_where_nobody_listens_nothing_happens(address: str) -> None:
    this = ServiceManager({"NOTIFY_SOCKET": address})
    this.speak()
    this.status("x")
    await this.give_way(1)


async def test_a_manager_that_does_not_read_holds_nobody_up_and_misses_no_step(manager: socket.socket) -> None:
    this = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    began = time.monotonic()
    for _ in range(500):  # more than any queue of datagrams holds by default
        this.ready()
        this.status(str(time.monotonic_ns()))
    this.stopping()
    assert time.monotonic() - began < 2
    told: list[str] = []
    manager.setblocking(False)
    async with asyncio.timeout(20):
        while "STOPPING=1" not in told:
            try:
                told += heard(manager)
            except BlockingIOError:
                await asyncio.sleep(0.01)
    assert told.count("READY=1") == 500
    assert told[-1] == "STOPPING=1"
