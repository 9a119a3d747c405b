"""Answers of our own: small pages in httpd's shape, with nothing of an upstream in them.

A page says what happened in the words of its status, not why: the cause stands in the request's record, where
operators look and strangers do not. Also the Date that every answer carries (RFC 9110 §6.6.1).
"""

from __future__ import annotations

from html import escape
from math import ceil
from time import time

from msgspec import Struct

from proxy_core.http.dates import http_date
from proxy_core.http.statuses import REASONS
from proxy_core.rules.settings import Settings
from proxy_core.runtime.error_page_files import ErrorFiles
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve import field_edits

_SENTENCES = {
    400: "Your browser sent a request that this server could not understand.",
    401: "This server could not verify that you are authorized to access the document requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser doesn't understand how to supply the credentials "
    "required.",
    403: "You don't have permission to access this resource.",
    404: "The requested URL was not found on this server.",
    405: "The requested method is not allowed for this URL.",
    408: "Server timeout waiting for the HTTP request from the client.",
    410: "The requested resource is no longer available on this server and there is no forwarding address.",
    413: "The requested resource does not allow request data of this size.",
    414: "The requested URL's length exceeds the capacity limit for this server.",
    417: "The expectation given in the Expect request-header field could not be met by this server.",
    429: "The user has sent too many requests in a given amount of time.",
    431: "The header fields of the request are too large for this server.",
    500: "The server encountered an internal error and was unable to complete your request.",
    501: "The server does not support the functionality required to fulfil the request.",
    502: "The proxy server received an invalid response from an upstream server.",
    503: "The server is temporarily unable to service your request. Please try again later.",
    504: "The proxy server did not receive a timely response from an upstream server.",
    505: "The HTTP version of the request is not supported by this server.",
}
_MOVED = dict.fromkeys((301, 302, 307, 308), b"The document has moved") | {
    303: b"The answer to your request is located"
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_date = (0, b"")


def date() -> bytes:
    """The Date field line of this second, without its line end."""
    global _date
    second = int(time())
    if _date[0] != second:
        _date = (second, b"Date: " + http_date(second).encode())
    return _date[1]


def again(seconds: float) -> tuple[bytes, ...]:
    """The Retry-After field (RFC 9110 §10.2.3) of who may come again after so long; no field for 0."""
    return (b"Retry-After: %d" % max(1, ceil(seconds)),) if seconds else ()


def built_in(status: int) -> bytes:
    """The HTML body for a status. Statuses without a sentence of their own say what their class says."""
    reason = REASONS.get(status, b"Error")
    sentence = _SENTENCES.get(status, _SENTENCES[400 if status < 500 else 500]).encode()
    return (
        b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        b"<html><head>\n<title>%d %b</title>\n</head><body>\n<h1>%b</h1>\n<p>%b</p>\n</body></html>\n"
    ) % (status, reason, reason, sentence)


def moved_page(status: int, location: bytes) -> bytes:
    """The body of a redirect, for people whose client does not follow it: httpd's, byte for byte
    (``get_canned_error_string`` in modules/http/http_protocol.c)."""
    reason = REASONS.get(status, b"Error")
    where = escape(location.decode("latin-1"), quote=False).replace('"', "&quot;").encode("latin-1")
    sentence = b'<p>%b <a href="%b">here</a>.</p>\n' % (_MOVED[status], where) if status in _MOVED else b""
    return (
        b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n'
        b"<html><head>\n<title>%d %b</title>\n</head><body>\n<h1>%b</h1>\n%b</body></html>\n"
    ) % (status, reason, reason, sentence)


class Recipient(Struct, frozen=True):
    """What the client that an answer is for can take: HTTP/1.1, a body (not with HEAD), another answer after this."""

    http11: bool
    head_only: bool
    keep: bool


def reply(
    status: int, recipient: Recipient, fields: tuple[bytes, ...] = (), moved: bytes = b"", own: bytes | None = None,
    kind: bytes = b"text/html; charset=utf-8",
) -> tuple[bytes, bytes]:  # fmt: skip
    """Head and body of an answer of our own. ``fields`` are further field lines; ``moved`` is the URL that a redirect
    names, ``own`` the page in place of ours (an empty one is none), whose ``kind`` is b"" where ``fields`` tell it. 2xx
    and 304 answers have no other."""
    body = own or (built_in(status) if status >= 300 and status != 304 else b"")
    if moved:
        fields = (*fields, b"Location: " + moved)
        body, kind = (b"" if status == 304 else moved_page(status, moved)), b"text/html; charset=iso-8859-1"
    lines = [b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"Error")), date(), *fields]
    if status == 405 and not any(line[:6].lower() == b"allow:" for line in fields):
        lines.append(b"Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS")
    if body and kind:
        lines.append(b"Content-Type: " + kind)
    if status not in (204, 304):
        lines.append(b"Content-Length: %d" % len(body))
    if not recipient.keep:
        lines.append(b"Connection: close")
    elif not recipient.http11:
        lines.append(b"Connection: keep-alive")
    lines.append(b"\r\n")
    return b"\r\n".join(lines), b"" if recipient.head_only else body


def own_answer(
    exchange: Exchange, settings: Settings | None, files: ErrorFiles, recipient: Recipient,
    fields: tuple[bytes, ...], moved: bytes = b"",
) -> bytes:  # fmt: skip
    """The answer under ``exchange.status``, whole: the page that the site has for it, be it a text, a file or a URL,
    or the built-in one, or a redirect to ``moved``. The exchange gets the status that it is sent under, and its size.
    """
    status, own, kind = exchange.status, None, b"text/html; charset=utf-8"
    row = settings.page(status) if settings is not None else None
    if row is not None:  # ErrorDocument, as ``ap_die`` has it
        exchange.replaced = status
        if row.url is not None:
            status, moved = 302, row.url.encode("utf-8")
        elif row.path is None:
            own = row.text.encode("utf-8") if row.text is not None else files.get(row.file or "")
    elif exchange.extras is not None and exchange.extras.page is not None:
        page, kind = exchange.extras.page, b""
        fields, own = (*fields, *page.fields), page.body
        exchange.weight += len(own)
    exchange.status = status
    fields = field_edits.replied(settings, exchange, status, fields)
    head, body = reply(status, recipient, fields, moved, own, kind)
    exchange.sent += len(body)
    return head + body
