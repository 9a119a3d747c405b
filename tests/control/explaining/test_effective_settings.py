"""What is told to hold for a request is what does: the same head, the same edits, the same page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import (
    Balancer,
    EnvRule,
    ErrorPage,
    FileTypes,
    HeaderRule,
    Host,
    Location,
    Member,
    Options,
    Site,
    UpstreamTls,
)
from proxy_core.control.explaining.explain import explain, inspection, spelled
from proxy_core.control.explaining.explanation import masked
from proxy_core.control.question import Explanation, Question
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.registry import Registry
from tests.e2e.harness import HELLO, answers, ask, get, serving, site, upstream


def row(name: str, action: str, value: str = "", **more: str) -> HeaderRule:
    return HeaderRule(id=f"{action}-{name.lower()}", on="request", action=action, name=name, value=value, **more)


SEEN = EnvRule(id="seen", name="seen", from_="%{HTTP:X-In}", capture="^(.+)$", value="$1")
RULES = (
    row("X-A", "set", "%{seen}e", env="seen"),
    row("X-B", "append", "two"),
    row("X-C", "unset"),
    row("X-D", "setifempty", "d"),
    row("X-E", "edit", "<$0>", pattern="[a-z]+"),
    row("Authorization", "set", "Basic c2VjcmV0"),
    row("Host", "set", "other.test"),
)
FIELDS = [(), ("X-In: in", "X-B: one", "X-C: c", "X-D: mine", "X-E: 12ab"), ("Via: 1.0 a", "Cookie: a=b", "TE: x")]
OPTIONS = [{}, {"preserve_host": True}, {"via": "full", "forwarded": "append"}, {"forwarded_header": True}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("rules", [(), RULES])
async def test_the_head_that_is_told_is_the_head_that_a_member_gets(
    rules: tuple[HeaderRule, ...], options: dict[str, object]
) -> None:
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port, path="/in", **options), headers=rules, env=(SEEN,))
        async with serving(what) as proxy:
            for fields in FIELDS:
                for method in ("GET", "POST"):
                    length = ("Content-Length: 0",) if method == "POST" else ()
                    lines = (
                        f"{method} /a%41/%7e?q HTTP/1.1",
                        "Host: asked.test",
                        "Connection: close",
                        *fields,
                        *length,
                    )
                    await ask(proxy.port, "\r\n".join([*lines, "", ""]).encode())
                    question = Question(url="/a%41/%7e?q", method=method, fields=lines[1:])
                    told = await explain(proxy.current.rules, Outside(), question)
                    assert told.forwarded == masked(member.heads[-1], what).strip()
                    seen = inspection(proxy.records[-1]).explanation
                    assert (seen.forwarded, seen.settings) == (told.forwarded, told.settings)
                    on_request = len([each for each in rules if each.on == "request"])
                    assert seen.steps[: 2 + on_request] == told.steps[: 2 + on_request]


async def told(what: Site, *fields: str, url: str = "/") -> Explanation:
    rules = compile_site(what, Registry(), 1)
    return await explain(rules, Outside(), Question(url=url, fields=("Host: a", *fields)))


def said(explanation: Explanation, rows: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    return {
        step.address[-1]: (step.verdict, step.reason, step.details)
        for step in explanation.steps
        if step.address[0] == rows
    }


async def test_each_edit_says_what_it_set_and_why_not() -> None:
    explained = await told(replace(site(1), headers=RULES), "X-D: mine", "X-B: one")
    assert said(explained, "headers") == {
        "set-x-a": ("no match", "its condition does not hold", ()),
        "append-x-b": ("match", "append X-B", ("X-B: one, two",)),
        "unset-x-c": ("no match", "there is no X-C", ()),
        "setifempty-x-d": ("no match", "X-D is there already", ()),
        "edit-x-e": ("no match", "its pattern is found in no X-E", ()),
        "set-authorization": ("match", "set Authorization", ("Authorization: (14 bytes, masked)",)),
        "set-host": ("match", "set Host", ("Host: other.test",)),
    }
    assert "c2VjcmV0" not in spelled(explained)


async def test_rows_for_an_answer_that_has_not_come_say_that_they_wait_for_it() -> None:
    rows = (HeaderRule(id="a", name="X-A", value="1"), HeaderRule(id="b", name="X-B", value="1", expr="true"))
    assert said(await told(replace(site(1), headers=rows)), "headers") == {
        "a": ("skipped", "set X-A: in the answer", ()),
        "b": ("skipped", "set X-B: in the answer, if its condition holds then", ()),
    }


async def test_a_request_that_came_shows_what_was_done_to_its_answer() -> None:
    rows = (
        HeaderRule(id="their", action="edit", name="X-Their", pattern="o", value="0"),
        HeaderRule(id="ok", name="X-Ok", value="1", expr="%{REQUEST_STATUS} == 404"),
        HeaderRule(id="own", on="always", name="X-Own", value="1"),
    )
    answer = b"HTTP/1.1 200 OK\r\nX-Their: old\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answers(answer)) as member, serving(replace(site(member.port), headers=rows)) as proxy:
        await get(proxy.port)
        assert said(inspection(proxy.records[-1]).explanation, "headers") == {
            "own": ("match", "set X-Own", ("X-Own: 1",)),
            "their": ("match", "edit X-Their", ("X-Their: 0ld",)),
            "ok": ("no match", "its condition does not hold", ()),
        }


PAGES = (
    ErrorPage(id="lost", status=("404",), text="gone"),
    ErrorPage(id="broken", status=("5xx",), url="https://status.test/"),
)


async def test_the_page_of_an_error_is_told_and_those_that_would_be() -> None:
    lost = await told(replace(site(1), routes=(), errors=PAGES))
    assert said(lost, "errors") == {
        "lost": ("match", "for 404: a text", ()),
        "broken": ("skipped", "for 5xx: sent to https://status.test/", ()),
    }
    assert {verdict for verdict, *_ in said(await told(replace(site(1), errors=PAGES)), "errors").values()} == {
        "skipped"
    }


@pytest.mark.parametrize(("answer", "override", "used"), [
    (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", True, {"lost"}),
    (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", False, set()),
    (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", True, {"broken"}),
    (b"nonsense\r\n\r\n", False, {"broken"}),
])  # fmt: skip
async def test_a_request_that_came_shows_the_page_it_got(answer: bytes, override: bool, used: set[str]) -> None:
    async with upstream(answers(answer)) as member:
        what = replace(site(member.port, error_override=override), errors=PAGES)
        async with serving(what) as proxy:
            await get(proxy.port)
            steps = said(inspection(proxy.records[-1]).explanation, "errors")
            assert {row for row, (verdict, *_) in steps.items() if verdict == "match"} == used


async def test_options_are_told_with_the_place_that_said_them_last() -> None:
    what = site(1, timeout=7.0, error_override=True, override_codes=("5xx",))
    place = Location(id="slow", path="/slow", timeout=90.0)
    what = replace(what, routes=(replace(what.routes[0], preserve_host=True),), locations=(place,))
    settings = {each.name: (each.value, each.address) for each in (await told(what, url="/slow/x")).settings}
    assert settings == {
        "timeout": ("90 s", ("locations", "slow")),
        "error_override": ("true for 5xx", ("site",)),
        "preserve_host": ("true", ("routes", "all")),
    }
    assert re.search(r"timeout: 7 s \(site\)", spelled(await told(what)))
    hosts = {"a": Host(names=("a",), timeout=3.0)}
    assert re.search(r"timeout: 3 s \(hosts a\)", spelled(await told(replace(what, hosts=hosts))))


async def test_how_tls_is_spoken_with_the_member_is_told_with_the_table_that_says_so() -> None:
    async def of(what: Site) -> tuple[str, tuple[str | int, ...]]:
        found = {each.name: (each.value, each.address) for each in (await told(what)).settings}
        return found["upstream_tls"]

    plain = site(1)
    assert "upstream_tls" not in {each.name for each in (await told(plain)).settings}
    what = replace(plain, routes=(replace(plain.routes[0], proxy="https://h/"),))
    assert await of(what) == ("h is asked for; of the certificate is checked: authority, name, time", ("upstream_tls",))
    off = UpstreamTls(verify=False, check_expiry=True)
    hosts = {"a": Host(names=("a",), upstream_tls=off)}
    assert await of(replace(what, hosts=hosts)) == (
        "h is asked for; of the certificate is checked: time", ("hosts", "a", "upstream_tls"),
    )  # fmt: skip
    members = {"m": Member(url="https://m")}
    group = Balancer(members=members, tls=UpstreamTls(check_name=False, server_name="x"))
    routes = (replace(plain.routes[0], proxy="balancer://b/", preserve_host=True),)
    balanced = replace(what, hosts=hosts, routes=routes, balancers={"b": group})
    assert await of(balanced) == (
        "x is asked for; of the certificate is checked: authority, time", ("balancers", "b", "tls"),
    )  # fmt: skip
    group = replace(group, members={"m": replace(members["m"], tls=UpstreamTls(verify=False))})
    assert await of(replace(balanced, balancers={"b": group})) == (
        "the client's Host is asked for; of the certificate is checked: nothing",
        ("balancers", "b", "members", "m", "tls"),
    )


async def test_locations_are_told_of_requests_that_are_answered_here_too() -> None:
    what = replace(site(1), routes=(), locations=(Location(id="slow", path="/slow", timeout=90.0),))
    assert said(await told(what, url="/slow"), "locations")["slow"][0] == "match"


async def test_edits_that_make_a_request_nobody_may_send_are_told_as_the_500_that_they_are() -> None:
    rule = HeaderRule(id="h", on="request", name="Host", value="no host", action="set")
    explained = await told(replace(site(1), site=Options(), headers=(rule,)))
    assert (explained.status, explained.forwarded) == (500, "")
    assert "header rules" in explained.sentence


async def test_what_holds_for_files_and_their_folders_is_told(tmp_path: Path) -> None:
    (tmp_path / "www" / "in").mkdir(parents=True)
    (tmp_path / "www" / "a.own").touch()
    own = FileTypes(types={"own": "text/x-own"}, languages={"de": "de"})
    where = Location(id="in", folder="www/in", autoindex=True, file_types=FileTypes(types={"own": "text/x-in"}))
    what = Site(site=Options(document_root="www"), file_types=own, locations=(where,))
    rules, outside = compile_site(what, Registry(), 1), Outside(folder=tmp_path)

    async def settings(url: str) -> tuple[str, dict[str, tuple[str, tuple[str, ...]]]]:
        found = await explain(rules, outside, Question(url=url, fields=("Host: a",)))
        return found.sentence, {each.name: (each.value, each.address) for each in found.settings}

    sentence, its = await settings("/a.own.de")
    assert its["file_types"] == ("text/x-own; de", ("file_types",))
    assert its["autoindex"] == ("false", ("site",))
    _, its = await settings("/in/b.own")
    assert its["file_types"] == ("text/x-in", ("locations", "in", "file_types"))
    sentence, its = await settings("/in/")
    assert sentence == "answered here with 200: a listing of www/in/: 0 names"
    assert its["autoindex"] == ("true", ("locations", "in"))
    assert "file_types" not in its
    assert its["directory_index"] == ("index.html", ("site",))


async def test_a_link_that_is_not_followed_is_told_with_what_says_so(tmp_path: Path) -> None:
    (tmp_path / "www" / "in").mkdir(parents=True)
    (tmp_path / "www" / "in" / "link").symlink_to("../../www")
    where = Location(id="in", folder="www/in", follow_links="none")
    what = Site(site=Options(document_root="www"), locations=(where,))
    rules, outside = compile_site(what, Registry(), 1), Outside(folder=tmp_path)
    found = await explain(rules, outside, Question(url="/in/link/x", fields=("Host: a",)))
    assert found.status == 403
    assert f"follow_links has the link {tmp_path}/www/in/link not followed" in found.sentence
    its = {each.name: (each.value, each.address) for each in found.settings}
    assert its["follow_links"] == ("none", ("locations", "in"))
