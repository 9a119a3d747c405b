"""Mistakes of ours and clients that leave at the worst moment, injected everywhere: one request pays, nothing leaks."""

from __future__ import annotations

import asyncio
import types

import pytest

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from tests.e2e.harness import HELLO, answers, client, get, serving, until, upstream
from tests.faults.injected import breaking, seeing

SITE = """\
version = 1
[site]
server_name = "here"
[listeners.http]
address = "127.0.0.1:0"
[[env]]
name = "digit"
from = "%{{REMOTE_ADDR}}"
transform = ["sha1", "hex"]
capture = '^(.)'
[[rewrites]]
pattern = '^/old/(.*)$'
substitution = '/new/$1'
flags = ["PT"]
conditions = [{{ test = '%{{ENV:digit}}', pattern = '^(.)' }}]
[[routes]]
path_regex = '^/new/(.*)$'
proxy = "balancer://b/$1"
[[routes]]
path = "/down"
proxy = "http://127.0.0.1:9/"
[[routes]]
path = "/"
proxy = "balancer://b/"
[[errors]]
status = ["503"]
path = "/old/page"
[balancers.b]
method = "hash"
key = "%{{REMOTE_ADDR}}"
sticky = {{ cookie = "R", issue = true }}
[balancers.b.ejection]
consecutive = 0
[balancers.b.members.a]
url = "http://localhost:{port}"
route = "a"
retry = 0
"""
COUNTING = {"connection_made", "connection_lost", "finish"}
"""What opens and closes connections and counts what is over belongs to no request."""
WHERE = ("/proxy_core/rules/", "/proxy_core/balance/", "/proxy_core/http/")


def _ours(frame: types.FrameType) -> bool:
    """Whether this is called for a request that is not over."""
    if not any(where in frame.f_code.co_filename for where in WHERE):
        return False
    above = frame.f_back
    while above is not None and above.f_code.co_name not in COUNTING:
        above = above.f_back
    return above is None


def the_site(port: int) -> Site:
    document = parse(SITE.format(port=port))
    assert document.site is not None, document.problems
    return document.site


async def ask(port: int, path: str = "/old/x?y") -> int:
    """The status of one request, 0 where the connection was cut."""
    try:
        head, _ = await get(port, path, "Cookie: R=x.a")
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0
    return int(head[9:12])


@pytest.mark.parametrize(("path", "good"), [("/old/x?y", 200), ("/down", 503)], ids=["answered", "with a page"])
async def test_an_exception_in_any_function_that_a_request_passes_costs_that_request_alone(
    path: str, good: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(answers(HELLO)) as member, serving(the_site(member.port)) as proxy:
        assert await ask(proxy.port, path) == good
        seen: set[types.CodeType] = set()
        with seeing(seen, _ours):
            assert await ask(proxy.port, path) == good
        told, count = {}, len(proxy.records)
        for code in sorted(seen, key=lambda each: each.co_qualname):
            proxy.problems.clear()
            with breaking(code, _ours) as done:
                status = await ask(proxy.port, path)
            if not done:  # what it works out is remembered
                continue
            told[code.co_qualname] = status
            assert status in ((0, 500) if good == 200 else (0, 500, good)), f"{code.co_qualname}: {status}"
            assert proxy.problems, f"nobody is told that {code.co_qualname} failed"
            await until(lambda: not proxy.recorder.live)
            proxy.at_rest()
            assert await ask(proxy.port, path) == good, f"after {code.co_qualname}"
            count += 2
        await until(lambda: not proxy.recorder.live)
        proxy.problems.clear()
        with capsys.disabled():
            print(f"\nexceptions: {len(told)} functions, {sum(s == 500 for s in told.values())} times 500, "
                  f"cut: {[name for name, status in told.items() if not status]}")  # fmt: skip
        assert len(told) > 20


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"])  # fmt: skip
async def test_a_client_may_leave_after_any_number_of_turns_of_the_loop(raw: bytes) -> None:
    async with upstream(answers(HELLO)) as member, serving(the_site(member.port)) as proxy:
        for turns in range(60):
            proxy.server.upstreams.close()  # so that each has to connect
            async with client(proxy.port) as one:
                one.send(raw)
                for _ in range(turns):
                    await asyncio.sleep(0)
                one.writer.transport.abort()
            await until(lambda: not proxy.recorder.live)
            await until(lambda: proxy.server.listeners[0].connections == 0)
            proxy.at_rest()
        assert await ask(proxy.port) == 200
