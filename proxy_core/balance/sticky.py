"""Sticky sessions: the route that a request carries, the cookie that gives it one, and the variables about it.

Reading is httpd's (``find_session_route``, ``get_path_param`` and ``get_cookie_param`` in mod_proxy_balancer.c),
accidents included, for applications have grown round them: the parameter is looked for anywhere in the target, before
the cookie; the route is what stands behind the first separator. The variables are those that httpd sets on a balanced
request. Pure, and run for balancers with ``sticky`` alone.
"""

from __future__ import annotations

import re

from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.config.model import Sticky

_COOKIES = re.compile(rb"\ncookie[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_BLANKS = " \t\n\v\f\r"


def session_route(sticky: Sticky, target: bytes, head: bytes) -> str:
    """The route that a request's session names, "" for none. ``target`` is the one that goes upstream, ``head`` the
    request's head as it came."""
    value = session(sticky, target, head)
    return value.partition(sticky.separator)[2] if sticky.separator else value


def session(sticky: Sticky, target: bytes, head: bytes) -> str:
    """What a request names its session, route and all; "" for none."""
    value = parameter(sticky, target.decode("latin-1")) if sticky.param else ""
    if not value and sticky.cookie:
        value = cookie(sticky.cookie, b"; ".join(_COOKIES.findall(head)).decode("latin-1"))
    return value


def parameter(sticky: Sticky, target: str) -> str:
    """The value of the parameter, wherever its name stands; "" for none."""
    ends = "?&;" if sticky.scolonpathdelim else "?&"
    name = f"{sticky.param}="
    at = target.find(name)
    while at >= 0:
        rest = target[at + len(name) :]
        if rest:
            return re.split(f"[{ends}]", rest.lstrip(ends), maxsplit=1)[0]
        at = target.find(name, at + 1)
    return ""


def cookie(name: str, cookies: str) -> str:
    """The value of a cookie in the Cookie field, up to a semicolon or comma; "" for none."""
    at = cookies.find(name)
    while at >= 0:
        rest = cookies[at + len(name) :].lstrip(_BLANKS)
        if (at == 0 or cookies[at - 1] in ";," + _BLANKS) and len(rest) > 1 and rest[0] == "=":
            return re.split("[;,]", rest[1:], maxsplit=1)[0]
        at = cookies.find(name, at + 1)
    return ""


def issued(pool: Pool, member: BoundMember) -> bytes:
    """The field line that ties a client to a member (RFC 6265 §4.1)."""
    sticky = pool.balancer.sticky
    assert sticky is not None
    flags = [f"{sticky.cookie}={sticky.separator}{member.route}", f"Path={sticky.path}", f"SameSite={sticky.same_site}"]
    flags += ["Secure"] * sticky.secure + ["HttpOnly"] * sticky.http_only
    return f"Set-Cookie: {'; '.join(flags)}".encode("latin-1")


def changed(pool: Pool, member: BoundMember, route: str) -> bool:
    """Whether the member is another than the session's; for a client without a session it is."""
    return pool.balancer.sticky is not None and (not route or route != member.route)


def environment(pool: Pool, member: BoundMember, route: str, target: str) -> dict[str, str]:
    """The BALANCER_* variables of a request for a ``target`` that a member of the pool took; ``route`` is its
    session's. They exist from the election on, so rules for answers see them and rules for requests do not."""
    if pool.direct:
        return {}
    found = {
        "BALANCER_NAME": f"balancer://{pool.name}",
        "BALANCER_WORKER_NAME": member.member.url,
        "BALANCER_WORKER_ROUTE": member.route,
    }
    sticky = pool.balancer.sticky
    if sticky is not None and route:
        by_target = sticky.param and (not sticky.cookie or parameter(sticky, target))
        found["BALANCER_SESSION_STICKY"] = sticky.param if by_target else sticky.cookie
        found["BALANCER_SESSION_ROUTE"] = route
    if changed(pool, member, route):
        found["BALANCER_ROUTE_CHANGED"] = "1"
    return found
