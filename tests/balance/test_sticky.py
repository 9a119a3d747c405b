"""Reading a session's route and telling about it, as mod_proxy_balancer.c does (get_path_param, get_cookie_param)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.sticky import changed, environment, issued, session_route
from proxy_core.config.model import Sticky
from tests.balance.pools import member, pool_of

BOTH = Sticky(cookie="ID", param="jsid")
SEMICOLON = Sticky(param="jsid", scolonpathdelim=True)
WHOLE = Sticky(cookie="ID", param="jsid", separator="")


@pytest.mark.parametrize(
    ("sticky", "target", "cookies", "route"),
    [
        (BOTH, "/x", "ID=abc.a", "a"),
        (BOTH, "/x", "ID=abc.a.b", "a.b"),
        (BOTH, "/x", "ID=abc", ""),
        (BOTH, "/x", "ID=.a", "a"),
        (BOTH, "/x", "ID=", ""),
        (BOTH, "/x", "", ""),
        (BOTH, "/x", "other=1; ID=x.a", "a"),
        (BOTH, "/x", "other=1,ID=x.a", "a"),
        (BOTH, "/x", "XID=x.b; ID=x.a", "a"),
        (BOTH, "/x", "XID=x.b", ""),
        (BOTH, "/x", "ID =x.a", "a"),
        (BOTH, "/x", "ID=x.a; ID=x.b", "a"),
        (BOTH, "/x", "ID=x.a,y", "a"),
        (BOTH, "/x;jsid=s.a", "", "a"),
        (BOTH, "/x;jsid=s.a?q=1", "", "a"),
        (BOTH, "/x?q=1&jsid=s.a&r=2", "", "a"),
        (BOTH, "/x?xjsid=s.a", "", "a"),
        (BOTH, "/x;jsid=s.a;v=1", "", "a;v=1"),
        (SEMICOLON, "/x;jsid=s.a;v=1", "", "a"),
        (BOTH, "/x;jsid=s.a", "ID=s.b", "a"),
        (BOTH, "/x?jsid=", "ID=s.b", "b"),
        (BOTH, "/x?jsid=s", "ID=s.b", ""),
        (WHOLE, "/x", "ID=a", "a"),
        (WHOLE, "/x", "ID=s.a", "s.a"),
        (Sticky(param="jsid"), "/x", "jsid=s.a", ""),
        (Sticky(cookie="ID", separator="!"), "/x", "ID=s.x!a", "a"),
    ],
)
def test_the_route_of_a_request(sticky: Sticky, target: str, cookies: str, route: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\nCOOKIE: {cookies}\r\n\r\n"
    assert session_route(sticky, target.encode(), head.encode()) == route


def test_several_cookie_fields_are_one() -> None:
    assert session_route(BOTH, b"/", b"GET / HTTP/1.1\r\nCookie: a=1\r\nHost: a\r\ncookie: ID=s.a\r\n\r\n") == "a"


@given(st.sampled_from([BOTH, SEMICOLON, WHOLE]), st.text("/?&;=.,ID jsa\xe9", max_size=40), st.text("ID=.;, a\xe9"))
def test_no_request_breaks_the_reading(sticky: Sticky, target: str, cookies: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nCookie: {cookies}\r\n\r\n".encode("latin-1")
    assert "=" not in session_route(sticky, b"", head) or "=" in cookies
    session_route(sticky, target.encode("latin-1"), head)


def test_an_issued_cookie_is_read_back_as_the_members_route() -> None:
    for sticky in (
        Sticky(cookie="ID", issue=True),
        Sticky(cookie="ID", issue=True, separator="", secure=True, http_only=False, same_site="None", path="/app"),
    ):
        pool = pool_of({"a": member(0), "b": member(1, route="r")}, sticky=sticky)
        for each, route in zip(pool.members, ("a", "r"), strict=True):
            name, _, value = issued(pool, each).partition(b": ")
            assert name == b"Set-Cookie"
            head = b"GET / HTTP/1.1\r\nCookie: " + value.partition(b";")[0] + b"\r\n\r\n"
            assert session_route(sticky, b"/", head) == route
    assert value == b"ID=r; Path=/app; SameSite=None; Secure"


def test_the_variables_of_a_balanced_request() -> None:
    pool = pool_of({"a": member(0, route="a"), "b": member(1)}, sticky=BOTH)
    a, b = pool.members
    assert environment(pool, a, "a", "/") == {
        "BALANCER_NAME": "balancer://p",
        "BALANCER_WORKER_NAME": "http://127.0.0.1:9000",
        "BALANCER_WORKER_ROUTE": "a",
        "BALANCER_SESSION_STICKY": "ID",
        "BALANCER_SESSION_ROUTE": "a",
    }
    assert environment(pool, b, "a", "/")["BALANCER_ROUTE_CHANGED"] == "1"
    assert environment(pool, a, "", "/")["BALANCER_ROUTE_CHANGED"] == "1"
    assert environment(pool, b, "", "/")["BALANCER_ROUTE_CHANGED"] == "1"
    assert environment(pool, b, "a", "/")["BALANCER_WORKER_ROUTE"] == ""
    assert environment(pool, a, "a", "/x?jsid=s.a")["BALANCER_SESSION_STICKY"] == "jsid"
    assert not changed(pool_of({"a": member(0)}), a, "")
