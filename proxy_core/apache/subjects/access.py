"""Who may ask: Require with its groups (mod_authz_core, mod_authz_host). Users are in ``users``, Order and Allow in
``access_compat``.

In, a section's conditions become the ``require`` of its row in [[locations]], its groups tables of [access]. What
cannot be said here closes what it guarded: a condition that was to keep people out never lets them in by being lost.
Out, what a site says of itself and of its hosts becomes a <Location /> in front, and addresses that it denies a
condition of every place. Where that cannot be, no files are served.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec.structs import replace

from proxy_core.apache.draft import CLOSED, OPEN, PLACES, AccessGroup, DraftRow, DraftSection, SiteDraft, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, check, rest, section, word
from proxy_core.apache.options import Handler, first
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import access_compat, forward_auth, users
from proxy_core.config.model import Access, Host, Location, Options, Site
from proxy_core.rules.access.authorization import words

_OF_TLS = {"ssl": "%{HTTPS} == 'on'", "ssl-verify-client": "%{SSL:SSL_CLIENT_VERIFY} == 'SUCCESS'"}
"""Conditions of mod_ssl as expressions."""

_KINDS = {"all", "ip", "local", "host", "forward-dns", "method", "env", "expr", "user", "valid-user", *_OF_TLS}
_FILLED_IN = {"host", "forward-dns", "user"}
"""Conditions whose words are an expression to httpd."""


def require(context: ImportContext, directive: Directive) -> None:
    """Require [not] kind word …"""
    words = list(directive.args)
    negated = words[:1] == ["not"]
    alias = context.draft.providers.get(words[-1].lower())
    if alias is not None:
        words = [*words[:-1], *alias.split()]
    kind = words[1 if negated else 0].lower()
    filled = kind in _FILLED_IN and any("%{" in word for word in words)
    if kind not in _KINDS or filled:
        refuses = context.group is not None and context.group.match == "none"
        add(context, directive, OPEN if refuses else CLOSED)
        what, todo = kind + " of an expression" * filled, forward_auth.remedy(kind)
        raise Unsupported(f"{what} cannot be asked here, so nobody is let in by it{f': {todo}' * bool(todo)}")
    if kind == "forward-dns":  # httpd takes what is behind a # for a comment
        words = " ".join(words).partition("#")[0].split()
    shown = alias if alias is not None else " ".join(map(_quoted, words[1 if negated else 0 :]))
    if kind == "expr" and alias is None:
        shown = "expr " + _bare(rest(directive.raw, 2 if negated else 1))
    elif kind in _OF_TLS:
        shown = f"expr {_OF_TLS[kind]}"
    add(context, directive, ("not " if negated else "") + shown)


def add(context: ImportContext, directive: Directive, condition: str | AccessGroup) -> None:
    """One more condition of the group or section at hand; what is said in a <Limit> is for its methods alone."""
    group = context.group or context.asked(directive)
    group.origins.append(directive)
    if context.method and context.group is None and context.section is not None:
        context.section.limits.append(context.method)
        condition = AccessGroup("all", [context.method, condition])
    group.conditions.append(condition)


def _quoted(word: str) -> str:
    """A word of a condition, quoted where it would be taken for several or none."""
    return '"' + re.sub(r"([\"\\])", r"\\\1", word) + '"' if re.search(r"[\s\"']", word) or not word else word


def _bare(expression: str) -> str:
    quoted = re.fullmatch(r"\"((?:[^\"\\]|\\.)*)\"", expression)
    return re.sub(r"\\([\"\\])", r"\1", quoted[1]) if quoted else expression


def _origins(group: AccessGroup) -> list[Directive]:
    """The directives of a group and of those within."""
    within = [origin for each in group.conditions if isinstance(each, AccessGroup) for origin in _origins(each)]
    return list(dict.fromkeys([*group.origins, *within]))


def finished(context: ImportContext) -> None:
    """A section is over: what it said of access goes to its row."""
    section = context.section
    if section is None:
        return
    if section.closed:
        context.draft.close(context.server, context.where(section), section.directive)
    whole = access_compat.joined(section)
    if whole is not None:
        section.said = whole.origins = _origins(whole)
        context.server.guarded.append(section)
        row = context.location()
        row.content["require"] = _named(context, section, whole)
        if section.merging != "off":
            row.content["merging"] = section.merging
        row.origins += whole.origins


def _named(context: ImportContext, section: DraftSection, group: AccessGroup) -> list[str]:
    """The conditions of a group, those below it as tables with names."""
    found: list[str] = []
    for condition in group.conditions:
        if isinstance(condition, str):
            found.append(condition)
            continue
        if condition.match == "any" and (group.match == "any" or len(condition.conditions) == 1):
            found += _named(context, section, condition)
            continue
        accesses = context.draft.accesses
        stem = re.sub(r"[^A-Za-z0-9]+", "-", section.argument).strip("-").lower() or "root"
        name = unique(stem, accesses)
        accesses[name] = DraftRow({}, condition.origins)
        accesses[name].content.update({"match": condition.match, "require": _named(context, section, condition)})
        found.append(f"access {name}")
    return found


def merging(context: ImportContext, directive: Directive) -> None:
    """AuthMerging Off|And|Or"""
    word = first(directive).lower()
    if context.section is None or word not in ("off", "and", "or"):
        raise Unsupported("it is Off, And or Or, in a section")
    context.section.merging = word


def shut(test: str, loss: str = "") -> Handler:
    """A directive that keeps out what an expression holds for, beside all that Require says anywhere."""

    def handler(context: ImportContext, directive: Directive) -> None:
        context.fence(context.section_only())
        context.shut(directive, test)
        if loss:
            context.lose(loss)

    return handler


def allow_methods(context: ImportContext, directive: Directive) -> None:
    """AllowMethods reset|method …"""
    context.fence(context.section_only())
    row = context.location()
    methods = [each for each in row.content.get("methods", []) if each != "*"]
    for method in directive.args:  # each adds to those before it
        methods = [] if method.lower() == "reset" else [*methods, method]
    row.content["methods"] = list(dict.fromkeys(methods)) or ["*"]
    row.origins.append(directive)


HANDLERS = {
    "require": require,
    "authmerging": merging,
    "sslrequiressl": shut("%{HTTPS} != 'on'"),
    "sslrequire": shut(
        "%{HTTPS} == 'on'",
        "its expressions are of another language: write Require expr; until then nobody may over TLS",
    ),
    "allowmethods": allow_methods,
}


def group(match: Literal["any", "all", "none"]) -> Callable[[ImportContext, Directive], ImportContext]:
    """<RequireAny> and its like."""

    def handler(context: ImportContext, directive: Directive) -> ImportContext:
        context.section_only()
        made = AccessGroup(match, [])
        add(context, directive, made)
        return dataclasses.replace(context, group=made)

    return handler


def limited(context: ImportContext, directive: Directive) -> ImportContext:
    """<Limit> and <LimitExcept>: what is said in them of access is for some methods."""
    method = ("not method " if directive.key == "limitexcept" else "method ") + " ".join(directive.args)
    return dataclasses.replace(context, method=method)


def provider_alias(context: ImportContext, directive: Directive) -> None:
    """<AuthzProviderAlias provider name arguments>: a condition under another name."""
    kind, name, *words = (*directive.args, "", "")
    context.draft.providers[name.lower()] = " ".join([kind, *words]).strip()


SECTIONS = {
    "requireall": group("all"),
    "requireany": group("any"),
    "requirenone": group("none"),
    "limit": limited,
    "limitexcept": limited,
    "authzprovideralias": provider_alias,
}


def open_to_all(draft: SiteDraft) -> None:
    """Where nothing keeps anybody out, "all granted" says nothing: such conditions go, and rows that said no more."""
    rows = (row for server in draft.servers() for row in server.locations)
    keeps = any(row.content.get("require", [OPEN]) != [OPEN] for row in rows) or draft.accesses
    used = {
        row.content.get("location")
        for server in draft.servers()
        for rows in (server.headers, server.expires, server.errors, server.reverse, server.inner, server.sent,
                     server.env)
        for row in rows
    }  # fmt: skip
    for server in draft.servers():
        for row in server.locations if not keeps else ():
            row.content.pop("require", None)
        server.locations = [
            row for row in server.locations if row.content.keys() - PLACES or row.content.get("id") in used
        ]


def plain(site: Site, lose: Lose) -> Site:
    """Access as Apache can say it."""
    for row in site.locations:
        if row.final and not _shut(row):
            lose(("locations", row.id, "final"), "Apache lays later sections over it, and those of later kinds")
    site = _without_empty(_denied(_in_places(site, lose)))
    restricts = any(set(row.require) - {OPEN} for row in site.locations)
    locations = [row if restricts else replace(row, require=()) for row in site.locations]
    asks = restricts and any(
        kind in ("user", "valid-user") for row in locations for kind in _flat(site.access, row.require)
    )
    locations = [row if asks else replace(row, auth="") for row in locations]
    asked, headers = users.asked(replace(site, locations=tuple(locations)))
    names = {name for row in locations for name in _tables(site.access, row.require)}
    return replace(
        site,
        locations=tuple(replace(row, merging=row.merging if row.require else "off") for row in locations),
        headers=headers,
        access={name: group for name, group in site.access.items() if name in names},
        auth={name: replace(each, user_header="", hide=False) for name, each in site.auth.items() if name in asked},
    )


def _in_places(site: Site, lose: Lose) -> Site:
    """What is said of the site and of hosts becomes a location in front of the others: "/", or the target "*" where
    targets have conditions of their own, which "/" would take the place of."""
    by_target = any(row.target and (row.require or row.auth) for row in site.locations)
    guarded: list[tuple[str, Options | Host]] = [("", site.site), *site.hosts.items()]
    rows: list[Location] = []
    names = [row.id for row in site.locations]
    for host, options in guarded:
        if options.require or options.auth or (not host and site.site.deny):
            names.append(unique(f"{host or 'site'}-all", names))
            row = Location(id=names[-1], host=host, require=options.require, auth=options.auth)
            rows.append(replace(row, target="*") if by_target else replace(row, path="/"))
    files = bool(site.site.document_root) or any(row.folder for row in site.routes)
    if by_target and rows and files:
        lose(("site", "require"), "where targets have conditions of their own, Apache asks those of the site for what "
             "is forwarded alone, so no files are served")  # fmt: skip
        hosts = {name: replace(host, document_root=None) for name, host in site.hosts.items()}
        routes = tuple(row for row in site.routes if not row.folder)
        site = replace(site, routes=routes, hosts=hosts, site=replace(site.site, document_root=""))
    return replace(
        site,
        locations=(*rows, *site.locations),
        site=replace(site.site, require=(), auth=""),
        hosts={name: replace(host, require=(), auth="") for name, host in site.hosts.items()},
    )


def _denied(site: Site) -> Site:
    """Addresses that the site denies are kept out of every place."""
    if not site.site.deny:
        return site
    access = dict(site.access)
    locations: list[Location] = []
    for row in site.locations:
        first = not locations
        if (row.require or first) and not _shut(row):
            wanted = row.require or (OPEN,)
            if len(wanted) > 1:
                name = unique(f"{row.id}-some", access)
                access[name] = Access(require=wanted)
                wanted = (f"access {name}",)
            name = unique(f"{row.id}-denied", access)
            access[name] = Access(match="all", require=(*wanted, f"not ip {' '.join(site.site.deny)}"))
            row = replace(row, require=(f"access {name}",))
        locations.append(row)
    return replace(site, site=replace(site.site, deny=()), access=access, locations=tuple(locations))


def _without_empty(site: Site) -> Site:
    """Groups of nothing are left out: they say nothing, and where nothing else is said nobody is let in."""
    empty = {name for name, group in site.access.items() if not group.require}

    def some(texts: tuple[str, ...]) -> tuple[str, ...]:
        kept = tuple(_QUOTED.sub(r"\1(\2)", text) for text in texts if _table(text) not in empty)
        return kept or ((CLOSED,) if texts else ())

    return replace(
        site,
        access={name: replace(group, require=some(group.require)) for name, group in site.access.items()},
        locations=tuple(replace(row, require=some(row.require)) for row in site.locations),
    )


_QUOTED = re.compile(r"((?:not )?expr )([\"'].*)", re.DOTALL)
"""An expression that begins with a quote, of which httpd would take the quotes off."""


def _table(text: str) -> str:
    """The table of [access] that a condition names, "" for none."""
    kind, _, name = text.strip().partition(" ")
    return name.strip() if kind.lower() == "access" else ""


def _tables(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    """The tables that conditions name, and those that these name."""
    for name in filter(None, map(_table, texts)):
        yield name
        yield from _tables(access, access[name].require)


def _flat(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    """The kinds of all conditions."""
    for text in texts:
        if name := _table(text.removeprefix("not ")):
            yield from _flat(access, access[name].require)
        else:
            yield text.removeprefix("not ").split()[0].lower()


def lines(site: Site, row: Location) -> Lines:
    """What a section says of access. Raises Unsayable."""
    merging = [f"AuthMerging {row.merging.title()}"] * (row.merging != "off" and bool(row.require))
    methods = " ".join("reset" if each == "*" else each for each in row.methods)
    allowed = [f"AllowMethods {methods}"] * bool(methods)
    asked = ["Deny from all"] if _shut(row) else _conditions(site.access, row.require)
    return [*users.lines(site, row), *allowed, *merging, *asked]


def _shut(row: Location) -> bool:
    """Whether nobody is let in, whatever later sections require: Order, Allow and Deny hold beside Require."""
    return row.final and row.require == (CLOSED,)


_SECTIONS = {"any": "RequireAny", "all": "RequireAll", "none": "RequireNone"}


def _conditions(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    for text in texts:
        negated, bare = text.strip().lower().startswith("not "), re.sub(r"(?i)^\s*not\s+", "", text)
        if name := _table(bare):
            group = access[name]
            inside = section(_SECTIONS[group.match], "", _conditions(access, group.require))
            yield from section("RequireNone", "", inside) if negated else inside
            continue
        kind, _, tail = bare.strip().partition(" ")
        start = f"Require {'not ' * negated}{kind.lower()}"
        if kind.lower() == "expr":  # the rest of the line as it stands: it is no word, so no quotes go round it
            check(tail)
            yield f"{start} {tail}"
        else:
            yield " ".join([start, *map(word, words(tail))])
