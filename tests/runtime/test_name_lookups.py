"""Names of clients are asked for once, kept, bounded, and never waited for without end."""

from __future__ import annotations

import asyncio
import socket
from threading import Event
from typing import Any

import pytest

from proxy_core.runtime import name_lookups
from proxy_core.runtime.name_lookups import NameLookups, addresses, confirmed
from tests.waiting import until


async def test_a_name_is_asked_for_once_by_however_many() -> None:
    asked: list[str] = []

    def look(client: str) -> str:
        asked.append(client)
        return "a.example"

    names = NameLookups(look)
    assert names.ask("192.0.2.1") == (False, None)
    assert await asyncio.gather(*(names.answer("192.0.2.1") for _ in range(9))) == ["a.example"] * 9
    assert names.ask("192.0.2.1") == (True, "a.example")
    assert asked == ["192.0.2.1"]
    names.close()


async def test_what_nobody_answers_in_time_is_not_known_and_holds_up_no_more_than_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(name_lookups, "SECONDS", 0.02)
    monkeypatch.setattr(name_lookups, "MOST_ASKED", 2)
    go = Event()
    names = NameLookups(lambda client: "late" if go.wait(10) else "")
    assert await asyncio.gather(*(names.answer(f"192.0.2.{n}") for n in range(4))) == [None] * 4
    assert names.ask("192.0.2.0") == (False, None)
    go.set()
    await until(lambda: names.ask("192.0.2.1") == (True, "late"))
    assert names.ask("192.0.2.3") == (False, None)  # it was never asked for
    names.close()


async def test_the_oldest_names_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookups, "MOST_KEPT", 2)
    names = NameLookups(lambda client: client)
    for client in "abc":
        await names.answer(client)
    assert [names.ask(client)[0] for client in "abc"] == [False, True, True]
    names.close()


async def test_trouble_of_a_name_server_is_no_answer() -> None:
    def look(client: str) -> str:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    names = NameLookups(look)
    assert await names.answer("192.0.2.1") is None
    assert names.ask("192.0.2.1") == (False, None)
    names.close()


@pytest.mark.parametrize(
    ("leads_to", "found"), [("192.0.2.1", "a.example"), ("192.0.2.2", ""), ("::ffff:192.0.2.1", "a.example")]
)
def test_a_name_counts_where_it_leads_back(monkeypatch: pytest.MonkeyPatch, leads_to: str, found: str) -> None:
    entry: Any = (None, None, None, None, (leads_to, 0))
    monkeypatch.setattr(socket, "getnameinfo", lambda address, flags: ("A.Example.", "0"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, port, type: [entry])
    assert confirmed("192.0.2.1") == found


@pytest.mark.parametrize(("error", "found"), [(socket.EAI_NONAME, ""), (socket.EAI_AGAIN, None)])
def test_no_name_is_told_from_no_answer(monkeypatch: pytest.MonkeyPatch, error: int, found: str | None) -> None:
    def nobody(address: object, flags: int) -> tuple[str, str]:
        raise socket.gaierror(error, "nobody")

    monkeypatch.setattr(socket, "getnameinfo", nobody)
    if found is None:
        with pytest.raises(socket.gaierror):
            confirmed("192.0.2.1")
    else:
        assert confirmed("192.0.2.1") == found


def test_the_addresses_of_a_name_are_told_once_each_in_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = [(None, None, None, None, (each, 0)) for each in ("::ffff:192.0.2.1", "192.0.2.1", "2001:DB8::1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, port, type: found)
    assert addresses("a.example") == "192.0.2.1 2001:db8::1"
    assert not addresses_of_nobody(monkeypatch)


def addresses_of_nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    def nobody(name: str, port: None, type: int) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    return addresses("a.example")
