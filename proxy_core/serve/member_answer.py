"""What the client gets of an upstream's answer: the head written anew, and how its body is framed.

Pure. Hop-by-hop fields are gone already (``runtime.upstreams.answer_head``); here the framing is chosen for the client
at hand (RFC 9112 §6), addresses of upstreams are mapped back to the ones that clients use, and answers that the site
hides are replaced by a page of our own (Apache's ProxyErrorOverride).
"""

from __future__ import annotations

from collections.abc import Callable

from proxy_core.http.statuses import REASONS
from proxy_core.rules.decision import CookieRow, ReverseRow
from proxy_core.rules.routing.reverse import mapped, mapped_cookie
from proxy_core.runtime.upstreams.answer_head import Answer
from proxy_core.serve.own_answer import date, reply


def head(
    answer: Answer,
    *,
    http11: bool,
    head_only: bool,
    keep: bool,
    rows: tuple[ReverseRow, ...] = (),
    base: str = "",
    cookies: tuple[CookieRow, ...] = (),
    change: Callable[[list[bytes]], list[bytes]] | None = None,
    fields: tuple[bytes, ...] = (),
    status: int = 0,
) -> tuple[bytes, bool, bool]:
    """The head for the client; also whether the body is to be chunked, and whether the connection stays open.

    ``rows`` map the upstream's own addresses in Location and the like to ``base``, the ``scheme://host`` in use;
    ``cookies`` do the same in Set-Cookie; ``change`` gives the lines after the site's own edits; ``fields`` are field
    lines of our own, which ``change`` adds itself; ``status`` takes the place of the answer's where it is a page for an
    error.
    """
    lines = [*answer.lines]
    if status:
        lines[0] = b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"Error"))
    for at in answer.addresses if rows else ():
        lines[at] = _mapped(lines[at], rows, base)
    if cookies:
        lines = [_cookie(line, cookies) for line in lines]
    lines = [*lines, *fields] if change is None else change(lines)
    if not answer.dated:
        lines.append(date())
    chunked = False
    if answer.length >= 0:
        if answer.status != 204:
            lines.append(b"Content-Length: %d" % answer.length)
    elif not head_only and answer.status not in (204, 304):  # RFC 9110 §6.4.1: there is a body
        if http11:
            chunked = True
            lines.append(b"Transfer-Encoding: chunked")
        else:
            keep = False
    if not keep:
        lines.append(b"Connection: close")
    elif not http11:
        lines.append(b"Connection: keep-alive")
    lines.append(b"\r\n")
    return b"\r\n".join(lines), chunked, keep


def _mapped(line: bytes, rows: tuple[ReverseRow, ...], base: str) -> bytes:
    name, _, value = line.partition(b":")
    address = value.strip(b" \t").decode("latin-1")
    public = mapped(address, rows, base)
    return line if public == address else b"%b: %b" % (name, public.encode("latin-1", "replace"))


def _cookie(line: bytes, rows: tuple[CookieRow, ...]) -> bytes:
    name, _, value = line.partition(b":")
    if name.lower() != b"set-cookie":
        return line
    cookie = value.strip(b" \t").decode("latin-1")
    public = mapped_cookie(cookie, rows)
    return line if public == cookie else b"%b: %b" % (name, public.encode("latin-1", "replace"))


def override(
    answer: Answer, *, http11: bool, head_only: bool, keep: bool, fields: tuple[bytes, ...] = ()
) -> tuple[bytes, bytes]:
    """Our page in place of an answer of status 400 and above; a 401 keeps its challenges, as in Apache."""
    fields = (*fields, *answer.challenges) if answer.status == 401 else fields
    return reply(answer.status, keep=keep, http11=http11, head_only=head_only, fields=fields)


def switching(answer: Answer) -> bytes:
    """A 101 on its way to the client: the fields of the handshake, and the protocol that was agreed on."""
    return b"\r\n".join((*answer.lines, b"Connection: Upgrade", b"Upgrade: " + answer.upgrade, b"\r\n"))


def interim(answer: Answer) -> bytes:
    """A 1xx answer on its way to the client."""
    reason = REASONS.get(answer.status, b"")
    return b"\r\n".join((b"HTTP/1.1 %d %b" % (answer.status, reason), *answer.lines[1:], b"\r\n"))
