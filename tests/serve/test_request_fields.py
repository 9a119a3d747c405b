"""Whose word is taken for which field: what a client may say, take away, or seem to say to others than us."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Auth, HeaderRule, Location, Options, Site
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.request_fields import Hop, read_fields
from proxy_core.serve.request_head import RequestReader
from tests.e2e.harness import echoes, get, serving, site, upstream

STRANGERS = Options()
TRUSTED = Options(trusted_proxies=("192.0.2.1",))
AS_APACHE = Options(forwarded="append")


def sent(*lines: str, options: Options = STRANGERS, auth: dict[str, Auth] | None = None) -> str:
    """The field lines that go upstream for a request with these lines."""
    head = "\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    return RequestReader("192.0.2.1").read(head, client_policy(Site(site=options, auth=auth or {})))[1].lines.decode()


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "x-forwarded-ssl", "X-Real-IP", "Forwarded",
        "X-FORWARDED-BY", "X_Forwarded_Port", "x-real_ip",
    ],
)  # fmt: skip
def test_what_says_who_asks_is_taken_from_trusted_peers_alone(name: str) -> None:
    assert "1.2.3.4" not in sent(f"{name}: 1.2.3.4")
    assert "1.2.3.4" in sent(f"{name}: 1.2.3.4", options=TRUSTED)
    assert "1.2.3.4" in sent(f"{name}: 1.2.3.4", options=AS_APACHE)


@pytest.mark.parametrize("options", [STRANGERS, TRUSTED, AS_APACHE])
@pytest.mark.parametrize(
    "name",
    [
        "X_Forwarded_For", "X-Forwarded_For", "X_Forwarded-For", "x_forwarded-host", "X-Forwarded_Server",
        "Content_Length", "Transfer_Encoding", "Max_Forwards", "HTTP2_Settings", "Proxy",
    ],
)  # fmt: skip
def test_a_name_that_cgi_takes_for_one_of_ours_goes_no_further(name: str, options: Options) -> None:
    assert "evil" not in sent(f"{name}: evil", options=options)


@pytest.mark.parametrize("name", ["X-Remote-User", "X_Remote_User", "X-Remote_User", "x_remote-user"])
def test_nobody_but_the_proxy_says_who_the_user_is_under_any_spelling(name: str) -> None:
    assert "evil" not in sent(f"{name}: evil", auth={"staff": Auth(realm="r", file="f", user_header="X-Remote-User")})


@pytest.mark.parametrize("name", ["CF-Connecting-IP", "cf_connecting-ip"])
def test_the_field_that_names_clients_is_taken_from_trusted_peers_alone(name: str) -> None:
    naming = Options(client_header="CF-Connecting-IP")
    assert "1.2.3.4" not in sent(f"{name}: 1.2.3.4", options=naming)
    assert "1.2.3.4" in sent(f"{name}: 1.2.3.4", options=replace(naming, forwarded="append"))
    assert "1.2.3.4" in sent(f"{name}: 1.2.3.4, x", options=replace(naming, trusted_proxies=("192.0.2.1",)))


def test_a_name_with_an_underscore_that_is_nobodys_goes_on() -> None:
    assert "x_y: 1\r\n" in sent("x_y: 1")


async def test_a_name_that_cgi_takes_for_one_of_ours_may_be_put_there_by_the_site() -> None:
    rows = (HeaderRule(id="a", on="request", name="X_FORWARDED_PROTO", action="set", value="https"),)
    async with upstream(echoes) as member:
        rules = site(member.port)
        changed = type(rules)(site=rules.site, listeners=rules.listeners, routes=rules.routes, headers=rows)
        async with serving(changed) as proxy:
            _, seen = await get(proxy.port, "/", "X_Forwarded_For: evil", "X_Forwarded_Proto: evil")
    assert b"X_FORWARDED_PROTO: https\r\n" in seen
    assert b"evil" not in seen


EDITS = (
    HeaderRule(id="a", on="request", name="X-Key", action="set", value="secret"),
    HeaderRule(id="b", on="request", name="X-Only", action="setifempty", value="ours"),
    HeaderRule(id="c", on="request", name="X-Forwarded-Port", action="set", value="443"),
)


@pytest.mark.parametrize(
    "named",
    ["X-Key", "close, x-key, X-Only", "X-Forwarded-Port", "Host, X-Key, Connection", "x-key\r\nConnection: X-Only"],
)
async def test_connection_takes_away_nothing_that_the_site_puts_there(named: str) -> None:
    async with upstream(echoes) as member:
        rules = site(member.port)
        changed = type(rules)(site=rules.site, listeners=rules.listeners, routes=rules.routes, headers=EDITS)
        async with serving(changed) as proxy:
            _, seen = await get(proxy.port, "/", f"Connection: {named}", "X-Key: theirs", "X-Forwarded-Port: 1")
    assert re.findall(rb"(?i)x-(?:key|only|forwarded-port): (\w+)", seen) == [b"secret", b"ours", b"443"]
    assert b"Connection" not in seen


async def test_connection_still_takes_away_what_the_client_says_before_the_site_looks() -> None:
    rule = HeaderRule(id="a", on="request", name="X-Seen", action="append", value="site")
    async with upstream(echoes) as member:
        rules = site(member.port)
        async with serving(
            type(rules)(site=rules.site, listeners=rules.listeners, routes=rules.routes, headers=(rule,))
        ) as proxy:
            _, seen = await get(proxy.port, "/", "Connection: X-Seen, Other", "X-Seen: theirs", "Other: theirs")
    assert b"X-Seen: site\r\n" in seen
    assert b"theirs" not in seen


def test_an_empty_port_goes_no_further() -> None:
    hop = Hop(client_policy(Site()), "192.0.2.1", False, "http", ())
    assert read_fields(b"\r\nHost: a.test:\r\n\r\n", True, b"", hop).host == b"a.test"


@pytest.mark.parametrize(
    ("fields", "http11"),
    [
        (b"Host: a\r\nContent-Length: 1\r\nContent-Length: 1", True),
        (b"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", True),
        (b"Host: a\r\nTransfer-Encoding: chunked", False),
        (b"Host: a\r\nHost: a", True),
        (b"Host: a\r\nHost: b", False),
        (b"X: y", True),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused_here_whatever_the_other_parser_says(
    fields: bytes, http11: bool
) -> None:
    hop = Hop(client_policy(Site()), "192.0.2.1", False, "http", ())
    with pytest.raises(RefusedRequest) as refused:
        read_fields(b"\r\n" + fields + b"\r\n\r\n", http11, b"", hop)
    assert refused.value.status == 400


TWINS = (
    HeaderRule(id="set", on="request", name="X-Internal-Secret", action="set", value="ours"),
    HeaderRule(id="unset", on="request", name="X-Debug", action="unset"),
    HeaderRule(id="edit", on="request", name="X-Edited", action="edit", pattern="theirs", value="ours"),
    HeaderRule(id="if", on="request", name="X-If", action="set", value="ours", env="nothing"),
    HeaderRule(id="early", on="request", name="X-Early", action="set", value="ours", early=True),
    HeaderRule(id="made", on="request", name="X_Made", action="set", value="ours", early=True),
    HeaderRule(id="again", on="request", name="X-Made", action="set", value="ours"),
    HeaderRule(id="noted", on="request", name="X-Noted", action="note", value="x"),
)


@pytest.mark.parametrize("early", [True, False])
async def test_no_field_that_a_row_is_about_comes_in_under_a_name_that_is_the_same_to_cgi(early: bool) -> None:
    rows = tuple(row for row in TWINS if early or not row.early)
    async with upstream(echoes) as member:
        rules = site(member.port)
        changed = type(rules)(site=rules.site, listeners=rules.listeners, routes=rules.routes, headers=rows)
        async with serving(changed) as proxy:
            names = ("X_Internal_Secret", "x-internal_secret", "X_Internal-Secret", "X_Debug", "X_Edited", "X_If")
            _, seen = await get(proxy.port, "/", *(f"{name}: evil" for name in names), "X_Noted: a", "X_Other: b")
            assert b"evil" not in seen
            assert b"X_Noted: a\r\nX_Other: b\r\n" in seen
            assert b"\r\nX-Internal-Secret: ours\r\n" in seen
            _, seen = await get(proxy.port, "/", "X_Early: evil", "X_Made: evil")
            assert (b"evil" in seen) is (not early)
            assert b"\r\nX-Made: ours\r\n" in seen
            assert (b"\r\nX_Made: ours\r\n" in seen) is early


async def test_a_row_that_is_done_before_the_rules_drops_such_names_by_itself() -> None:
    row = HeaderRule(id="a", on="request", name="X-Early", action="set", value="ours", early=True)
    async with upstream(echoes) as member, serving(replace(site(member.port), headers=(row,))) as proxy:
        _, seen = await get(proxy.port, "/", "X_Early: evil")
        assert b"\r\nX-Early: ours\r\n" in seen
        assert b"evil" not in seen


async def test_a_row_for_a_place_drops_no_names_elsewhere() -> None:
    row = HeaderRule(id="a", on="request", name="X-Key", action="set", value="ours", location="in")
    async with upstream(echoes) as member:
        rules = site(member.port)
        where = Location(id="in", path="/in")
        changed = replace(rules, headers=(row,), locations=(where,))
        async with serving(changed) as proxy:
            assert b"X_Key: theirs" in (await get(proxy.port, "/out", "X_Key: theirs"))[1]
            assert b"theirs" not in (await get(proxy.port, "/in", "X_Key: theirs"))[1]
