"""Rules on a running server: answers that take waiting, origins made known by requests, cookies, runaway patterns."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace as struct_replace

from proxy_core.config.model import (
    EnvRule,
    HeaderRule,
    Listener,
    Options,
    Redirection,
    RewriteCond,
    RewriteRule,
    Route,
    Site,
)
from proxy_core.control.explaining.explain import inspection
from proxy_core.control.watching import access_log
from proxy_core.rules.facts import FactKey
from proxy_core.runtime import origin_pools
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.rule_set import RuleSet
from tests.e2e.harness import (
    HELLO,
    PATIENCE,
    Running,
    Upstream,
    answers,
    client,
    echoes,
    read_request,
    serving,
    until,
    upstream,
)


class Slow(Outside):
    """Answers that take as long as a test wants; ``asked`` says what was asked."""

    def __init__(self, answer: str | None) -> None:
        super().__init__()
        self.result = answer
        self.asked: list[FactKey] = []
        self.ready = asyncio.Event()

    def ask(self, fact: FactKey) -> tuple[bool, str | None]:
        return False, None

    async def answer(self, fact: FactKey, rules: RuleSet, client: str = "") -> str | None:
        self.asked.append(fact)
        await self.ready.wait()
        return self.result


def site(*rows: RewriteRule) -> Site:
    named = tuple(RewriteRule(**{**{f: getattr(row, f) for f in row.__struct_fields__}, "id": f"r{n}"})
                  for n, row in enumerate(rows))  # fmt: skip
    return Site(listeners={"http": Listener(address="127.0.0.1:0")}, rewrites=named)


def mapped(port: int) -> Site:
    return site(RewriteRule(pattern="^/m/(.*)$", substitution=f"http://127.0.0.1:{port}/${{m:$1|none}}", flags=("P",)))


async def get(running: Running, path: str) -> str:
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode("latin-1")
        writer.close()
        return answer


async def test_an_answer_that_takes_waiting_is_waited_for_and_kept_with_the_request() -> None:
    async with upstream(answers(HELLO)) as there:
        slow = Slow("value")
        async with serving(mapped(there.port), outside=slow) as running:
            asking = asyncio.create_task(get(running, "/m/key"))
            await until(lambda: slow.asked)
            assert not there.heads
            slow.ready.set()
            assert (await asking).endswith("hello")
            assert there.heads[0].startswith(b"GET /value HTTP/1.1")
            assert slow.asked == [("map", "m", "key")]
            assert running.records[-1].facts.answers == {("map", "m", "key"): "value"}


async def test_no_answer_is_the_default() -> None:
    async with upstream(answers(HELLO)) as there:
        slow = Slow(None)
        slow.ready.set()
        async with serving(mapped(there.port), outside=slow) as running:
            await get(running, "/m/key")
            assert there.heads[0].startswith(b"GET /none HTTP/1.1")


async def test_a_client_that_leaves_while_an_answer_is_waited_for_leaves_nothing_behind() -> None:
    async with upstream(answers(HELLO)) as there:
        slow = Slow("value")
        async with serving(mapped(there.port), outside=slow) as running:
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"GET /m/key HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: slow.asked)
            writer.transport.abort()
            assert (await running.finished()).status == 499
            slow.ready.set()
            assert not there.heads


async def test_a_file_is_looked_at_off_the_loop_and_decides(tmp_path) -> None:
    (tmp_path / "there").write_text("x")
    condition = RewriteCond(id="c", test="$1", pattern="-f")
    rows = site(RewriteRule(pattern="^/f(.*)$", flags=("F",), conditions=(condition,)))
    async with serving(rows) as running:
        assert (await get(running, f"/f{tmp_path}/there")).startswith("HTTP/1.1 403 ")
        assert (await get(running, f"/f{tmp_path}/not")).startswith("HTTP/1.1 404 ")


async def test_cookies_of_rules_go_with_redirects_pages_and_forwarded_answers() -> None:
    async with upstream(answers(HELLO)) as there:
        rows = site(
            RewriteRule(pattern="^/", flags=("CO=a:1:.x.test",)),
            RewriteRule(pattern="^/r", substitution="http://o.test/", flags=("R=301", "L")),
            RewriteRule(pattern="^/f", flags=("F",)),
            RewriteRule(pattern="^/p", substitution=f"http://127.0.0.1:{there.port}/", flags=("P",)),
        )
        async with serving(rows) as running:
            for path, status in (("/r", 301), ("/f", 403), ("/p", 200), ("/p", 200), ("/none", 404)):
                answer = await get(running, path)
                assert answer.startswith(f"HTTP/1.1 {status} ")
                assert answer.count("Set-Cookie: a=1; path=/; domain=.x.test\r\n") == 1


async def test_a_runaway_pattern_costs_its_request_an_error_and_nobody_time() -> None:
    rows = site(RewriteRule(pattern="^/(a+)+$", flags=("F",)))
    async with serving(rows) as running:
        assert (await get(running, "/" + "a" * 4000 + "!")).startswith("HTTP/1.1 500 ")
        assert "^/(a+)+$ was stopped" in running.records[-1].cause
        assert (await get(running, "/x")).startswith("HTTP/1.1 404 ")


async def test_origins_made_known_by_requests_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(origin_pools, "MOST", 3)
    rows = site(RewriteRule(pattern="^/(.*)$", substitution="http://127.0.0.$1:1/", flags=("P",)))
    async with serving(rows) as running:
        for last in range(2, 9):
            assert (await get(running, f"/{last}")).startswith("HTTP/1.1 503 ")
        assert list(running.current.rules.pools) == [f"http://127.0.0.{last}:1" for last in (6, 7, 8)]


async def test_every_rule_that_matched_counts_a_hit_once() -> None:
    rows = site(
        RewriteRule(pattern="^/a", flags=("E=x:1",)),
        RewriteRule(pattern="^/b", flags=("F",)),
        RewriteRule(pattern="^/a", flags=("G",)),
    )
    async with serving(rows) as running:
        await get(running, "/a")
        assert [rule.state.hits for rule in running.current.rules.program.rewrites] == [1, 0, 1]


@pytest.mark.parametrize(
    "rule",
    [
        RewriteRule(pattern="^/a", substitution="http://elsewhere/", flags=("R",)),
        RewriteRule(pattern="^/a", flags=("F",)),
        RewriteRule(pattern="^/a", substitution="/file"),
        RewriteRule(pattern="^/a", substitution="http://127.0.0.1:1/", flags=("P",)),
    ],
    ids=["redirect", "forbidden", "path", "proxy"],
)
async def test_the_record_names_the_rule_that_had_the_last_word_which_is_one_hit(rule: RewriteRule) -> None:
    async with serving(site(rule)) as running:
        await get(running, "/a")
        named = running.records[-1].route
        assert named is not None
        assert (named.rows, named.id) == ("rewrites", "r0")
        assert [rule.state.hits for rule in running.current.rules.program.rewrites] == [1]


async def test_a_path_is_never_forwarded_to_whatever_the_client_calls_us() -> None:
    async with serving(site(RewriteRule(pattern="^/x", substitution="/y", flags=("P",)))) as running:
        assert (await get(running, "/x")).startswith("HTTP/1.1 500 ")
        assert not running.records[-1].attempts


def rows(*given: HeaderRule) -> tuple[HeaderRule, ...]:
    return tuple(struct_replace(row, id=f"h{number}") for number, row in enumerate(given))


async def test_what_is_done_early_is_seen_by_rules_and_stays_though_later_rows_change_the_request_too() -> None:
    """A stranger's X-Forwarded-Proto is not believed, but what the site itself says in it is."""
    async with upstream(answers(HELLO)) as member:
        plain = site(RewriteRule(
            pattern="^/(.*)$", substitution=f"http://127.0.0.1:{member.port}/secure/$1", flags=("P",),
            conditions=(RewriteCond(test="%{HTTP:X-Forwarded-Proto}", pattern="=https"),),
        ))  # fmt: skip
        early = HeaderRule(on="request", name="X-Forwarded-Proto", value="https", early=True)
        late = HeaderRule(on="request", name="X-Late", value="%{REDIRECT_STATUS}e")
        for headers in (rows(early), rows(early, late)):
            async with serving(struct_replace(plain, headers=headers)) as proxy:
                raw = b"POST /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: gopher\r\nContent-Length: 3\r\n\r\nabc"
                async with client(proxy.port) as one:
                    for _ in range(2):
                        one.send(raw)
                        assert (await one.answer())[0].startswith(b"HTTP/1.1 200 ")
                head = member.heads[-1]
                assert head.startswith(b"POST /secure/x HTTP/1.1\r\n")
                assert head.lower().count(b"x-forwarded-proto: https\r\n") == 1
                assert b"gopher" not in head
                assert b"Content-Length: 3\r\n" in head
                record = await proxy.finished(2)
                assert b"gopher" in record.head
                steps = [step for step in inspection(record).explanation.steps if step.address == ("headers", "h0")]
                assert [(step.verdict, step.details) for step in steps] == [("match", ("X-Forwarded-Proto: https",))]


async def test_a_note_outlives_its_field_in_the_log() -> None:
    said = b"HTTP/1.1 200 OK\r\nX-User: anna\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answers(said)) as member:
        plain = site(RewriteRule(pattern="^/", substitution=f"http://127.0.0.1:{member.port}/", flags=("P",)))
        headers = rows(
            HeaderRule(action="note", name="X-User", value="Who"),
            HeaderRule(action="note", name="X-None", value="none"),
            HeaderRule(action="unset", name="X-User"),
            HeaderRule(name="X-Said", value="expr=%{note:who}"),
        )
        async with serving(struct_replace(plain, headers=headers)) as proxy, client(proxy.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            head, _ = await one.answer()
            assert b"X-User" not in head
            assert b"X-Said: anna\r\n" in head
            record = await proxy.finished()
            assert json.loads(access_log.json(record))["notes"] == {"who": "anna"}


@pytest.mark.parametrize(
    ("named", "canonical", "host", "shown"),
    [
        ("own.test", True, "called.test:99", "own.test"),
        ("own.test:8443", True, "called.test", "own.test:8443"),
        ("own.test:80", True, "called.test", "own.test"),
        ("own.test:8443", False, "called.test:99", "called.test:99"),
    ],
)
async def test_addresses_of_our_own_are_made_of_the_name_that_counts(
    named: str, canonical: bool, host: str, shown: str
) -> None:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        there = f"http://127.0.0.1:{this.port}/b/there"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode())

    async with upstream(talk) as member:
        what = Site(
            site=Options(server_name=named, canonical_name=canonical),
            listeners={"http": Listener(address="127.0.0.1:0")},
            routes=(
                Route(id="away", path="/away", redirect=Redirection(to="/there", status=301)),
                Route(id="app", path="/app", proxy=f"http://127.0.0.1:{member.port}/b"),
            ),
        )
        async with serving(what) as proxy, client(proxy.port) as one:
            for path, there in (("/away", "/there"), ("/app/x", "/app/there")):
                one.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                head, _ = await one.answer()
                assert f"\r\nLocation: http://{shown}{there}\r\n".encode() in head


VARIABLES = [("FORCE-proxy-request-1.0", b"HTTP/1.0"), ("proxy-nokeepalive", b"HTTP/1.1")]


@pytest.mark.parametrize(("name", "version"), VARIABLES)
async def test_variables_say_how_a_member_is_spoken_to(name: str, version: bytes) -> None:
    async with upstream(echoes) as member:
        variable = EnvRule(id="v", name=name, from_="%{REQUEST_URI}", capture="^/own")
        route = Route(id="r", path="/", proxy=f"http://127.0.0.1:{member.port}/")
        async with serving(struct_replace(site(), routes=(route,), env=(variable,))) as running:
            for path, connections in (("/own", 1), ("/own", 2), ("/", 3), ("/", 3)):
                async with client(running.port) as one:
                    one.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                    _, seen = await one.answer()
                line = seen.partition(b"\r\n")[0].rpartition(b" ")[2]
                assert line == (version if path == "/own" else b"HTTP/1.1")
                assert (b"\r\nConnection: close\r\n" in seen) == (path == "/own")
                assert member.connections == connections
                assert running.records[-1].status == 200


async def test_a_body_whose_length_nobody_knows_is_never_sent_in_http_1_0() -> None:
    async with upstream(echoes) as member:
        route = Route(id="r", path="/", proxy=f"http://127.0.0.1:{member.port}/")
        variable = EnvRule(id="v", name="force-proxy-request-1.0")
        async with serving(struct_replace(site(), routes=(route,), env=(variable,))) as running:
            async with client(running.port) as one:
                one.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
                _, seen = await one.answer()
            assert seen.startswith(b"POST / HTTP/1.1\r\n")
            assert seen.endswith(b"\r\n\r\na")
