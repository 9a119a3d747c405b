"""The page of an error that is a request of its own: a path of the site (Apache's ErrorDocument /path).

As httpd's ``ap_internal_redirect``: the page is fetched by a second flight, with an exchange of its own but no record.
What it brings is the first one's answer: a page, under the first one's status, or a redirect. Where it fails the
built-in page is sent. It never asks for another (``ap_die``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.flight import Flight
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.sides import ClientSide


class PageClient(ClientSide, Protocol):
    """A client connection whose request in flight gives way to the one for its page."""

    flight: Flight | None


@dataclass(slots=True, eq=False)
class PageFlight(Flight):
    """Fetches the page for the error of another."""

    first: Flight = field(kw_only=True)
    """Whose page it fetches."""
    asking: PageClient = field(kw_only=True)
    """The client of both, as one that can go back to the first."""

    def respond(self, status: int, cause: str, moved: bytes = b"") -> None:
        """A redirect is as good as a page; anything else means that there is none."""
        self.drop_upstream()
        if moved:
            self.reply(status, cause, moved)
            return
        self.exchange.cause = cause
        self._hand_back()
        self.first.reply(self.first.exchange.status, self.first.exchange.cause)

    def finished(self, now: float) -> None:
        assert not self.over
        self.first.exchange.status = self.exchange.status
        self._hand_back()
        self.first.finished(now)

    def _hand_back(self) -> None:
        """The page has come, or will not: the rest is the first flight's again."""
        self.over = True
        self.release(monotonic())
        own, exchange = self.exchange, self.first.exchange
        exchange.attempts += own.attempts
        exchange.sent += own.sent
        if own.cause:
            exchange.cause += f"; its page {own.view.target.decode('latin-1')} failed: {own.cause}"
        self.asking.flight = self.first


def fetch(state: ServerState, client: PageClient, path: str) -> bool:
    """Whether another request asks for the page of an error now; the client has what comes of it."""
    first = client.flight
    assert first is not None
    exchange = first.exchange
    try:
        view, fields = client.reader.redirected(exchange, first.fields, path)
    except RefusedRequest:
        return False
    own = Exchange(exchange.rules, view, view.head, exchange.version, exchange.at, monotonic())
    client.flight = page = PageFlight(
        state, client, own, fields, first.may_keep(), first.own_fields, not fields.length,
        page_for=exchange.status, first=first, asking=client,
    )  # fmt: skip
    try:
        page.decide()
    except Exception as error:
        page.broke("asking for the page of an error", error)
    return True
