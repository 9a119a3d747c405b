"""What holds for a decided request besides where it goes, for people.

That is what rows of [[headers]] do to its answer, which page of the site an error gets, and the options in force with
the place where each is set. The edits are those that serve, done once more with a Trace. Nothing is sent, and nothing
that serves is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import ErrorPage, FileTypes, Host, Location, Route, Site
from proxy_core.control.explaining.coding_of_answer import coded
from proxy_core.control.question import Setting
from proxy_core.errors import Address
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import readable
from proxy_core.rules.decision import BoundRoute, Forward, Redirect, Respond, Step, Trace
from proxy_core.rules.fields.edit_trace import awaited
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve import field_edits
from proxy_core.serve.file_types import described
from proxy_core.serve.shadowed_request import uncopied
from proxy_core.serve.way import Way


def asked_by(view: RequestView, site: Site) -> Trace:
    """How the client is known, where it is not the peer that connected."""
    peer = view.connection.peer
    if peer in ("", view.client):
        return []
    who = f"{view.client} asks" if view.client else "somebody asks whose name is no address: the client is unknown"
    why = f"{peer} is a proxy that is believed, and says that {who}"
    return [Step(("site", "client_header"), "match", f"{site.site.client_header}: {why}")]


def of_answer(exchange: Exchange, way: Way) -> Trace:
    """What the settings of the site do to the answer: to the one that came, where there is one, else to the one that
    the proxy gives itself. ``exchange`` stays as it is."""
    settings, decision = way.settings, way.decision
    if settings is None:
        return _of_shadow(way)
    own = 0 if isinstance(decision, Forward) else decision.status
    again = replace(exchange, view=way.view, host=way.host, extras=decision.extras, notes={**(way.notes or {})})
    steps, lines = coded(again, way) if not _hidden(exchange) else ([], [])
    return [*_of_shadow(way), *steps, *_fields(again, settings, own, lines), *_pages(again, settings, own)]


def _of_shadow(way: Way) -> Trace:
    """Whether a copy of the request may be made."""
    route = way.decision.route
    if not isinstance(way.decision, Forward) or route is None or route.shadow is None:
        return []
    address, shadow = ("routes", route.id, "shadow"), route.shadow
    if why := uncopied(way.view.method, way.fields):
        return [Step(address, "skipped", f"it is not copied to {shadow.pool}: {why}")]
    return [Step(address, "match", f"{100 * shadow.share:g} % of such requests are copied to {shadow.pool}")]


def _fields(exchange: Exchange, settings: Settings, own: int, lines: list[bytes]) -> Trace:
    """``own`` is the status that the proxy answers with itself, 0 where a member is asked; ``lines`` are those of the
    member's answer."""
    steps: Trace = []
    if exchange.answer and not _hidden(exchange):
        if exchange.status != 101:
            field_edits.answered(settings, exchange, lines, (), steps)
    elif own or exchange.status:
        field_edits.replied(settings, exchange, exchange.status or own, (), steps)
    else:
        dates = settings.edits.expiry.values()
        steps += (Step(("expires", row.id), "skipped", f"for {row.type or 'any type'}: in the answer") for row in dates)
        steps += map(awaited, (*settings.edits.always, *settings.edits.response))
    return steps


def _hidden(exchange: Exchange) -> bool:
    """Whether the member's answer was not passed on, but a page of ours."""
    route, status = exchange.route, int(exchange.answer[9:12] or b"0")
    return bool(exchange.answer) and (exchange.status != status or (route is not None and route.hides(status)))


def _pages(exchange: Exchange, settings: Settings, own: int) -> Iterator[Step]:
    used = settings.pages.get(exchange.replaced or own)
    for row in {page.id: page for page in settings.pages.values()}.values():
        what = f"for {', '.join(row.status)}: {_page(row)}"
        yield Step(("errors", row.id), "match" if row is used else "skipped", what)


def _page(row: ErrorPage) -> str:
    for kind, said in (("file", row.file), ("what is at", row.path), ("sent to", row.url)):
        if said is not None:
            return f"{kind} {said}"
    return "a text"


def options(
    site: Site, host: str, decision: Forward | Redirect | Respond, member: BoundMember | None, kept: str = ""
) -> tuple[Setting, ...]:
    """The options that hold for a request that a route takes, each from where it is set last: the site, its host, the
    route, a location that holds, the member. ``kept``: what the cache makes of it, in words, "" where it has none."""
    route = decision.route
    if route is None:
        return ()
    of_host = [(("hosts", host), site.hosts[host])] if host else []
    of_route = [(("routes", row.id), row) for row in site.routes if route.rows == "routes" and row.id == route.id]
    locations = {row.id: row for row in site.locations}
    of_locations = [(("locations", id), locations[id]) for id in decision.sections]
    places: list[tuple[Address, Host | Route | Location]] = [*of_host, *of_route, *of_locations]

    def source(name: str) -> Address:
        unsaid = (None,) if name in FOLDERS else (None, (), "")
        return next((at for at, row in reversed(places) if getattr(row, name, None) not in unsaid), ("site",))

    timeout, at = route.timeout, source("timeout")
    if member is not None and member.member.timeout:
        timeout, at = member.member.timeout, ("balancers", member.key.balancer, "members", member.key.member)
    chosen = next((codes for _, row in reversed(places) if (codes := getattr(row, "override_codes", ()))), ())
    chosen = chosen or site.site.override_codes
    codes = f" for {', '.join(chosen)}" if chosen and route.error_override else ""
    found = [
        ("timeout", f"{timeout:g} s", at),
        ("error_override", _switch(route.error_override) + codes, source("error_override")),
        ("preserve_host", _switch(route.preserve_host), source("preserve_host")),
    ]
    service = next((row.forward_auth for _, row in reversed(of_locations) if row.forward_auth), "")
    if service in site.forward_auth:
        found.append(("forward_auth", service, source("forward_auth")))
    if kept:
        found.append(("cache", kept, source("cache")))
    if route.max_body is not None:
        found.append(("max_body", f"{route.max_body} bytes" if route.max_body else "any", source("max_body")))
    if route.nocanon:
        found.append(("nocanon", "true", ("routes", route.id)))
    if route.mapping != "decoded":
        found.append(("mapping", route.mapping, ("routes", route.id)))
    if route.upgrades:
        found.append(("upgrade", b", ".join(sorted(route.upgrades)).decode(), ("routes", route.id)))
    if route.folder:
        found += [(name, shown, source(name)) for name in FOLDERS if (shown := _spelled(getattr(route, name)))]
        tables: list[tuple[Address, FileTypes | None]] = [(("file_types",), site.file_types)]
        tables += [((*at, "file_types"), row.file_types) for at, row in places if not isinstance(row, Route)]
        found += _of_name(tables, decision)
    if member is not None and member.upstream.tls is not None:
        found.append(("upstream_tls", *_tls(host, route, member)))
    return tuple(Setting(name=name, value=value, address=address) for name, value, address in found)


def _tls(host: str, route: BoundRoute, member: BoundMember) -> tuple[str, Address]:
    """How TLS is spoken with a member, in words, and the table that says so."""
    of_balancer: Address = ("balancers", member.key.balancer)
    settings, at = next(
        (tls, address)
        for tls, address in (
            (member.member.tls, (*of_balancer, "members", member.key.member, "tls")),
            (member.tls, (*of_balancer, "tls")),
            (route.tls, ("hosts", host, "upstream_tls")),
            (member.upstream.tls, ("upstream_tls",)),
        )
        if tls is not None
    )
    name = settings.server_name or ("the client's Host" if route.preserve_host else member.upstream.host)
    looks = {
        "authority": settings.verify,
        "name": settings.verify if settings.check_name is None else settings.check_name,
        "time": settings.verify or settings.check_expiry,
    }
    checks = ", ".join(what for what, looked_at in looks.items() if looked_at) or "nothing"
    return f"{name} is asked for; of the certificate is checked: {checks}", at


FOLDERS = ("directory_index", "fallback_resource", "autoindex", "index_ignore", "follow_links")
"""Options of folders that are served."""


def _spelled(value: tuple[str, ...] | str | bool) -> str:
    return _switch(value) if isinstance(value, bool) else value if isinstance(value, str) else ", ".join(value)


def _of_name(
    tables: Iterable[tuple[Address, FileTypes | None]], decision: Forward | Redirect | Respond
) -> Iterator[tuple[str, str, Address]]:
    """What these tables, each over those before it, say of the name of the file that answers."""
    name = readable(decision.target.partition(b"?")[0]) if isinstance(decision, Forward) else ""
    types, plain = FileTypes(), described(name, FileTypes())
    found, at = plain, None
    for address, own in tables:
        types = types.under(own)
        its = described(name, types)
        if its != found:
            found, at = its, address
    if at is not None and found != plain:
        yield "file_types", "; ".join(filter(None, (found.type or "no type", found.encoding, found.language))), at


def _switch(on: bool) -> str:
    return "true" if on else "false"
