"""What the cache did is told: in the record, the log, the metrics, by explain, and what somebody throws out is gone."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Auth, Cache, Compress, Location, Site
from proxy_core.control.explaining.explain import inspection
from proxy_core.control.watching.cache_load import cache_load, purged
from proxy_core.control.watching.log_format import compiled
from proxy_core.control.watching.log_records import record
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.serve import coded_body
from proxy_core.serve.coded_body import Coder
from tests.e2e.harness import answers, get, serving, site, upstream

FRESH = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nCache-Tag: news, x\r\nContent-Length: 5\r\n\r\nhello"
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
ANN, BOB = "Authorization: Basic YW5uOnNlY3JldA==", "Authorization: Basic Ym9iOnNlY3JldA=="


def cached(port: int, **more: object) -> Site:
    of = site(port)
    return replace(of, routes=(replace(of.routes[0], cache=True),), **more)


async def test_what_was_kept_is_told_in_record_log_and_inspection_and_is_purged_by_url_prefix_and_tag() -> None:
    async with upstream(answers(FRESH)) as origin, serving(cached(origin.port)) as running:
        cache = running.server.cache
        for _ in range(3):
            await get(running.port, "/a?x=1")
        miss, _, hit = running.records
        assert [(record(each).cache, record(each).age) for each in (miss, hit)] == [("miss", 0), ("hit", 0)]
        line = compiled("%{cache}x %{age}x %{cache-status}e %{cache-hit}e")
        assert [line(each) for each in (miss, hit)] == [b"miss 0 miss -\n", b"hit 0 hit 1\n"]
        told = {each.name: each.value for each in inspection(miss).explanation.settings}
        assert told["cache"] == "miss: its answer is kept, fresh for 60 s"
        load = cache_load(cache)
        assert (load.served["hit"], load.served["miss"], load.saved, load.entries) == (2, 1, 10, 1)
        assert load.hit_rate == 2 / 3
        host = "http://localhost"
        for wanted in (
            {"url": f"{host}/a?x=1"}, {"url": "/a?x=1"}, {"prefix": f"{host}/"}, {"prefix": "/a"}, {"tag": "news"}, {},
        ):  # fmt: skip
            assert purged(cache, tag="new") == purged(cache, url="/a") == purged(cache, prefix="/b") == 0
            assert purged(cache, **wanted) == 1, wanted
            await get(running.port, "/a?x=1")


async def test_who_has_shown_a_password_shares_only_what_says_so_and_never_what_was_made_of_a_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "users").write_text(f"ann:{SHA}\nbob:{SHA}\n")
    public = FRESH.replace(b"max-age", b"public, max-age")
    for answer, header, members in ((FRESH, "", 4), (public, "", 1), (public, "X-User", 2)):
        async with upstream(answers(answer)) as origin:
            where = Location(id="app", path="/", require=("valid-user",), auth="staff")
            staff = Auth(realm="Staff", file="users", user_header=header, hide=True)
            of = cached(origin.port, locations=(where,), auth={"staff": staff})
            async with serving(of, tmp_path, outside=Outside(folder=tmp_path)) as running:
                for who in (ANN, BOB, ANN, BOB):
                    assert (await get(running.port, "/", who))[1] == b"hello"
                assert (await get(running.port))[0][9:12] == b"401"  # what is kept opens no door
                assert len(origin.heads) == members, header


async def test_a_location_keeps_what_its_route_does_not_and_the_other_way_round() -> None:
    async with upstream(answers(FRESH)) as origin:
        on, off = Location(id="on", path="/on", cache=True), Location(id="off", path="/on/off", cache=False)
        async with serving(replace(site(origin.port), locations=(on, off))) as running:
            for path in ("/", "/on", "/on/off"):
                await get(running.port, path)
                await get(running.port, path)
            assert [each.cache for each in running.records] == ["", "", "miss", "hit", "", ""]


async def test_a_smaller_cache_holds_less_at_once_and_what_is_left_is_served_on() -> None:
    async with upstream(answers(FRESH)) as origin, serving(cached(origin.port)) as running:
        for number in range(8):
            await get(running.port, f"/{number}")
        await running.apply(cached(origin.port, cache=Cache(entries=3)))
        assert cache_load(running.server.cache).entries == 3
        assert cache_load(running.server.cache).evicted == 5


async def test_what_is_kept_as_it_came_is_coded_for_those_alone_who_take_it_so() -> None:
    page = b"hello " * 400
    plain = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    async with upstream(answers(plain % len(page) + page)) as origin:
        of = cached(origin.port, compress=Compress(types=("text/html",)))
        async with serving(of) as running:
            for _ in range(2):
                for coding in ("gzip", "identity", "gzip"):
                    head, body = await get(running.port, "/", f"Accept-Encoding: {coding}")
                    coded = b"\r\nContent-Encoding: gzip\r\n" in head
                    assert coded == (coding == "gzip")
                    assert (gzip.decompress(body) if coded else body) == page
            assert len(origin.heads) == 1
            assert [each.cache for each in running.records] == ["miss", *["hit"] * 5]


async def test_who_has_the_coded_answer_already_is_told_so_by_the_cache() -> None:
    page = b"hello " * 400
    plain = b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "v1"\r\nContent-Type: text/html\r\n'
    async with upstream(answers(plain + b"Content-Length: %d\r\n\r\n" % len(page) + page)) as origin:
        async with serving(cached(origin.port, compress=Compress(types=("text/html",)))) as running:
            await get(running.port, "/", "Accept-Encoding: gzip")
            head, _ = await get(running.port, "/", "Accept-Encoding: gzip", 'If-None-Match: W/"v1"')
            assert head.startswith(b"HTTP/1.1 304 ")
            assert len(origin.heads) == 1


@pytest.mark.parametrize("length", [2400, 200_000], ids=["on the loop", "in a thread"])
async def test_what_is_kept_is_coded_once_for_all_who_want_it_so(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    page, coders, make = b"hello " * (length // 6), list[int](), coded_body.CODERS["gzip"]

    def counted(level: int) -> Coder:
        coders.append(level)
        return make(level)

    monkeypatch.setitem(coded_body.CODERS, "gzip", counted)
    plain = b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/html\r\nETag: "v1"\r\n'
    async with upstream(answers(plain + b"Content-Length: %d\r\n\r\n" % len(page) + page)) as origin:
        of = cached(origin.port, compress=Compress(types=("text/html",)))
        async with serving(of) as running:
            await get(running.port)
            store = running.server.cache.store
            before = store.memory.bytes
            for _ in range(4):
                head, body = await get(running.port, "/", "Accept-Encoding: gzip")
                assert gzip.decompress(body) == page
                assert b'\r\nETag: W/"v1"\r\n' in head
                assert b"\r\nVary: Accept-Encoding\r\n" in head
            assert len(coders) == 1
            assert store.memory.bytes == before + len(body)
            assert running.records[-1].notes == running.records[1].notes
            assert running.recorder.coded["gzip"].answers == 1
            assert (await get(running.port))[1] == page
            await running.apply(replace(of, compress=Compress(types=("text/html",), gzip_level=2)))
            await get(running.port, "/", "Accept-Encoding: gzip")
            assert coders == [coders[0], 2]
            running.server.cache.purge(lambda kept: True)
            assert store.memory.bytes == 0
