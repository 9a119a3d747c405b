"""Every sample passes ``rproxy check`` without a warning, serves, and does what its comments say, asked over a socket.

What https.toml does on its TLS port, and tutorial.toml before the guide's servers, is asked in tests of their own.
"""

from __future__ import annotations

import asyncio
import base64
import configparser
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import trustme

from proxy_core.config.model import Options
from proxy_core.control.cli.__main__ import main
from tests.control.harness import serving
from tests.e2e.harness import Upstream, upstream
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent
UNIX = r'^url = "unix:(.+)\|'
SAMPLES = sorted(file.name for file in (ROOT / "samples").glob("*.toml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The samples, with a certificate for the one that tells how to make it, and sockets for the one that has them."""
    made = shutil.copytree(ROOT / "samples", tmp_path / "samples", ignore=shutil.ignore_patterns("*.pem", "*.key"))
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(made / "localhost.pem")
    issued.private_key_pem.write_to_path(made / "localhost.key")
    sample = Path(made, "unix-socket.toml")
    sample.write_text(sample.read_text().replace("/run/app/", f"{made}/"))
    for path in re.findall(UNIX, sample.read_text(), re.MULTILINE):
        with socket.socket(socket.AF_UNIX) as member:
            member.bind(path)
    return Path(made)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_sound_and_without_a_warning(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["check", name]) == 0
    assert capsys.readouterr().out == f"{name}: sound\n"


async def tell(_: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the head of the request; with the status that its path ends with, where it does."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = re.match(rb"\S+ \S*/([45]\d\d)[ ?]", head)
        status = asked[1] if asked else b"200"
        fields = b"Server: x\r\nContent-Length: %d\r\n" % len(head)
        writer.write(b"HTTP/1.1 %b Said\r\n%b\r\n%b" % (status, fields, head))


@asynccontextmanager
async def sampled(name: str, folder: Path) -> AsyncIterator[int]:
    """The port of a sample that serves, on ports and sockets of its own."""
    async with AsyncExitStack() as stack:
        text = (folder / name).read_text()
        for known in sorted(set(re.findall(r"localhost:(?:80(?!80)\d\d|4180)", text))):
            member = await stack.enter_async_context(upstream(tell))
            text = text.replace(known, f"127.0.0.1:{member.port}")
        for path in re.findall(UNIX, text, re.MULTILINE):
            await stack.enter_async_context(await asyncio.start_unix_server(_told, path))
        (folder / name).write_text(re.sub(r'^(address = "127\.0\.0\.1):\d+', r"\1:0", text, flags=re.MULTILINE))
        _, port = await stack.enter_async_context(serving(folder / name))
        yield port


async def _told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(asyncio.IncompleteReadError):
        await tell(Upstream(0), reader, writer)


async def ask(port: int, target: str, *fields: str) -> str:
    """The whole answer to a GET on a connection of its own."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
        writer.write("\r\n".join(lines).encode())
        answer = (await reader.read()).decode()
        writer.close()
    return answer


def basic(login: str) -> str:
    return f"Authorization: Basic {base64.b64encode(login.encode()).decode()}"


ASKED = [
    ("site.toml", "/service2/x", [], 200, "GET /service2/x HTTP/1.1"),
    ("site.toml", "/service/index", [], 404, ""),
    ("site.toml", "/service/503", [], 503, "Service Unavailable"),
    ("tutorial.toml", "/", [], 302, "Location: http://localhost/index.html"),
    ("tutorial.toml", "/service2/a", [], 200, "GET /service2/a HTTP/1.1"),
    ("https.toml", "/service/x", [], 302, "Location: https://localhost:8443/service/x"),
    ("headers.toml", "/?debug=1", [], 200, "X-Debug: t="),
    ("headers.toml", "/", [], 200, "X-Frame-Options: DENY"),
    ("headers.toml", "/503", [], 503, "We will be back in a moment."),
    ("headers.toml", "/404", [], 404, "GET /404 HTTP/1.1"),
    ("auth.toml", "/", [], 200, "GET / HTTP/1.1"),
    ("auth.toml", "/admin/", [], 401, 'WWW-Authenticate: Basic realm="Staff only"'),
    ("auth.toml", "/admin/", [basic("anna:wrong")], 401, "WWW-Authenticate"),
    ("auth.toml", "/admin/", [basic("anna:secret"), "X-Remote-User: root"], 200, "X-Remote-User: anna"),
    ("auth.toml", "/status", [], 200, "GET /status HTTP/1.1"),
    ("error-pages.toml", "/nowhere", [], 404, "There is nothing at this address."),
    ("error-pages.toml", "/app/404", [], 404, "GET /app/404 HTTP/1.1"),
    ("error-pages.toml", "/app/503", [], 503, "We will be back in a moment."),
    ("error-pages.toml", "/help/500", [], 302, "Location: https://example.org/help"),
    ("forward-auth.toml", "/app/x", ["X-Auth-Request-User: root"], 200, "GET /app/x HTTP/1.1"),
    ("forward-auth.toml", "/app/oauth2/start", [], 200, "GET /oauth2/start HTTP/1.1"),
    ("forward-auth.toml", "/elsewhere", [], 404, ""),
    ("limits.toml", "/upload", [], 200, "GET /upload HTTP/1.1"),
    ("caching.toml", "/assets/a.css", [], 200, "Cache-Status: "),
    ("caching.toml", "/x", [], 200, "GET /x HTTP/1.1"),
    ("sticky.toml", "/", [], 200, "Set-Cookie: ROUTE="),
    ("unix-socket.toml", "/x", [], 200, "Host: app"),
]


def test_every_sample_is_asked_something() -> None:
    assert sorted({name for name, *_ in ASKED}) == SAMPLES


@pytest.mark.parametrize(("name", "target", "fields", "status", "said"), ASKED)
async def test_a_sample_does_what_it_says(
    name: str, target: str, fields: list[str], status: int, said: str, folder: Path
) -> None:
    async with sampled(name, folder) as port:
        answer = await ask(port, target, *fields)
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert said in answer


async def test_the_sticky_samples_sessions_stay_and_its_standby_gets_nothing(folder: Path) -> None:
    async with sampled("sticky.toml", folder) as port:
        issued = [re.findall(r"Set-Cookie: (ROUTE=[^;]+)", await ask(port, "/"))[0] for _ in range(4)]
        assert {cookie[-1] for cookie in issued} == {"a", "b"}
        answers = [await ask(port, "/", f"Cookie: {issued[0]}") for _ in range(6)]
        assert not any("Set-Cookie" in answer for answer in answers)
        assert len({re.findall(r"Host: (\S+)", answer)[0] for answer in answers}) == 1


async def test_the_limits_sample_turns_away_who_asks_too_often(folder: Path) -> None:
    async with sampled("limits.toml", folder) as port:
        answers = [await ask(port, "/") for _ in range(40)]
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in answers[:20])
    refused = [answer for answer in answers if answer.startswith("HTTP/1.1 429 ")]
    assert refused
    assert all("\r\nRetry-After: " in answer for answer in refused)


def test_the_systemd_unit_starts_what_is_installed_and_waits_for_the_drain() -> None:
    unit = configparser.ConfigParser(interpolation=None, comment_prefixes="#")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "packaging" / "rproxy.service")
    service = unit["Service"]
    assert re.fullmatch(r"/\S+/rproxy /\S+/site\.toml", service["ExecStart"])
    assert int(service["TimeoutStopSec"]) > Options().drain_timeout
    assert service["ExecReload"].endswith("-HUP $MAINPID")
    assert Path(service["ExecStart"].split()[1]).parent == Path(service["ReadWritePaths"])
