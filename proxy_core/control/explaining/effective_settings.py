"""What holds for a decided request besides where it goes, for people: what rows of [[headers]] do to it and to its
answer, which page of the site an error gets, and the options in force with the place where each was said.

The edits are those that serve, done once more with a Trace: on the request by the reader that the front uses, on the
answer where one is known. Nothing is sent, and nothing that serves is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import ErrorPage, Host, Location, Route, Site
from proxy_core.control.view import Setting
from proxy_core.errors import Address
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.view import RequestView
from proxy_core.rules.decision import BoundRoute, Decision, Forward, Redirect, Respond, Step, Trace
from proxy_core.rules.fields.edit_trace import awaited
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve import field_edits
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.request_head import RequestReader


class Held(NamedTuple):
    """``decision`` is another than before where the site's own edits make a request that is refused; ``fields`` are
    those that go upstream."""

    decision: Decision
    fields: RequestFields
    steps: Trace


def asked_by(view: RequestView, site: Site) -> Trace:
    """How it is known who asks, where that is not who connected."""
    peer = view.connection.peer
    if peer in ("", view.client):
        return []
    why = f"{peer} is a proxy that is believed, and says that {view.client} asks"
    return [Step(("site", "client_header"), "match", f"{site.site.client_header}: {why}")]


def before(exchange: Exchange, reader: RequestReader, fields: RequestFields, steps: Trace) -> RequestFields:
    """The fields after what is done before the rules; the exchange gets the view that these see. Raises Refused."""
    early = exchange.rules.program.early(exchange.view)
    if early is not None:
        exchange.view, fields = reader.early(fields, early, exchange, steps)
    return fields


def held(exchange: Exchange, decision: Decision, reader: RequestReader, fields: RequestFields) -> Held:
    """What the settings of the site do to a request that ``reader`` has just read. An answer is known where the
    exchange has a status."""
    steps: Trace = []
    if not isinstance(decision, Forward | Redirect | Respond):
        return Held(decision, fields, steps)
    settings = exchange.rules.program.settings(exchange.view, decision)
    if settings is None:
        return Held(decision, fields, steps)
    if isinstance(decision, Forward) and settings.edits.requests:
        try:
            fields = reader.changed(fields, settings.edits, exchange, steps)
        except RefusedRequest as refused:
            why = f"the site's header rules make a request that is refused: {refused.why}"
            decision = Respond(500, None, why, decision.extras)
    own = 0 if isinstance(decision, Forward) else decision.status
    _answer(exchange, settings, own, steps)
    steps += _pages(exchange, settings, own)
    return Held(decision, fields, steps)


def _answer(exchange: Exchange, settings: Settings, own: int, steps: Trace) -> None:
    """``own`` is the status that the proxy answers with itself, 0 where a member is asked."""
    if exchange.answer and not _hidden(exchange):
        if exchange.status != 101:
            field_edits.answered(settings, exchange, exchange.answer.split(b"\r\n")[:-2], (), steps)
    elif own or exchange.status:
        field_edits.replied(settings, exchange, exchange.status or own, (), steps)
    else:
        steps += map(awaited, (*settings.edits.always, *settings.edits.response))


def _hidden(exchange: Exchange) -> bool:
    """Whether the member's answer was not passed on, but a page of ours."""
    route, status = exchange.route, int(exchange.answer[9:12] or b"0")
    return exchange.status != status or (route is not None and route.hides(status))


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


def options(site: Site, route: BoundRoute, member: BoundMember | None, steps: Trace) -> tuple[Setting, ...]:
    """The options that hold for a forwarded request, each from where it was said last: the site, its host, the route, a
    location of those that ``steps`` found to hold, the member."""
    said: list[tuple[Address, Host | Route | Location]] = []
    own = [row for row in site.routes if route.rows == "routes" and row.id == route.id]
    places = {row.id: row for row in site.locations}
    said += [(step.address, site.hosts[step.address[-1]]) for step in steps if step.address[0] == "hosts"]
    said += [(("routes", row.id), row) for row in own]
    holding = [step.address for step in steps if step.address[0] == "locations" and step.verdict == "match"]
    said += [(address, places[address[-1]]) for address in holding]

    def source(name: str) -> Address:
        return next((at for at, row in reversed(said) if getattr(row, name, None) not in (None, (), "")), ("site",))

    timeout, at = route.timeout, source("timeout")
    if member is not None and member.member.timeout:
        timeout, at = member.member.timeout, ("balancers", member.key.balancer, "members", member.key.member)
    chosen = next((codes for _, row in reversed(said) if (codes := getattr(row, "override_codes", ()))), ())
    chosen = chosen or site.site.override_codes
    codes = f" for {', '.join(chosen)}" if chosen and route.error_override else ""
    found = [
        ("timeout", f"{timeout:g} s", at),
        ("error_override", _switch(route.error_override) + codes, source("error_override")),
        ("preserve_host", _switch(route.preserve_host), source("preserve_host")),
    ]
    if route.max_body is not None:
        found.append(("max_body", f"{route.max_body} bytes" if route.max_body else "any", source("max_body")))
    if route.nocanon:
        found.append(("nocanon", "true", ("routes", route.id)))
    if route.mapping != "decoded":
        found.append(("mapping", route.mapping, ("routes", route.id)))
    if route.upgrades:
        found.append(("upgrade", b", ".join(sorted(route.upgrades)).decode(), ("routes", route.id)))
    return tuple(Setting(name=name, value=value, address=address) for name, value, address in found)


def _switch(on: bool) -> str:
    return "true" if on else "false"
