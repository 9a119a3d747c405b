"""samples/tutorial.toml before the guide's own servers: socat, one line each, with CRLF, HTTP/1.0 and no length."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from socket import socket

from proxy_core.config.reading.document import parse
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from tests.e2e.harness import PATIENCE, Running, serving, until
from tests.ports import free_port
from tests.programs import program

SAMPLES = Path(__file__).parent.parent.parent / "samples"


@asynccontextmanager
async def guide_server(name: str) -> AsyncIterator[int]:
    """The guide's server, which says by which port it is known there; this one is on a port that was free."""
    socat = program("socat")
    port = free_port()
    # The guide's line does not read the request; then socat drops an answer now and then, when the shell was quicker.
    says = "read -r line; echo HTTP/1.0 200; echo Content-Type\\: text/plain; echo; "
    says += f"echo Server response\\, port {name}."
    server = await asyncio.create_subprocess_exec(
        socat, f"TCP-LISTEN:{port},bind=127.0.0.1,crlf,reuseaddr,fork", f"SYSTEM:{says}"
    )
    try:
        await until(lambda: listens(port))
        yield port
    finally:
        server.terminate()
        await server.wait()


def listens(port: int) -> bool:
    with closing(socket()) as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def tutorial(folder: Path) -> AsyncIterator[Running]:
    """The sample, its listener and its servers on ports of their own."""
    async with guide_server("8000") as first, guide_server("8001") as second:
        ports = {"localhost:8000": f"127.0.0.1:{first}", "localhost:8001": f"127.0.0.1:{second}", ":8080": ":0"}
        for name in ("tutorial.toml", "hashchar2backend.txt"):
            text = (SAMPLES / name).read_text()
            for theirs, ours in ports.items():
                text = text.replace(theirs, ours)
            (folder / name).write_text(text)
        document = parse((folder / "tutorial.toml").read_text())
        assert document.site is not None
        maps = MapStore()
        maps.commit(await maps.prepare(document.site, folder))
        async with serving(document.site, outside=Outside(maps)) as running:
            yield running


async def get(running: Running, path: str) -> str:
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer


async def test_the_guides_steps_5_to_8_answer_as_the_guide_says(tmp_path: Path) -> None:
    async with tutorial(tmp_path) as running:
        home = await get(running, "/")
        assert home.startswith("HTTP/1.1 302 Found\r\n")
        assert "\r\nLocation: http://localhost/index.html\r\n" in home
        assert "\r\nContent-Type: text/html; charset=iso-8859-1\r\n" in home
        assert '<p>The document has moved <a href="http://localhost/index.html">here</a>.</p>' in home
        # sha1 of 127.0.0.1 begins with 4, which the map sends to 8001, time after time.
        for _ in range(2):
            assert "Server response, port 8001.\r\n" in await get(running, "/service1/index.html")
        assert running.records[-1].extras is not None
        assert running.records[-1].extras.env == (("IPHashChar", "4"),)
        turns = [await get(running, "/service2/a") for _ in range(4)]
        assert [name for turn in turns for name in ("8000", "8001") if name in turn] == ["8000", "8001"] * 2
        assert (await get(running, "/elsewhere")).startswith("HTTP/1.1 404 Not Found\r\n")


async def test_an_entry_that_changes_moves_the_client_at_its_next_request(tmp_path: Path) -> None:
    async with tutorial(tmp_path) as running:
        assert "port 8001" in await get(running, "/service1/x")
        table = tmp_path / "hashchar2backend.txt"
        lines = table.read_text().split("\n")
        first = next(line.split()[1] for line in lines if line.startswith("0"))
        table.write_text("\n".join(f"4 {first}" if line.startswith("4") else line for line in lines))
        assert "port 8000" in await get(running, "/service1/x")
