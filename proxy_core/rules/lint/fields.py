"""What is wrong with [[headers]], [[expires]], [[reverse]] and [[errors]].

A row may name what is not there, may not compile, or may meddle with what the proxy writes itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from proxy_core.config.model import ErrorPage, ExpiryRule, HeaderRule, Host, Location, ReverseRule, Route, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.hop_by_hop import FRAMING
from proxy_core.http.statuses import error_statuses
from proxy_core.http.target import balancer
from proxy_core.rules.expression.evaluation import ExprError
from proxy_core.rules.fields.apply_edits import line
from proxy_core.rules.fields.edit_scope import NEVER
from proxy_core.rules.fields.edits import compile_edit
from proxy_core.rules.lint.problems import each_refused, error, missing, unknown, warning
from proxy_core.rules.routing.prefixes import collapsed, takes
from proxy_core.rules.text.pattern import PatternError

_TARGET = re.compile(r"/[!-~]*(?<!#)").fullmatch
_FINDS = ("edit", "edit*", "echo")


def lint_headers(site: Site) -> Iterator[Problem]:
    owners: list[tuple[Address, Route | Host | Location]] = [(("routes", row.id), row) for row in site.routes]
    owners += [(("hosts", name), host) for name, host in site.hosts.items()]
    owners += [(("locations", row.id), row) for row in site.locations]
    yield from _statuses(("site", "override_codes"), site.site.override_codes)
    for address, owner in owners:
        yield from _statuses((*address, "override_codes"), owner.override_codes or ())
    named: dict[str, Collection[str]] = {
        "host": site.hosts,
        "route": {row.id: None for row in site.routes},
        "location": {row.id: None for row in site.locations},
    }
    for rows, lint in (("headers", _header), ("expires", _expiry), ("reverse", _reverse), ("errors", _page)):
        for row in getattr(site, rows):
            for key, known in named.items():
                yield from missing((rows, row.id), key, getattr(row, key, ""), known)
            yield from lint(site, (rows, row.id), row)


def _header(site: Site, address: Address, row: HeaderRule) -> Iterator[Problem]:
    if row.action in ("echo", "note") and row.on == "request":
        yield error((*address, "action"), f"{row.action} is for answers", "choose another action")
    if row.action == "note" and not row.value:
        yield error((*address, "value"), "the note has no name", 'add value = "…"')
    if row.early:
        yield from _early(address, row)
    if row.action != "echo" and not row.name:
        yield error(address, "the row does not name a field", 'add name = "…"')
    elif row.name.lower().encode() in FRAMING:
        what = f"{row.name} says where a message ends or what becomes of the connection: the proxy writes it itself"
        yield error((*address, "name"), what, "name another field, or delete the row")
    elif row.on == "request" and row.name.lower() == "host" and row.action not in ("set", "edit", "edit*"):
        yield error((*address, "name"), "a request has exactly one Host", "set it, or edit it")
    if (row.action in _FINDS) != bool(row.pattern):
        what = f"{row.action} needs a pattern" if row.action in _FINDS else f"{row.action} takes no pattern"
        yield error((*address, "pattern"), what, 'add pattern = "…"' if row.action in _FINDS else "delete it")
    if row.action == "unset" and row.value:
        yield warning((*address, "value"), "unset takes no value", "delete it")
    if row.env and row.expr:
        yield error((*address, "env"), "the row has two conditions", "put both into expr: reqenv('NAME') =~ /./ && …")
    try:
        edit = compile_edit(row)
    except PatternError as wrong:
        yield error((*address, "pattern"), f"{wrong} (at character {wrong.position + 1})", "correct it")
    except ExprError as wrong:
        key = "expr" if row.expr and wrong.args and not row.value.startswith("expr=") else "value"
        yield error((*address, key), str(wrong), "correct the expression")
    except ValueError as wrong:
        yield error((*address, "value"), str(wrong), "write %% for a percent sign")
    else:
        if edit.steady and row.action not in ("unset", "edit", "edit*") and line(b"x", edit.value(NEVER)) is None:
            yield error((*address, "value"), "the value holds a control character", "no field can carry it: remove it")


def _early(address: Address, row: HeaderRule) -> Iterator[Problem]:
    where = (*address, "early")
    if row.on != "request":
        yield error(where, "an answer is not there before the rules", "delete early")
    elif row.name.lower() == "host":
        yield error(where, "hosts are told apart by Host, which cannot change before", "delete early")
    for key in ("route", "location", "env", "expr"):
        if getattr(row, key):
            yield error((*address, key), f"before the rules nothing is known of {key}", f"delete {key}, or early")


def _expiry(site: Site, address: Address, row: ExpiryRule) -> Iterator[Problem]:
    said = [site.site.expires_active, *(host.expires_active for host in site.hosts.values())]
    if not any((*said, *(place.expires_active for place in site.locations))):
        todo = "add expires_active = true to [site], a host or a location"
        yield warning(address, "the row acts nowhere: expires_active is true nowhere", todo)


def _reverse(site: Site, address: Address, row: ReverseRule) -> Iterator[Problem]:
    named = balancer(row.internal)
    if row.kind != "location":
        return
    if named is not None and named[0] not in site.balancers:
        yield unknown((*address, "internal"), "balancer", named[0], site.balancers)
    elif named is None and "://" not in row.internal and not row.internal.startswith("/"):
        todo = 'write "http://host:port/path", "/path" or "balancer://name"'
        yield error((*address, "internal"), f'"{row.internal}" is neither a URL nor a path', todo)
    if "://" not in row.public and not row.public.startswith("/"):
        yield error((*address, "public"), f'"{row.public}" is neither a path nor a URL', "begin it with a slash")


def _statuses(address: Address, said: Sequence[str]) -> Iterator[Problem]:
    return each_refused(address, "name statuses from 400 to 599", error_statuses, said)


def _nobody(site: Site, address: Address, row: ErrorPage) -> Iterator[Problem]:
    """A page whose path leads nowhere, as far as that can be told from prefixes."""
    roots = (site.site.document_root, *(host.document_root for host in site.hosts.values()))
    if row.path is None or site.rewrites or any(roots):
        return
    path = row.path.partition("?")[0].encode("latin-1", "replace")
    routes = [each for each in site.routes if each.enabled and not (each.except_ or each.location)]
    if not any(each.path is None or takes(collapsed(each.path.encode("latin-1", "replace")), path) for each in routes):
        what = f"no route takes {row.path}, so its page is never had"
        yield warning(address, what, "add a route for it, or a document_root, or give the page as text or file")


def _page(site: Site, address: Address, row: ErrorPage) -> Iterator[Problem]:
    yield from _statuses((*address, "status"), row.status)
    if not row.status:
        yield error((*address, "status"), "the row is for no status", 'add status = ["503"]')
    given = [key for key in ("text", "file", "path", "url", "builtin") if getattr(row, key) not in (None, False)]
    if len(given) != 1:
        what = f"the row has both {given[0]} and {given[1]}" if given else "the row does not say what clients get"
        yield error(address, what, "give it one of text, file, path, url and builtin")
    if row.path is not None and not _TARGET(row.path):
        yield error((*address, "path"), f'"{row.path}" is no path as requests spell it', "write %20 for a blank")
    if row.url is not None and line(b"Location", row.url) is None:
        yield error((*address, "url"), "the URL holds a control character", "remove it")
    elif row.url is not None and "://" not in row.url:
        yield error((*address, "url"), f'"{row.url}" is no URL', 'write "https://host/path"')
    yield from _nobody(site, (*address, "path"), row)
