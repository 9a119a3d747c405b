"""What lines are made for: a host of the site as one listener reaches it; and the ways out of it that every row shares.

Rules decide by variables of the transaction: ``txn.lane`` that the request goes down the lane, ``txn.be`` the backend
that has it ("-": nobody, which is 404) and ``txn.r`` the row that sent it there. What goes down the lane is not looked
at any further and not changed, so rproxy decides it from the beginning. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from proxy_core.config.model import Options
from proxy_core.errors import Address
from proxy_core.haproxy.words import Hand, HandOver, Lines, fixed, joined, quoted
from proxy_core.http.statuses import REASONS
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.program import Program
from proxy_core.rules.settings import Settings

OPEN = "!{ var(txn.be) -m found }"
"""The condition that no row has taken the request yet."""
LEAVE = "http-request allow if { var(txn.lane) -m found }"
"""No rule behind this one is for what goes down the lane."""


class HostPart(Struct, frozen=True):
    """A host as a listener reaches it."""

    program: Program
    """The compiled rules of the site."""
    rules: HostRules
    """Those of the host, or of the server."""
    whole: Options
    """[site], without what the host says itself."""
    required: tuple[str, ...]
    """Who may ask where no location says otherwise; none where nothing is said."""
    located: frozenset[str]
    """The ids of [[locations]] that rows of other lists are for."""
    secure: bool
    """Whether the listener speaks TLS."""
    body: int
    """The bytes that a body may have where nobody says otherwise, 0 for any number."""
    page: Callable[[str, str], str]
    """The name of the file that holds a page: of an id of [[errors]], and the text or the name of the file."""
    hand: Hand
    """Is told what goes down the lane."""
    folder: Path
    """The folder that files of the site are relative to."""
    table: Callable[[str], tuple[str, dict[str, str]]]
    """The file that HAProxy reads for a text map, and its entries. Raises HandOver for maps of other kinds."""
    known: frozenset[str] = frozenset()
    """The variables that rows of [[env]] set and HAProxy knows for sure, by their names in lower case."""

    @property
    def when(self) -> str:
        """The condition that a request is the host's, "" where there are no hosts."""
        return f"{{ var(txn.vh) -m str -- {quoted(self.rules.name)} }}" if self.rules.name else ""

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"

    def settings(self, route: str = "") -> Settings | None:
        """The rows of [[headers]], [[errors]] and [[reverse]] that hold for a route where no location has any."""
        scopes = self.program.scopes
        return None if scopes is None else scopes.find(self.rules.name, route)


def lane(part: HostPart, address: Address, why: str, *conditions: str) -> Lines:
    """The lines that send requests of a host down the lane."""
    part.hand(address, why)
    return [f"http-request set-var(txn.lane) bool(true){joined(part.when, *conditions)}", LEAVE]


def answer(part: HostPart, status: int, *conditions: str, route: str = "") -> Lines:
    """The lines that answer a status, with the site's page for it. Raises HandOver."""
    return [f"http-request {returned(part, status, route)}{joined(part.when, *conditions)}"]


def returned(part: HostPart, status: int, route: str = "") -> str:
    """The action that answers a status, of requests or of answers. Raises HandOver."""
    settings = part.settings(route)
    row = settings.page(status) if settings is not None else None
    if row is not None and row.url is not None:
        return f"return status 302 hdr location {quoted(fixed(row.url))}"
    return f"return status {status} {page(part, status, route)}"


def page(part: HostPart, status: int, route: str = "") -> str:
    """The page for a status, as HAProxy names it. Raises HandOver for one that is another request, or a redirect."""
    settings = part.settings(route)
    row = settings.page(status) if settings is not None else None
    if row is None:
        return plain_page(status)
    if row.text is not None:
        return f"content-type text/html file {quoted(part.page(row.id, row.text))}"
    if row.file is not None:
        return f"content-type text/html file {quoted(str((part.folder / row.file).absolute()))}"
    raise HandOver(f"the page for {status} is a request of its own (errors {row.id})")


def plain_page(status: int) -> str:
    text = f"<!DOCTYPE html><title>{status} {REASONS.get(status, b'Error').decode()}</title>"
    return f"content-type text/html string {quoted(text)}"
