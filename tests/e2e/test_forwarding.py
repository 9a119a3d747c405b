"""The plain way: a request goes to its member and the answer comes back."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.e2e.harness import HELLO, answers, ask, client, echoes, get, serving, site, upstream
from tests.ports import free_port
from tests.programs import program


async def test_a_request_reaches_the_member_and_its_answer_the_client() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, path="/app")) as proxy:
        head, body = await get(proxy.port, "/x?q=%zz")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"hello"
        assert member.heads[0].startswith(b"GET /app/x?q=%%zz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % member.port)
        record = await proxy.finished()
        assert (record.status, record.sent, record.attempts, record.cause) == (200, 5, 1, "")
        assert record.head.startswith(b"GET /x?q=%zz HTTP/1.1\r\n")
        assert record.forwarded == member.heads[0]
        assert record.answer == HELLO[:-5]


async def test_connections_are_kept_on_both_sides() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        for _ in range(5):
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await one.answer())[1] == b"hello"
        assert member.connections == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_arrives_whole_and_framed_as_it_came(chunked: bool) -> None:
    body = bytes(range(256)) * 3000 + b"\r\n\r\n" * 50
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    field = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    async with upstream(echoes) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        for _ in range(2):
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (field, framed))
            assert (await one.answer())[1].endswith(body)
        assert field in member.heads[0]


async def test_the_weights_decide_and_every_member_is_busy_with_nothing_at_rest() -> None:
    async with upstream(answers(HELLO)) as a, upstream(answers(HELLO)) as b, serving(site(a.port, b.port)) as proxy:
        for _ in range(10):
            await get(proxy.port)
        assert (len(a.heads), len(b.heads)) == (5, 5)


async def test_what_no_route_takes_is_404_with_a_page_and_a_cause() -> None:
    async with serving(site(free_port())) as proxy:
        head, body = await get(proxy.port, "/%2f")
        assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"<h1>Not Found</h1>" in body
        assert (await proxy.finished()).cause


async def test_a_member_that_refuses_is_left_out_and_a_direct_url_gives_503() -> None:
    async with upstream(answers(HELLO)) as good, serving(site(free_port(), good.port)) as proxy:
        for _ in range(4):
            assert (await get(proxy.port))[1] == b"hello"
        assert [record.attempts for record in proxy.records] == [2, 1, 1, 1]
    async with serving(site(free_port())) as proxy:
        head, body = await get(proxy.port)
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"127.0.0.1" not in body
        assert "refused" in (await proxy.finished()).cause


async def test_the_tutorials_socat_line_works_as_a_member() -> None:
    port = free_port()
    say = "echo HTTP/1.0 200; echo Content-Type\\: text/plain; echo; echo Server response\\, port 8000."
    socat = await asyncio.create_subprocess_exec(
        program("socat"),
        f"TCP-LISTEN:{port},bind=127.0.0.1,crlf,reuseaddr,fork",
        f"SYSTEM:{say}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with serving(site(port, path="/service")) as proxy:
            for _ in range(50):
                if not (await get(proxy.port))[0].startswith(b"HTTP/1.1 503"):
                    break
                await asyncio.sleep(0.05)
            # socat itself drops the answer when its shell is done before it has read the request: that is a 502.
            said = {(head.split(b" ")[1], body[:15]) for head, body in [await get(proxy.port, "/a") for _ in range(20)]}
            assert (b"200", b"Server response") in said
            assert {status for status, _ in said} <= {b"200", b"502"}
    finally:
        socat.terminate()
        await socat.wait()


async def test_a_good_request_before_a_bad_one_is_answered_first() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        raw = await ask(proxy.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        assert re.findall(rb"HTTP/1.1 (\d+)", raw) == [b"200", b"400"]
        assert [record.status for record in proxy.records] == [200, 400]
