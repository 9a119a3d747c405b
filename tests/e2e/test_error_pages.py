"""What clients get in place of the built-in page of an error: the site's text, file or redirect, by scope."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import ErrorPage, HeaderRule, Host, Limits, Options, Site
from proxy_core.runtime.facts import Outside
from tests.e2e.harness import HELLO, Upstream, answers, ask, client, get, serving, site, until, upstream

NOT_FOUND = b"HTTP/1.1 404 Gone Fishing\r\nContent-Length: 6\r\nX-Secret: 1\r\n\r\nsecret"


def pages(*rows: ErrorPage, **options: object) -> Site:
    return replace(site(1, **options), errors=rows, routes=())


async def asked(what: Site, folder: Path = Path(), target: str = "/") -> tuple[bytes, bytes]:
    async with serving(what, outside=Outside(None, folder)) as proxy:
        return await get(proxy.port, target)


async def test_a_text_is_the_page_and_the_status_stays() -> None:
    head, body = await asked(pages(ErrorPage(id="e", status=("404",), text="<p>caf\u00e9</p>")))
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"charset=utf-8" in head
    assert body == "<p>caf\u00e9</p>".encode()


async def test_a_url_is_redirected_to() -> None:
    head, _ = await asked(pages(ErrorPage(id="e", status=("4xx",), url="https://status.test/x")))
    assert head.startswith(b"HTTP/1.1 302 Found\r\n")
    assert b"\r\nLocation: https://status.test/x\r\n" in head


async def test_a_file_is_read_anew_when_it_changes_and_one_that_was_never_there_leaves_the_built_in_page(
    tmp_path: Path,
) -> None:
    what = pages(ErrorPage(id="e", status=("404",), file="sorry.html"))
    outside = Outside(None, tmp_path)
    async with serving(what, outside=outside) as proxy:
        assert b"Not Found" in (await get(proxy.port))[1]
        (missing,) = outside.pages.problems
        assert (missing.address, missing.severity) == (("errors", "e", "file"), "warning")
        for text in (b"sorry", b"very sorry \xc3\xa9"):
            (tmp_path / "sorry.html").write_bytes(text)
            await outside.pages.read(what)
            head, body = await get(proxy.port)
            assert (head[:12], body) == (b"HTTP/1.1 404", text)
            assert not outside.pages.problems
        (tmp_path / "sorry.html").unlink()
        await outside.pages.read(what)
        assert (await get(proxy.port))[1] == b"very sorry \xc3\xa9"
        assert "what it said last is sent" in outside.pages.problems[0].what


REFUSED = [
    (400, b"GET / HTTP/1.1\r\n\r\n"),
    (400, b"nonsense\r\n\r\n"),
    (405, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
    (417, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n"),
    (505, b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
]


@pytest.mark.parametrize(("status", "request_"), REFUSED)
@pytest.mark.parametrize("way", ["text", "file", "url"])
async def test_a_refused_request_gets_the_sites_page_and_the_fields_that_always_go(
    way: str, status: int, request_: bytes, tmp_path: Path
) -> None:
    (tmp_path / "ours").write_bytes(b"ours")
    page = ErrorPage(id="e", status=("4xx", "5xx"), **{way: "http://ours.test/" if way == "url" else "ours"})
    elsewhere = ErrorPage(id="f", host="other", status=("4xx", "5xx"), text="theirs")
    always = HeaderRule(id="a", on="always", name="X-Always", value="%{REQUEST_METHOD}e", action="set")
    response = HeaderRule(id="b", on="response", name="X-Theirs", value="1")
    what = replace(pages(page, elsewhere), headers=(always, response), hosts={"other": Host(names=("other.test",))})
    async with serving(what, outside=Outside(None, tmp_path)) as proxy:
        raw = await ask(proxy.port, request_)
        exchange = await proxy.finished()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"X-Always: " in head
    assert b"X-Theirs" not in head
    assert exchange.replaced == status
    if way == "url":
        assert head.startswith(b"HTTP/1.1 302 Found\r\n")
        assert b"Location: http://ours.test/\r\n" in head
    else:
        assert (int(head[9:12]), body) == (status, b"ours")


async def test_a_fast_refusal_gets_the_sites_page_too() -> None:
    async with upstream(silent) as member:
        what = replace(site(member.port, limits=Limits(in_flight=1, queue=0)), errors=(
            ErrorPage(id="e", status=("503",), text="ours"),
        ))  # fmt: skip
        async with serving(what) as proxy, client(proxy.port) as first:
            first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: proxy.recorder.live)
            head, body = await get(proxy.port)
            assert (head[:12], body) == (b"HTTP/1.1 503", b"ours")


async def silent(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_an_overridden_answer_gets_the_page_and_nothing_of_the_upstream(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"ours")
    for row in (ErrorPage(id="e", status=("404",), file="page"), ErrorPage(id="e", status=("404",), text="ours")):
        async with upstream(answers(NOT_FOUND, HELLO)) as member:
            what = replace(site(member.port, error_override=True), errors=(row,))
            async with serving(what, outside=Outside(None, tmp_path)) as proxy, client(proxy.port) as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head, body = await one.answer()
                assert (head[:12], body) == (b"HTTP/1.1 404", b"ours")
                assert b"secret" not in head.lower()
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await one.answer())[1] == b"hello"


@pytest.mark.parametrize(
    ("codes", "shown"), [(("500",), b"secret"), (("404", "5xx"), b"Not Found"), ((), b"Not Found")]
)
async def test_only_chosen_statuses_are_overridden(codes: tuple[str, ...], shown: bytes) -> None:
    async with upstream(answers(NOT_FOUND)) as member:
        what = site(member.port, error_override=True, override_codes=codes)
        async with serving(what) as proxy:
            assert shown in (await get(proxy.port))[1]


async def test_fields_that_always_go_go_with_our_own_pages_too() -> None:
    rows = (
        HeaderRule(id="a", on="always", name="X-Always", value="1"),
        HeaderRule(id="b", on="response", name="X-Theirs", value="1"),
    )
    head, _ = await asked(replace(pages(), headers=rows))
    assert b"X-Always: 1\r\n" in head
    assert b"X-Theirs" not in head


async def test_each_request_gets_an_id() -> None:
    async with upstream(answers(HELLO, HELLO)) as member:
        what = replace(site(member.port), site=Options(request_id="X-Request-ID"))
        async with serving(what) as proxy:
            for _ in range(2):
                await get(proxy.port, "/", "X-Request-ID: forged")
        ids = [line for head in member.heads for line in head.split(b"\r\n") if line.startswith(b"X-Request-ID")]
        assert len({*ids}) == 2
        assert b"forged" not in b"".join(ids)
