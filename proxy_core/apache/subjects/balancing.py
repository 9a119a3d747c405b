"""mod_proxy_balancer: balancers and their members. How these are checked is in ``health_checks``.

Out, first what Apache says in other words: weights between 1 and 100, sessions that are looked for in cookie and
parameter, whole seconds, checks by an expression; then the lines, by the tables that the importer reads with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.blocks import Block, table
from proxy_core.apache.draft import DraftBalancer, DraftRow, SiteDraft, slug, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, section, word
from proxy_core.apache.options import BALANCER, MEMBER, STICKY, left_over, parameters, span, taken, words
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import health_checks, member_tls
from proxy_core.apache.subjects.listeners import whole_seconds
from proxy_core.config.model import Balancer, HeaderRule, Member, Site, Sticky
from proxy_core.errors import Address


def with_balancers(text: str, names: Mapping[str, str]) -> str:
    """A URL with the balancer that it names under its new name; ``names`` have old ones in lower case or as given."""
    return re.sub(
        r"^balancer://([^/$%{]+)",
        lambda found: f"balancer://{names.get(found[1], names.get(found[1].lower(), found[1]))}",
        text,
        flags=re.IGNORECASE,
    )


def own_balancer(context: ImportContext, directive: Directive, url: str) -> DraftBalancer:
    """The balancer of a balancer:// URL, in the server at hand in any case."""
    name = re.match(r"balancer://([^/$]*)", url, re.IGNORECASE)
    assert name is not None
    origin = context.section.directive if context.section is not None else directive
    return context.server.balancers.setdefault(name[1].lower(), DraftBalancer([origin]))


def without_user(url: str) -> str:
    """A target without the user and password in it: httpd reads past them, and tells no member of them."""
    return re.sub(r"^((?:unix:[^|]*\|)?\w+://)[^/?#]*@", r"\1", url)


def balancer_member(context: ImportContext, directive: Directive) -> None:
    """BalancerMember [balancerurl] url [key=value …]"""
    context.unconditional()
    args = list(directive.args)
    if context.section is not None and context.section.kind == "proxy":
        group = context.section.argument
    else:
        group = args.pop(0) if args else ""
    if not group.lower().startswith("balancer://") or not args:
        raise Unsupported("it belongs to no balancer://")
    url, *rest = args
    url = without_user(url)
    if re.match(r"(?:unix:[^|]*\|)?(?:https?|wss?)://", url, re.IGNORECASE) is None:
        own_balancer(context, directive, group)
        raise Unsupported("members are http, https, ws, wss and unix: URLs")
    given = parameters(rest)
    status, acquire = given.pop("status", ""), given.pop("acquire", "")
    row = {"url": url, **taken(context, given, MEMBER), **flags(context, status)}
    health = health_checks.taken_check(context, given)
    left_over(context, given)
    balancer = own_balancer(context, directive, group)
    if acquire:
        balancer.settings["timeout"] = acquired(acquire)
    if health and balancer.settings.setdefault("health", health) != health:
        context.lose("a balancer has one health check for all its members: its first member's")
    for name in [name for name in ("timeout", "connect_timeout", "ttl") if row.get(name) == 0]:
        del row[name]
    balancer.members.append(DraftRow(row, [directive]))


def acquired(text: str) -> float:
    """Seconds that ``acquire`` says; httpd knows no less than a millisecond, which is as good as at once."""
    waits = span(text, "ms")
    return waits if waits > 0.001 else 0.0


_FLAGS: dict[str, tuple[str, Any]] = {
    "D": ("status", "disabled"),
    "S": ("status", "stopped"),
    "N": ("status", "draining"),
    "H": ("role", "standby"),
    "R": ("role", "spare"),
    "I": ("ignore_errors", True),
}


def flags(context: ImportContext, status: str) -> dict[str, Any]:
    """status=+H-E: each letter sets, or after a minus unsets."""
    found: dict[str, Any] = {}
    sign = "+"
    for letter in status.upper():
        if letter in "+-":
            sign = letter
        elif letter in _FLAGS:
            key, value = _FLAGS[letter]
            if sign == "+":
                found[key] = value
            else:
                found.pop(key, None)
        elif letter not in "EC":
            context.lose(f"the status {letter} is not known")
    return found


def configure(context: ImportContext, directive: Directive, balancer: DraftBalancer, given: dict[str, str]) -> None:
    """Parameters of a balancer."""
    balancer.settings |= taken(context, given, BALANCER)
    if sticky := taken(context, given, STICKY):
        balancer.settings["sticky"] = balancer.settings.get("sticky", {}) | sticky
    left_over(context, given)
    balancer.origins.append(directive)


HANDLERS = {"balancermember": balancer_member}
LOST = {
    "Balancer.queue": "requests wait without end in line",
    "Balancer.slow_start": "Apache gives a member its whole share at once",
    "Balancer.drain_timeout": "Apache gives a member no such time",
    "Balancer.ejection": "Apache knows failonstatus alone",
}


def merged(draft: SiteDraft) -> None:
    """A balancer of the main server holds in hosts, with its members; what a host says of its own by that name is what
    it does with them (``merge_balancers`` in mod_proxy.c)."""
    for server in draft.hosts:
        for name in server.balancers.keys() & draft.main.balancers.keys():
            own, shared = server.balancers[name], draft.main.balancers[name]
            members = [origin for row in own.members for origin in row.origins]
            draft.lose(members, "the server has a balancer of this name, of which httpd takes the members")
            said = {key: value for key, value in own.settings.items() if key != "health"}
            if not said:
                del server.balancers[name]
                continue
            sticky = {"sticky": shared.settings.get("sticky", {}) | said["sticky"]} if "sticky" in said else {}
            own.settings = shared.settings | said | sticky
            own.members = [DraftRow(dict(row.content), row.origins) for row in shared.members]


def name_balancers(draft: SiteDraft) -> None:
    """A balancer of a virtual host keeps its name unless another has it; whatever names it follows."""
    taken: set[str] = set()
    for server in draft.servers():
        names = {name: name for name in draft.main.balancers} if server.name else {}
        for name in list(server.balancers):
            names[name] = unique(slug(name) if slug(name) not in taken else f"{slug(name)}-{server.name}", taken)
            taken.add(names[name])
        for key, rows in (
            ("proxy", (*server.routes, *server.located)), ("substitution", (*server.rewrites, *server.inner)),
            ("internal", server.reverse), ("target", server.locations),
        ):  # fmt: skip
            for row in rows:
                if key in row.content:
                    row.content[key] = with_balancers(row.content[key], names)
        server.balancers = {names[name]: group for name, group in server.balancers.items()}


def balancers(draft: SiteDraft) -> Iterator[Block]:
    """Tables of [balancers]."""
    for server in draft.servers():
        for name, group in server.balancers.items():
            bounded = any(row.content.get("max_connections") for row in group.members)
            settings = {"timeout": _FOR_EVER} | group.settings if bounded else group.settings
            if settings or not group.members:
                yield Block(("balancers", name), settings, tuple(dict.fromkeys(group.origins)))
            taken: set[str] = set()
            for row in group.members:
                member = unique(member_name(row.content["url"]), taken)
                taken.add(member)
                yield table(("balancers", name, "members", member), row)


_FOR_EVER = 86_400
"""Seconds: without ``acquire`` httpd waits for a place as long as it takes; a site cannot say more."""


def member_name(url: str) -> str:
    """A member by host and port, as people call it."""
    authority = re.sub(r"^.*://", "", url.partition("|")[2] or url).partition("/")[0]
    name, _, port = authority.partition(":")
    if name in ("127.0.0.1", "localhost"):
        name = "local"
    short = name.replace(".", "-") if re.fullmatch(r"[\d.]+", name) else name.partition(".")[0]
    return slug(f"{short}-{port}" if port else short)


def plain(site: Site, lose: Lose) -> Site:
    """Balancers in the words of Apache."""
    site = health_checks.heard(site, lose)
    names: dict[str, str] = {}
    for name in site.balancers:
        names[name] = unique(name.lower(), names.values())
    cookies = [_cookie(names[name], group.sticky) for name, group in site.balancers.items()
               if group.sticky is not None and group.sticky.issue]  # fmt: skip

    def renamed(rows: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        return tuple(replace(row, **{key: with_balancers(getattr(row, key) or "", names) or getattr(row, key)})
                     for row in rows)  # fmt: skip

    return replace(
        site,
        balancers={names[name]: _group(site, name, group, lose) for name, group in site.balancers.items()},
        headers=(*cookies, *site.headers),
        routes=renamed(site.routes, "proxy"),
        rewrites=renamed(site.rewrites, "substitution"),
        reverse=renamed(site.reverse, "internal"),
        locations=renamed(site.locations, "target"),
    )


def _group(site: Site, name: str, group: Balancer, lose: Lose) -> Balancer:
    at: Address = ("balancers", name)
    if group.method in ("latency", "hash") or (group.method == "heartbeat" and site.heartbeat is None):
        why = "nobody hears reports" if group.method == "heartbeat" else "Apache has no such method"
        lose((*at, "method"), f"{why}: members take turns (byrequests)")
        group = replace(group, method="byrequests")
    sticky = _sticky(at, group.sticky, lose)
    issues = group.sticky is not None and group.sticky.issue
    members = {key: _member(site, (*at, "members", key), key, member, issues, lose)
               for key, member in group.members.items()}  # fmt: skip
    return replace(
        group,
        key="%{REMOTE_ADDR}",
        sticky=sticky,
        timeout=_whole((*at, "timeout"), group.timeout, lose) or 0.0,
        failonstatus=_numbers(group.failonstatus),
        health=health_checks.plain((*at, "health"), group.health, lose) if members else None,
        members=_once(at, _weighed(at, members, lose), lose),
    )


def _sticky(at: Address, sticky: Sticky | None, lose: Lose) -> Sticky | None:
    """``stickysession=name`` looks in the parameter as well as in the cookie; that one of them is not to be looked at
    cannot be said. The cookie is issued by a row of [[headers]]."""
    if sticky is None:
        return None
    if not sticky.cookie and not sticky.param:
        lose((*at, "sticky"), "it names neither cookie nor parameter")
        return None
    cookie, param = sticky.cookie or sticky.param, sticky.param or sticky.cookie
    return Sticky(
        cookie=cookie, param=param, separator=sticky.separator, scolonpathdelim=sticky.scolonpathdelim,
        nofailover=sticky.nofailover,
    )  # fmt: skip


def _cookie(name: str, sticky: Sticky) -> HeaderRule:
    """mod_proxy_balancer's manual issues the cookie so."""
    flags = "; Secure" * sticky.secure + "; HttpOnly" * sticky.http_only
    return HeaderRule(
        id=f"{name}-session",
        action="add",
        name="Set-Cookie",
        value=f"{sticky.cookie}={sticky.separator}%{{BALANCER_WORKER_ROUTE}}e; Path={sticky.path}"
        f"; SameSite={sticky.same_site}{flags}",
        expr=f"reqenv('BALANCER_ROUTE_CHANGED') == '1' && reqenv('BALANCER_NAME') == 'balancer://{name}'",
    )


def _member(site: Site, at: Address, key: str, member: Member, issues: bool, lose: Lose) -> Member:
    if member.weight * 100 < 1 and member.status == "enabled":  # no turns, but its sessions: that is draining
        member = replace(member, status="draining")
    if member.weight * 100 < 1:
        member = replace(member, weight=1.0)
    upgrade = member.upgrade
    if len(upgrade) > 1:
        lose((*at, "upgrade"), "Apache takes one protocol, or ANY")
        upgrade = upgrade[:1]
    return replace(
        member,
        route=member.route or key * issues,
        retry=_whole((*at, "retry"), member.retry, lose) or 0.0,
        timeout=_whole((*at, "timeout"), member.timeout, lose),
        ttl=_whole((*at, "ttl"), member.ttl, lose),
        connect_timeout=member.connect_timeout or connect_timeout(site),
        upgrade=upgrade,
    )


def connect_timeout(site: Site) -> float | None:
    """The site's own where it says one: Apache has it by member."""
    return None if site.site.connect_timeout == type(site.site)().connect_timeout else site.site.connect_timeout


def _weighed(at: Address, members: Mapping[str, Member], lose: Lose) -> dict[str, Member]:
    """Weights in the same proportion between 1 and 100, with two decimals."""
    least = min((member.weight for member in members.values()), default=1.0)
    factor = 1 / least if least < 1 else 1.0
    found = {}
    for key, member in members.items():
        weight = min(round(member.weight * factor, 2), 100.0)
        if abs(weight - member.weight * factor) > 0.005 * factor:
            lose((*at, "members", key, "weight"), "Apache's weights are 1 to 100, with two decimals")
        found[key] = replace(member, weight=weight)
    return found


def _once(at: Address, members: Mapping[str, Member], lose: Lose) -> dict[str, Member]:
    found: dict[str, Member] = {}
    urls: set[str] = set()
    for key, member in members.items():
        if member.url in urls:
            lose((*at, "members", key), "Apache takes two members with one URL for one")
            continue
        urls.add(member.url)
        found[key] = member
    return found


def _whole(at: Address, seconds: float | None, lose: Lose) -> float | None:
    """Whole seconds."""
    if seconds is None or seconds == round(seconds):
        return seconds
    made = whole_seconds(seconds)
    lose(at, f"Apache counts whole seconds: {made:g}")
    return made


def _numbers(statuses: tuple[str, ...]) -> tuple[str, ...]:
    """Statuses one by one: Apache has no ranges."""
    found: list[str] = []
    for each in statuses:
        first, _, last = each.partition("-")
        found += map(str, range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(found))


_STATUS = {"enabled": "", "draining": "+N", "disabled": "+D", "stopped": "+S"}
_ROLE = {"regular": "", "standby": "+H", "spare": "+R"}


def lines(site: Site) -> Lines:
    """The balancers. Raises Unsayable."""
    return [line for name, group in site.balancers.items() for line in spelled(site, (name, group), Path())]


def spelled(site: Site, named: tuple[str, Balancer], folder: Path) -> Lines:
    """A balancer with its name. Raises Unsayable."""
    name, group = named
    above, check = health_checks.spelled(name, group.health)
    members = [
        " ".join(
            [
                "BalancerMember",
                word(each.url),
                *words(MEMBER, each, Member(url=each.url)),
                *_acquire(group, each),
                *_status(each),
                *check,
            ]
        )
        for each in group.members.values()
    ]
    settings = [*words(BALANCER, group, Balancer()), *_session(group.sticky)]
    if settings or not members:
        members.append(" ".join(["ProxySet", *(settings or ["lbmethod=byrequests"])]))
    members += member_tls.lines(group.tls)
    return [*above, *section("Proxy", word(f"balancer://{name}"), members)]


def _acquire(group: Balancer, member: Member) -> list[str]:
    waits = bool(member.max_connections) and group.timeout < _FOR_EVER
    return [f"acquire={max(1, round(group.timeout * 1000))}"] * waits


def _status(member: Member) -> list[str]:
    flags = _STATUS[member.status] + _ROLE[member.role] + "+I" * member.ignore_errors
    return [f"status={flags}"] * bool(flags)


def _session(sticky: Sticky | None) -> list[str]:
    if sticky is None:
        return []
    both = sticky.cookie if sticky.cookie == sticky.param else f"{sticky.cookie}|{sticky.param}"
    return [word(f"stickysession={both}"), *words(STICKY, sticky, Sticky())]


SPELL = {"balancers": spelled}
