"""What clients get in place of the built-in page of an error: the site's text, file or redirect, by scope."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import EnvRule, ErrorPage, HeaderRule, Host, Limits, Options, Redirection, Route, Site
from proxy_core.runtime.fact_lookups import Outside
from tests.e2e.harness import HELLO, Upstream, answers, ask, client, get, read_request, serving, site, until, upstream

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


# -- pages that are requests of their own


SORRY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsorry"
LATE = ErrorPage(id="e", status=("4xx", "5xx"), path="/pages/sorry?a=b")


def paged(pages: int, app: int, *, more: tuple[ErrorPage, ...] = (), **options: object) -> Site:
    """A site whose pages come from one member and everything else from another."""
    plain = site(app, **options)
    route = Route(id="pages", path="/pages", proxy=f"http://127.0.0.1:{pages}/p")
    return replace(plain, errors=(LATE, *more), routes=(route, *plain.routes))


async def test_the_page_comes_from_a_member_and_the_status_stays() -> None:
    async with upstream(answers(SORRY)) as pages, upstream(answers(NOT_FOUND)) as app:
        async with serving(paged(pages.port, app.port, error_override=True)) as proxy, client(proxy.port) as one:
            for method in (b"GET", b"HEAD", b"GET"):
                one.send(b"%b /x?y=z HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\nX-A: b\r\n\r\n" % method)
                head, body = await one.answer(head_only=method == b"HEAD")
                assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
                assert body == (b"" if method == b"HEAD" else b"sorry")
            asked = pages.heads[0]
            assert asked.startswith(b"GET /p/sorry?a=b HTTP/1.1\r\n")
            assert b"X-A: b\r\n" in asked
            assert b"If-None-Match" not in asked
            assert pages.heads[1].startswith(b"HEAD ")
            record = await proxy.finished(3)
            assert (record.status, record.replaced, record.attempts, record.cause) == (404, 404, 2, "")
            assert record.route is not None
            assert record.route.id == "all"
            proxy.at_rest()


async def test_a_page_is_asked_for_without_the_body_and_a_body_that_did_not_come_costs_the_connection() -> None:
    async with upstream(answers(SORRY)) as pages:
        async with serving(paged(pages.port, 1)) as proxy:
            async with client(proxy.port) as one:
                one.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" * 2)
                for _ in range(2):
                    head, body = await one.answer()
                    assert (head[:12], body) == (b"HTTP/1.1 503", b"sorry")
                    assert b"Connection: close" not in head
            whole = await ask(proxy.port, b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nabc")
            assert whole.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nConnection: close\r\n" in whole
            assert all(b"ength" not in head for head in pages.heads)
            proxy.at_rest()


GONE = b"HTTP/1.1 404 Gone\r\nContent-Length: 4\r\n\r\ngone"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("page", [GONE, EMPTY, b"nonsense\r\n\r\n", None], ids=["404", "204", "nonsense", "down"])
async def test_a_page_that_cannot_be_had_leaves_the_built_in_one_and_says_why(page: bytes | None) -> None:
    async with upstream(answers(page or b"")) as pages, upstream(answers(NOT_FOUND)) as app:
        what = paged(pages.port if page else 1, app.port, error_override=True)
        async with serving(what) as proxy, client(proxy.port) as one:
            for number in (1, 2):
                one.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                head, body = await one.answer()
                assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
                assert b"<h1>Not Found</h1>" in body
                record = await proxy.finished(number)
                assert record.status == 404
                assert "its page /pages/sorry?a=b failed" in record.cause
            proxy.at_rest()


async def test_a_page_may_come_from_the_pool_whose_only_place_its_error_had() -> None:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(this, reader)
            writer.write(SORRY if head.startswith(b"GET /pages/") else NOT_FOUND)

    async with upstream(talk) as member:
        plain = site(member.port, balanced=True, error_override=True)
        (balancer,) = plain.balancers.values()
        one = replace(balancer, timeout=5.0, members={"m0": replace(balancer.members["m0"], max_connections=1)})
        async with serving(replace(plain, errors=(LATE,), balancers={"pool": one})) as proxy:
            head, body = await get(proxy.port)
            assert (head[:12], body) == (b"HTTP/1.1 404", b"sorry")
            await proxy.finished()
            proxy.at_rest()


async def test_a_client_that_leaves_while_its_page_is_fetched_is_recorded_so() -> None:
    never = asyncio.Event()

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        await never.wait()

    async with upstream(talk) as pages, serving(paged(pages.port, 1)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await until(lambda: pages.heads)
        record = await proxy.finished()
        assert record.status == 499
        proxy.at_rest()
        never.set()


async def test_rules_and_fields_of_a_page_know_what_became_of_the_request() -> None:
    said = "%{REDIRECT_STATUS}e %{REDIRECT_URL}e %{REDIRECT_REQUEST_METHOD}e %{REDIRECT_v}e"
    async with upstream(answers(SORRY)) as pages:
        what = paged(pages.port, 1)
        what = replace(
            what,
            headers=(HeaderRule(id="h", on="request", route="pages", name="X-Was", value=said),),
            env=(EnvRule(id="v", name="v", from_="%{REQUEST_METHOD}", capture="^(P)", value="$1"),),
        )
        async with serving(what) as proxy:
            assert (await ask(proxy.port, b"PUT /x?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))[9:12] == b"503"
            assert b"X-Was: 503 /x PUT P\r\n" in pages.heads[0]


async def test_a_page_may_be_a_file_or_send_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sorry").write_text("a file")
    rows = (
        Route(id="files", path="/pages", folder=str(tmp_path)),
        Route(id="away", path="/away", redirect=Redirection(to="http://a.test/", status=302)),
    )
    other = ErrorPage(id="f", status=("503",), path="/away")
    async with upstream(answers(NOT_FOUND)) as app:
        plain = site(app.port, error_override=True)
        down = Route(id="down", path="/down", proxy="http://127.0.0.1:1/")
        async with serving(replace(plain, errors=(LATE, other), routes=(*rows, down, *plain.routes))) as proxy:
            head, body = await get(proxy.port, "/x", "Range: bytes=1-2")
            assert (head[:12], body) == (b"HTTP/1.1 404", b"a file")
            head, body = await get(proxy.port, "/down/x")
            assert head.startswith(b"HTTP/1.1 302 ")
            assert b"\r\nLocation: http://a.test/\r\n" in head
            assert (await proxy.finished(2)).status == 302


async def test_a_refusal_that_must_be_fast_or_comes_before_all_rules_has_the_built_in_page() -> None:
    async with upstream(answers(SORRY)) as pages, serving(paged(pages.port, 1, limits=Limits(fields=1))) as proxy:
        head, body = await get(proxy.port)
        assert head.startswith(b"HTTP/1.1 431 ")
        assert b"<h1>" in body
        assert not pages.heads
