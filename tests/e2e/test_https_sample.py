"""samples/https.toml, with a certificate made by the command that it names: the plain port sends everybody over."""

from __future__ import annotations

import re
import shlex
import ssl
import subprocess
from pathlib import Path

import pytest

from proxy_core.config.reading.document import parse
from tests.e2e.harness import echoes, get, serving, upstream
from tests.e2e.test_tls_listeners import secured
from tests.programs import program

SAMPLE = (Path(__file__).parent.parent.parent / "samples" / "https.toml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the sample's command has made its certificate."""
    found = re.search(r"^# +(openssl req(?:.*\\\n)*.*)", SAMPLE, re.MULTILINE)
    assert found
    (tmp_path / "samples").mkdir()
    _, *arguments = shlex.split(re.sub(r"\\\n#", "", found[1]))
    subprocess.run([program("openssl"), *arguments], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "samples"


async def test_the_plain_port_redirects_and_the_tls_port_serves(folder: Path) -> None:
    async with upstream(echoes) as member:
        text = (
            SAMPLE.replace("localhost:8000", f"127.0.0.1:{member.port}").replace(":8080", ":0").replace(":8443", ":0")
        )
        document = parse(text.replace("%{SERVER_NAME}:0", "%{SERVER_NAME}:8443"))
        assert document.site is not None
        async with serving(document.site, folder) as proxy:
            ports = {state.name: state.port for state in proxy.server.listeners}
            head, _ = await get(ports["http"], "/service/x?q=1")
            assert head.startswith(b"HTTP/1.1 302 Found\r\n")
            assert b"\r\nLocation: https://localhost:8443/service/x?q=1\r\n" in head
            context = ssl.create_default_context(cafile=folder / "localhost.pem")
            async with secured(ports["https"], context, "localhost") as one:
                one.send(b"GET /service/x?q=1 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
                head, body = await one.answer()
                assert body.startswith(b"GET /service/x?q=1 HTTP/1.1\r\n")
                assert b"\r\nX-Forwarded-Proto: https\r\n" in body
                assert b"\r\nStrict-Transport-Security: max-age=86400\r\n" in head
