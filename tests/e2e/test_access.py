"""Who may ask, on a running server: refused before any upstream is asked, and who came in is told to it."""

from __future__ import annotations

import asyncio
import base64
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Auth, Location, Site
from proxy_core.control.watching.access_log import common
from proxy_core.runtime import passwords
from proxy_core.runtime.fact_lookups import Outside
from tests.e2e.harness import Upstream, echoes, get, serving, site, until, upstream

SHA = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"


def guarded(there: Upstream, auth: Auth, *require: str) -> Site:
    """Everything below /app is for those that ``require`` admits."""
    where = Location(id="app", path="/app", require=require or ("valid-user",), auth="staff")
    return replace(site(there.port), locations=(where,), auth={"staff": auth})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "users").write_bytes(b"anna:" + SHA + b"\n")
    return tmp_path


def basic(user: str, password: str = "secret") -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


STAFF = Auth(realm="Staff", file="users", user_header="X-User")


async def test_a_password_is_asked_for_and_no_upstream_sees_what_is_refused(folder: Path) -> None:
    async with upstream(echoes) as there:
        async with serving(guarded(there, STAFF), folder, outside=Outside(folder=folder)) as running:
            for fields in ((), (basic("anna", "wrong"),), (basic("carl"),)):
                head, body = await get(running.port, "/app/x", *fields)
                assert head.startswith(b"HTTP/1.1 401 ")
                assert b'\r\nWWW-Authenticate: Basic realm="Staff"\r\n' in head
                assert b"could not verify that you are authorized" in body
            assert not there.heads
            assert running.server.reached()["passwords"] == 2
            head, body = await get(running.port, "/app/x", basic("anna"))
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nX-User: anna\r\n" in body
            assert basic("anna").encode() in body
            assert common(running.records[-1]).startswith(b"127.0.0.1 - anna [")


async def test_nobody_says_who_they_are_but_the_proxy(folder: Path) -> None:
    async with upstream(echoes) as there:
        async with serving(guarded(there, STAFF), folder, outside=Outside(folder=folder)) as running:
            _, body = await get(running.port, "/open", "X-User: root", "x_user: root", basic("anna"))
            assert b"root" not in body
            _, body = await get(running.port, "/app", "x-user: root", "X_User: root", basic("anna"))
            assert b"root" not in body
            assert b"\r\nX-User: anna\r\n" in body


async def test_the_password_ends_here_on_request(folder: Path) -> None:
    async with upstream(echoes) as there:
        hiding = guarded(there, replace(STAFF, hide=True, user_header=""))
        async with serving(hiding, folder, outside=Outside(folder=folder)) as running:
            assert b"Authorization" not in (await get(running.port, "/app", basic("anna")))[1]
            assert b"Authorization" in (await get(running.port, "/open", basic("anna")))[1]


async def test_a_file_of_passwords_that_is_not_there_is_the_sites_fault(folder: Path) -> None:
    async with upstream(echoes) as there:
        missing = guarded(there, replace(STAFF, file="nobody"))
        async with serving(missing, folder, outside=Outside(folder=folder)) as running:
            head, _ = await get(running.port, "/app", basic("anna"))
            assert head.startswith(b"HTTP/1.1 500 ")
            assert running.records[-1].cause == "the passwords in nobody cannot be read"


async def test_who_is_not_admitted_is_told_403_and_the_record_says_by_what(folder: Path) -> None:
    async with upstream(echoes) as there:
        async with serving(guarded(there, STAFF, "ip 10.0.0.0/8"), folder) as running:
            head, body = await get(running.port, "/app")
            assert head.startswith(b"HTTP/1.1 403 ")
            assert b"require" not in body
            assert running.records[-1].cause == "require of locations app does not admit it"
            assert not there.heads


async def test_more_passwords_than_can_be_judged_are_503_and_stop_nobody_who_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, judge = threading.Event(), passwords.verify
    monkeypatch.setattr(passwords, "WAITING", 3)
    async with upstream(echoes) as there:
        async with serving(guarded(there, STAFF), folder, outside=Outside(folder=folder)) as running:
            assert (await get(running.port, "/app", basic("anna")))[0].startswith(b"HTTP/1.1 200 ")
            monkeypatch.setattr(passwords, "verify", lambda kept, sent: goes_on.wait(20) and judge(kept, sent))
            judging, flood = running.server._state.outside.passwords, list[asyncio.Task[tuple[bytes, bytes]]]()
            for number in range(2 + passwords.WAITING):  # two are judged, the others stand in line
                flood.append(asyncio.create_task(get(running.port, "/app", basic("anna", f"w{number}"))))
                await until(lambda: len(judging._open) == len(flood) == judging._line.waiting + min(len(flood), 2))
            head, _ = await get(running.port, "/app", basic("anna", "one more"))
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in head
            assert b"WWW-Authenticate" not in head
            assert running.records[-1].cause == "more passwords came than can be judged in time"
            assert running.server.reached() == {"passwords_unjudged": 1}
            assert (await get(running.port, "/app", basic("anna")))[0].startswith(b"HTTP/1.1 200 ")
            goes_on.set()
            assert {head[9:12] for head, _ in await asyncio.gather(*flood)} == {b"401"}
