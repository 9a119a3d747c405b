"""A service is upgraded, restarted and let down while clients are busy, and no request notices."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import stat
import sys
from functools import partial
from pathlib import Path

import pytest
import trustme

from tests.control.door.harness import ask
from tests.control.upgrading.scene import (
    SITE,
    becomes,
    chat,
    download,
    load,
    members,
    service,
    upload,
)
from tests.control.upgrading.scene import member as behaves
from tests.e2e.harness import upstream
from tests.ports import free_port
from tests.waiting import PATIENCE, until

SOAK = pytest.mark.soak
BROKEN = {
    "it ends at once": "import os; os._exit(3)",
    "it cannot be imported": "import a_module_that_is_not_there",
    "it is killed": "import os; os.kill(os.getpid(), 9)",
}
"""What a program does first of all."""


@pytest.mark.parametrize(
    ("how", "rate", "seconds"), [("door", 100, 0), ("signal", 100, 0), pytest.param("door", 200, 30, marks=SOAK)]
)
async def test_an_upgrade_fails_no_request_and_cuts_nothing_that_is_long(
    tmp_path: Path, how: str, rate: float, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """``seconds``: how long download, upload and WebSocket last at least."""
    async with service(tmp_path) as (this, port):
        (_, old) = this.ready()[0]
        async with load(port, rate) as clients:
            await until(lambda: clients.answered > 20)
            long = [asyncio.create_task(each(port, this.enough)) for each in (download, upload, chat)]
            await until(lambda: clients.answered > 40)
            enough = asyncio.get_running_loop().time() + seconds
            if how == "door":
                answer = await this.upgrade()
                assert answer.status == 200, answer.body
            else:
                this.process.send_signal(signal.SIGUSR2)
            _, new = await this.until_ready(2)
            before = clients.answered
            await until(lambda: clients.answered > before + 200)
            await asyncio.sleep(enough - asyncio.get_running_loop().time())
            this.enough.set()
            async with asyncio.timeout(PATIENCE):
                assert await asyncio.gather(*long) == [True, True, True]
                assert await this.process.wait() == 0
        if seconds:
            with capsys.disabled():
                print(f"\nan upgrade at {rate:.0f}/s: {clients.answered} answered, {clients.failed.total()} failed")
        assert not clients.failed, this.log.read_text()
        assert new != old
        assert (await this.ask("/v1")).json["pid"] == new
        total = clients.answered + len(long)

        async def counted(name: str) -> list[int]:
            text = (await this.ask("/v1/metrics")).body.decode()
            return [
                int(float(each)) for each in re.findall(rf"^rproxy_{name}_total{{[^}}]*}} (\S+)", text, re.MULTILINE)
            ]

        async def requests() -> int:
            return sum(await counted("requests"))

        await becomes(requests, total)  # what the old one counted comes with its end
        elected = await counted("member_elected")
        assert sum(elected) == total
        assert abs(elected[0] - elected[1]) <= 1, "turns go on where they were"


async def test_the_control_socket_the_pages_for_programs_and_the_pen_go_over(tmp_path: Path) -> None:
    async with service(tmp_path) as (this, _):
        inode = os.lstat(this.control).st_ino
        (old,) = {pid for _, pid in this.ready()}
        for times in (2, 3):  # and once more, by the new one
            assert (await this.upgrade()).status == 200
            _, new = await this.until_ready(times)
        assert os.lstat(this.control).st_ino == inode
        assert stat.S_IMODE(os.lstat(this.control).st_mode) == 0o600
        assert new != old
        async with asyncio.timeout(PATIENCE):
            await this.process.wait()
        edit = b'{"type":"Change","sentence":"s","edits":[{"type":"Set","address":["site","timeout"],"value":7}]}'
        async with asyncio.timeout(PATIENCE):
            answer = await ask(this.control, "POST", "/v1/submit", edit)
        assert answer.status == 200, answer.body
        await until(lambda: "timeout = 7" in this.file.read_text())
        assert (await this.ask("/v1/history")).json["generations"][-1]["number"] == 2


TLS = """\
[listeners.https]
address = "127.0.0.1:0"
tls = { certificates = [{ cert = "key.pem", key = "key.pem" }] }

[heartbeat]
address = "127.0.0.1:%d"

[metrics]
address = "127.0.0.1:%d"
"""


async def test_listeners_with_tls_metrics_and_heartbeats_go_over_with_their_ports(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "key.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    page, beats = free_port(), free_port()
    site = SITE.replace('[metrics]\naddress = "127.0.0.1:0"\n', TLS % (beats, page))
    assert str(page) in site
    async with service(tmp_path, site=site) as (this, _):

        async def ports() -> list[int]:
            listeners = (await this.ask("/v1/snapshot")).json["listeners"]
            return [each["port"] for each in listeners]

        async def asked(port: int, what: bytes, tls: ssl.SSLContext | None = None) -> bytes:
            name = "localhost" if tls is not None else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
            writer.write(what)
            async with asyncio.timeout(PATIENCE):
                status = await reader.readline()
            writer.close()
            return status

        listening = await ports()
        https = next(port for port in listening if port != this.ready()[0][0])
        assert (await this.upgrade()).status == 200
        assert await ports() == listening
        end = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        for whom in ("both", "the new one"):
            assert b" 200 " in await asked(https, b"GET /r" + end + b"\r\n", context), whom
            assert b" 200 " in await asked(page, b"GET /metrics" + end + b"\r\n"), whom
            report = b"v=1&ready=3&busy=0"
            assert b" 200 " in await asked(beats, b"POST /" + end + b"Content-Length: 18\r\n\r\n" + report), whom
            async with asyncio.timeout(PATIENCE):
                await this.process.wait()
        assert "cannot listen" not in this.log.read_text()


async def test_who_watches_is_told_by_an_end_and_finds_the_new_process_at_the_same_place(tmp_path: Path) -> None:
    async with service(tmp_path) as (this, port):
        long = asyncio.create_task(download(port, this.enough))  # the old process has something to do
        reader, writer = await asyncio.open_unix_connection(str(this.control))
        writer.write(b"GET /v1/watch HTTP/1.1\r\nHost: r\r\n\r\n")
        await reader.readuntil(b"alive")
        assert (await this.upgrade()).status == 200
        async with asyncio.timeout(PATIENCE):
            await reader.read()
        writer.close()
        assert this.process.returncode is None
        assert (await this.ask("/v1")).json["pid"] == this.ready()[1][1]
        before = this.file.read_text()
        this.file.write_text(before + "\n[listeners.more]\naddress = '127.0.0.1:0'\n")
        await until(lambda: "listener more accepts" in this.log.read_text())
        this.enough.set()
        async with asyncio.timeout(PATIENCE):
            assert await long
            await this.process.wait()
        assert this.log.read_text().count("listener more accepts") == 1, "the old one follows the file no more"


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_program_leaves_the_old_one_serving_which_says_why(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    async with service(tmp_path, {"PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}"}) as (this, port):
        async with load(port, 100) as clients:
            await until(lambda: clients.answered > 20)
            (folder / "sitecustomize.py").write_text(
                f"import sys\ntry:\n    {BROKEN[broken]}\nexcept ImportError as error:\n    sys.exit(str(error))\n"
            )
            answer = await this.upgrade()
            assert answer.status == 501
            assert "the new program ended before it served" in answer.json["problems"][0]["what"]
            before = clients.answered
            await until(lambda: clients.answered > before + 20)
            (folder / "sitecustomize.py").unlink()
            assert (await this.upgrade()).status == 200, "and it can be tried again"
        assert not clients.failed
        assert "this process serves on" in this.log.read_text()


async def test_a_bad_site_leaves_the_old_one_serving_which_says_why(tmp_path: Path) -> None:
    async with service(tmp_path) as (this, port), load(port, 100) as clients:
        good = this.file.read_text()
        this.file.write_text(good.replace("version = 1", 'version = "no"'))
        answer = await this.upgrade()
        assert answer.status == 501
        assert re.search("site.toml:1:|is not the file on disk", answer.json["problems"][0]["what"])
        this.file.write_text(good)
        before = clients.answered
        await until(lambda: clients.answered > before + 20)
        assert not clients.failed
        assert this.process.returncode is None


async def test_a_holder_of_the_socket_restarts_the_service_and_nobody_is_refused(tmp_path: Path) -> None:
    async with upstream(partial(behaves, asyncio.Event())) as one:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as held:
            port = held.getsockname()[1]
            file = tmp_path / "site.toml"
            file.write_text(SITE.replace("127.0.0.1:0", f"127.0.0.1:{port}", 1) + members(one.port))
            # Descriptor 3 is the socket, as systemd leaves it there.
            run = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
            run += "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
            command = ["-c", run, str(held.fileno()), "-m", "proxy_core.control.cli", str(file), "--no-control"]
            given = {**os.environ, "LISTEN_FDS": "1", "XDG_STATE_HOME": str(tmp_path)}

            async def begun() -> asyncio.subprocess.Process:
                return await asyncio.create_subprocess_exec(
                    sys.executable, *command, env=given, pass_fds=(held.fileno(),), stdout=asyncio.subprocess.PIPE
                )

            first = await begun()
            async with load(port, 100) as clients:
                await until(lambda: clients.answered > 40)
                first.terminate()
                async with asyncio.timeout(PATIENCE):
                    await first.wait()
                second = await begun()
                before = clients.answered
                await until(lambda: clients.answered > before + 40, 3 * PATIENCE)
            second.terminate()
            async with asyncio.timeout(PATIENCE):
                await second.wait()
            assert not clients.failed


def gone(pid: int) -> bool:
    """Whether a process has ended, even where nobody has asked how."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


async def test_a_process_that_is_stopped_while_it_upgrades_takes_the_new_one_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    async with service(tmp_path, {"PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}"}) as (this, _):
        mark = tmp_path / "begun"
        (folder / "sitecustomize.py").write_text(
            f"import os, time\nopen({str(mark)!r} + '~', 'w').write(str(os.getpid()))\n"
            f"os.rename({str(mark)!r} + '~', {str(mark)!r})\ntime.sleep(60)\n"
        )
        this.process.send_signal(signal.SIGUSR2)
        await until(mark.exists)
        pid = int(mark.read_text())
        this.process.terminate()
        async with asyncio.timeout(PATIENCE):
            assert await this.process.wait() == 0
        await until(
            lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
        )


async def test_a_service_manager_hears_of_each_step_and_of_who_serves(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        told: list[str] = []

        def hears(line: str) -> bool:
            while True:
                try:
                    told.extend(manager.recv(4096).decode().splitlines())
                except BlockingIOError:
                    return line in told

        more = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        async with service(tmp_path, more) as (this, _):
            await until(lambda: hears("READY=1"))
            await until(lambda: hears("WATCHDOG=1"))
            await until(lambda: hears("STATUS=generation 1; 2 members up"))
            told.clear()
            this.process.send_signal(signal.SIGHUP)
            await until(lambda: hears("READY=1"))
            assert told.index("RELOADING=1") + 1 == told.index(next(x for x in told if x.startswith("MONOTONIC_USEC=")))
            told.clear()
            assert (await this.upgrade()).status == 200
            _, new = await this.until_ready(2)
            await until(lambda: hears("READY=1"))
            assert f"MAINPID={new}" in told, told
            assert told.index(f"MAINPID={new}") < told.index("READY=1"), told
            async with asyncio.timeout(PATIENCE):
                await this.process.wait()
            told.clear()
            await until(lambda: hears("WATCHDOG=1"))  # of the new one, for the old one is gone
            assert "STOPPING=1" not in told
            os.kill(new, signal.SIGTERM)
            await until(lambda: hears("STOPPING=1"))


async def test_a_service_that_drains_is_alive_and_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        page = free.getsockname()[1]
    site = SITE.replace('[metrics]\naddress = "127.0.0.1:0"', f'[metrics]\naddress = "127.0.0.1:{page}"')

    async def status(path: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", page)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        raw = await reader.read()
        writer.close()
        return int(raw.split()[1])

    async def readyz() -> int:
        return await status("/readyz")

    async with service(tmp_path, site=site) as (this, port):

        async def in_flight() -> object:
            return (await this.ask("/v1/snapshot")).json["in_flight"]

        assert [await status(path) for path in ("/healthz", "/readyz")] == [200, 200]
        long = asyncio.create_task(download(port, this.enough))
        await becomes(in_flight, 1)
        this.process.terminate()
        await becomes(readyz, 503)
        assert await status("/healthz") == 200
        this.enough.set()
        async with asyncio.timeout(PATIENCE):
            assert await long
