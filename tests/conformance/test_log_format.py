"""The real Apache httpd and our own server write the same line of the access log for the same request.

What is compared is what can be equal on two ports; LogFormat and its escapes as in Apache's manual, mod_log_config.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import EnvRule
from proxy_core.control.watching.log_format import compiled
from tests.conformance.apache import LOADED, exchanged, running
from tests.e2e.harness import Upstream, serving, site, upstream
from tests.waiting import until

pytestmark = pytest.mark.apache

FORM = (
    r'%% "%r" %s %>s %b %B %U "%q" %m %H "%{X-A}i" "%{X-B}o" %v %V %X %{V}e %{None}e "%{Seen}C" %l %u '
    r"%200{X-A}i %!200{X-A}i %{BALANCER_NAME}e %{BALANCER_WORKER_NAME}e %{Host}i\t."
)
REQUESTS = [
    "GET /a?b=c HTTP/1.1\r\nHost: case.test\r\nX-A: one\r\nX-A:  two \r\nConnection: close\r\n\r\n",
    'GET /a%20b/../%22c?"\\ HTTP/1.1\r\nHost: CASE.test\r\nX-A: "\\\t\xe9\r\nConnection: close\r\n\r\n',
    "HEAD /a;x=1? HTTP/1.1\r\nHost: other.test\r\nCookie: a=b; seen=x y ; c\r\nConnection: close\r\n\r\n",
    "POST /%C3%A4 HTTP/1.1\r\nHost: case.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
    "GET /none HTTP/1.1\r\nHost: case.test\r\nX-A:\r\nConnection: close\r\n\r\n",
    "GET /old HTTP/1.0\r\nHost: case.test\r\n\r\n",
]


async def _answers(_: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """hello with a field; what is /none is not found."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = b"404 Not Found" if b"/none" in head else b"200 OK"
    body = b"" if head.startswith(b"HEAD") else b"hello"
    writer.write(b'HTTP/1.1 %b\r\nX-B: "b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\n%b' % (status, body))
    await writer.drain()


async def test_both_write_the_same_lines() -> None:
    folders: list[Path] = []

    def directives(folder: Path) -> list[str]:
        folders.append(folder)
        form = FORM.replace('"', '\\"')
        return [
            "ServerName case.test\nSetEnvIf Request_Method . V=blue",
            f'LogFormat "{form}" own\nCustomLog {folder}/access.log own',
            f"<Proxy balancer://pool>\nBalancerMember http://127.0.0.1:{there.port}\n</Proxy>",
            'ProxyPass "/" "balancer://pool/"',
        ]

    async with upstream(_answers) as there:
        ours = site(there.port, balanced=True, server_name="case.test")
        ours = replace(ours, env=(EnvRule(id="v", name="V", value="blue"),))
        with running([*LOADED, "setenvif"], directives) as port:
            for request in REQUESTS:
                await asyncio.to_thread(exchanged, port, request)
            log = folders[0] / "access.log"
            await until(lambda: log.read_bytes().count(b"\n") == len(REQUESTS))
            theirs = log.read_bytes().splitlines()
        async with serving(ours) as served:
            for request in REQUESTS:
                await asyncio.to_thread(exchanged, served.port, request)
            await served.finished(len(REQUESTS))
            line = compiled(FORM)
            assert [line(each).rstrip(b"\n") for each in served.records] == theirs
