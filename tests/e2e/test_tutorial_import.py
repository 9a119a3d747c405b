"""samples/tutorial.conf, the guide as an httpd.conf, imported and served before its own servers, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy_core.apache.importer import Imported, import_file
from proxy_core.config.reading.document import parse
from proxy_core.runtime.fact_sources import Outside
from proxy_core.runtime.maps.store import MapStore
from tests.e2e.harness import PATIENCE, Running, serving
from tests.e2e.test_tutorial import SAMPLES, get, guide_server

HTTPS = """
<VirtualHost *:8080>
    ServerName localhost
    RewriteEngine On
    RewriteRule ^/(.*)$ https://%{HTTP_HOST}/$1 [redirect,last]
</VirtualHost>
"""


def imported(folder: Path, ports: Mapping[str, int], more: str = "") -> Imported:
    """The guide with its servers on these ports, and its listener on any."""
    for name in ("tutorial.conf", "hashchar2backend.txt"):
        text = (SAMPLES / name).read_text()
        for known, port in ports.items():
            text = text.replace(f"localhost:{known}", f"localhost:{port}")
        (folder / name).write_text(text + (more if name.endswith(".conf") else ""))
    return import_file(folder / "tutorial.conf", {}, False)


@asynccontextmanager
async def tutorial(folder: Path, ports: Mapping[str, int], more: str = "") -> AsyncIterator[Running]:
    made = imported(folder, ports, more)
    document = parse(made.text.replace("127.0.0.1:8080", "127.0.0.1:0"))
    assert document.site is not None
    maps = MapStore()
    maps.commit(await maps.prepare(document.site, folder))
    async with serving(document.site, outside=Outside(maps)) as running:
        yield running


def test_the_guide_comes_in_whole(tmp_path: Path) -> None:
    report = imported(tmp_path, {}).report
    assert (report.losses, report.problems) == ([], ())
    assert {entry.directive for entry in report.entries if entry.outcome == "ignored"} == {"ProxyRequests", "Options"}


NOT_REACHED = [
    "/service/index", "/service/index/x", "/service/%69ndex", "/service//index", "/service/./index",
    "/service/x/../index", "/x/../service/index", "/service/%2e/index", "/servicefoo", "/elsewhere",
]  # fmt: skip


async def test_steps_3_to_8_answer_as_the_guide_says(tmp_path: Path) -> None:
    async with guide_server("8000") as first, guide_server("8001") as second:
        async with tutorial(tmp_path, {"8000": first, "8001": second}) as running:
            for path in ("/service", "/service/x", "/service/index.php", "/service/x?q=1"):
                assert "Server response, port 8000.\r\n" in await get(running, path), path
            for path in NOT_REACHED:
                assert (await get(running, path)).startswith("HTTP/1.1 404 Not Found\r\n"), path
            home = await get(running, "/")
            assert home.startswith("HTTP/1.1 302 Found\r\n")
            assert "\r\nLocation: http://localhost/index.html\r\n" in home
            assert "\r\nContent-Type: text/html; charset=iso-8859-1\r\n" in home
            turns = [await get(running, "/service2/a") for _ in range(2)]
            assert ["port 8000" in turns[0], "port 8001" in turns[1]] == [True, True]
            for _ in range(2):
                assert "Server response, port 8001.\r\n" in await get(running, "/service1/index.html")
            assert running.records[-1].extras is not None
            assert running.records[-1].extras.env == (("IPHashChar", "4"),)


async def test_step_5_sends_a_host_to_https_but_for_what_the_servers_rules_take(tmp_path: Path) -> None:
    async with tutorial(tmp_path, {}, HTTPS) as running:
        for path, location in (("/", "http://localhost/index.html"), ("/x/y", "https://localhost/x/y")):
            answer = await get(running, path)
            assert answer.startswith("HTTP/1.1 302 Found\r\n")
            assert f"\r\nLocation: {location}\r\n" in answer


@pytest.mark.parametrize("status", ["404 Not Here", "503 Away"])
async def test_steps_4_and_9_hide_error_pages_and_say_who_asks(tmp_path: Path, status: str) -> None:
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\nsecret".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, tutorial(tmp_path, {"8000": port, "8001": port}) as running, asyncio.timeout(PATIENCE):
        said = await get(running, "/service1/index.html")
    assert said.startswith(f"HTTP/1.1 {status.partition(' ')[0]} ")
    assert "secret" not in said
    line, *fields = heads[0].split("\r\n")
    assert line == "GET /service1/index.html HTTP/1.1"
    assert {f"Host: localhost:{port}", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost",
            "X-Forwarded-Server: localhost"} <= set(fields)  # fmt: skip
