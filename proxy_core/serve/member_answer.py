"""What the client gets of an upstream's answer: the head written anew, and how its body is framed.

Pure. Hop-by-hop fields are gone already (``runtime.upstreams.response_head``). Here the framing is chosen for the
client at hand (RFC 9112 §6), addresses of upstreams are mapped back to the ones that clients use, and answers that the
site hides are replaced by a page of our own (Apache's ProxyErrorOverride).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from proxy_core.http import content_coding
from proxy_core.http.content_coding import CodingChoice, Offer
from proxy_core.http.request_view import RequestView
from proxy_core.http.statuses import REASONS
from proxy_core.http.syntax import without
from proxy_core.rules.decision import BoundRoute, CookieRow, ReverseRow
from proxy_core.rules.fields.edit_scope import found
from proxy_core.rules.routing.reverse import mapped, mapped_cookie
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.bound_listener import HSTS
from proxy_core.serve.builtin_pages import Recipient, date

_HSTS_NAME: Final = HSTS.rstrip(b": ").lower()

_CLOSE: Final = b"Connection: close\r\n\r\n"
"""The last line of a head, and its end."""

Change = Callable[[list[bytes]], list[bytes]]


class Reverse(Struct, frozen=True):
    """What maps the upstream's own addresses back: ``rows`` in Location and the like, to ``base``, the
    ``scheme://host`` in use; ``cookies`` in Set-Cookie."""

    rows: tuple[ReverseRow, ...] = ()
    cookies: tuple[CookieRow, ...] = ()
    base: str = ""


NOT_REVERSED: Final = Reverse()


def own_base(view: RequestView, route: BoundRoute, server_name: str) -> str:
    """``scheme://host`` for addresses of our own: the host that the client used, in lower case as in httpd, or the one
    that counts in its place."""
    canonical = route.canonical.removesuffix(":443" if view.scheme == "https" else ":80")
    return f"{view.scheme}://{canonical or view.host.decode('latin-1').lower() or server_name}"


def choice(offer: Offer, exchange: Exchange, answer: Answer) -> CodingChoice:
    """Which coding an answer gets. Where the site edits Accept-Encoding, what it makes of it counts, as in httpd; but
    not what this proxy itself asks members for. What is kept was asked of nobody, so the client's own word counts."""
    view, extras = exchange.view, exchange.extras
    told = view.head if offer.ask_identity else exchange.forwarded or view.head
    asked = content_coding.asked(view.head, told, view.env if extras is None else extras.env)
    return content_coding.choice(offer, asked, answer.status, answer.lines, answer.length)


def coded(answer: Answer, found: CodingChoice, length: int) -> Answer:
    """The answer as it is where a choice is carried out, with a body of so many bytes."""
    made = Answer(answer.raw, answer.status, content_coding.fields(found, answer.lines))
    made.length, made.dated, made.challenges = length, answer.dated, answer.challenges
    addresses = [answer.lines[at] for at in answer.addresses]
    made.addresses = [at for at, line in enumerate(made.lines) if at and line in addresses]
    return made


def head(
    answer: Answer, recipient: Recipient, back: Reverse = NOT_REVERSED, change: Change | None = None,
    fields: tuple[bytes, ...] = (), status: int = 0,
) -> tuple[bytes, bool, bool]:  # fmt: skip
    """The head for the client; also whether the body is to be chunked, and whether the connection stays open.

    ``change`` gives the lines after the site's own edits; ``fields`` are field lines of our own, which ``change`` adds
    itself; ``status`` takes the place of the answer's where it is a page for an error.
    """
    keep = recipient.keep
    lines = [*answer.lines]
    if status:
        lines[0] = b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"Error"))
    for at in answer.addresses if back.rows else ():
        lines[at] = _changed(lines[at], lambda address: mapped(address, back.rows, back.base))
    for at in found(lines, b"set-cookie") if back.cookies else ():
        lines[at] = _changed(lines[at], lambda cookie: mapped_cookie(cookie, back.cookies))
    secured = bool(fields) and any(field.startswith(HSTS) for field in fields)
    if secured:  # RFC 6797 §7.1: once, and the listener's word is the one that counts
        lines = [lines[0], *without(lines[1:], {_HSTS_NAME})]
    lines = [*lines, *fields] if change is None else change(lines)
    for at in reversed(found(lines, _HSTS_NAME)[1:]) if secured else ():
        del lines[at]
    if not answer.dated:
        lines.append(date())
    chunked = False
    if answer.length >= 0:
        if answer.status != 204:
            lines.append(b"Content-Length: %d" % answer.length)
    elif not recipient.head_only and answer.status not in (204, 304):  # RFC 9110 §6.4.1: there is a body
        if recipient.http11:
            chunked = True
            lines.append(b"Transfer-Encoding: chunked")
        else:
            keep = False
    if not keep:
        lines.append(b"Connection: close")
    elif not recipient.http11:
        lines.append(b"Connection: keep-alive")
    lines.append(b"\r\n")
    return b"\r\n".join(lines), chunked, keep


def closing(kept: bytes) -> bytes:
    """A head for a client of HTTP/1.1 whose connection stays, as it is where the connection ends with the answer."""
    return kept[:-2] + _CLOSE


def lasting(closed: bytes) -> bytes:
    """The same the other way round."""
    return closed.removesuffix(_CLOSE) + b"\r\n"


def _changed(line: bytes, change: Callable[[str], str]) -> bytes:
    name, _, value = line.partition(b":")
    before = value.strip(b" \t").decode("latin-1")
    after = change(before)
    return line if after == before else b"%b: %b" % (name, after.encode("latin-1", "replace"))


def switching(answer: Answer) -> bytes:
    """A 101 on its way to the client: the fields of the handshake, and the protocol that was agreed on."""
    return b"\r\n".join((*answer.lines, b"Connection: Upgrade", b"Upgrade: " + answer.upgrade, b"\r\n"))


def interim(answer: Answer) -> bytes:
    """A 1xx answer on its way to the client."""
    reason = REASONS.get(answer.status, b"")
    return b"\r\n".join((b"HTTP/1.1 %d %b" % (answer.status, reason), *answer.lines[1:], b"\r\n"))
