"""Reading a request: one head in, what rules may know and what is passed on out, or Refused with status and reason.

The head is cut into lines here and judged by a strict parser (``judge``); the two must agree, and what either does
not like is refused (RFC 9112 §3, §5, §6.3, §11.2; RFC 9110 §7.2, §7.6.1). Nothing is repaired. Passed on is what was
read, written anew: hop-by-hop fields left out, one line each of X-Forwarded-For, -Host and -Server at the end, as
httpd's ap_proxy_create_hdrbrgd orders them. Clients repeat their header block on a connection byte for byte, so the
block read last is remembered with what became of it, for as long as the same Terms hold.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy_core.http.headers import (
    REQUEST_KINDS,
    Kind,
    Refused,
    hops_left,
    is_host,
    is_token,
    length_of,
    tokens,
    without,
)
from proxy_core.http.view import NOWHERE, Connection, RequestView
from proxy_core.rules.decision import Trace
from proxy_core.rules.headers import Edits, edited, found
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.changes import moment
from proxy_core.serve.terms import Terms

CHUNKED = -1
"""Length of a body that tells its end itself."""

_TARGET_BYTES = bytes(c for c in range(0x21, 0x100) if c not in (0x23, 0x7F))
_VALUE_BYTES = bytes(c for c in range(0x20, 0x100) if c != 0x7F) + b"\t"
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_PLAIN_LINE = re.compile(rb"([A-Z]+) (/[!\"$-~]*) (HTTP/1\.[01])\r\n").match
"""What nearly every request line looks like; ``request_line`` reads the others, and words what is wrong with them."""
_EXTENSION = re.compile(rb"[A-Z][A-Z_-]*").fullmatch
_NOT_SERVED = frozenset((b"CONNECT", b"PRI", b"TRACE"))
_VERSIONS = {b"HTTP/1.1": True, b"HTTP/1.0": False}


class Hop(NamedTuple):
    """What a connection adds to each of its requests, under the same Terms. ``lines`` are field lines of our own;
    ``edited``: what the client may not say is out already, and what is there now the site's own rules have put."""

    terms: Terms
    client: str
    appends: bool
    scheme: str
    lines: tuple[bytes, ...]
    edited: bool = False

    @property
    def disbelieved(self) -> set[bytes]:
        """Names (lower case) of the fields that this client's word is not taken for."""
        return {*self.terms.own, *(() if self.appends else (b"x-forwarded-proto", b"forwarded"))}


class Fields(NamedTuple):
    """What a block of fields says. ``lines`` is the part that goes upstream, after Host, with the empty line;
    ``length`` is that of the body: 0 for none, CHUNKED; ``keep``: the client leaves its connection open; ``spent``:
    Max-Forwards lets it go no further than here; ``upgrade``: the protocol that it would rather speak, if it asks for
    one as RFC 9110 §7.8 wants it asked."""

    host: bytes
    lines: bytes
    length: int
    http11: bool
    keep: bool
    expect: bool
    spent: bool = False
    upgrade: bytes = b""


class Reader:
    """Reads the heads of one connection and remembers the last block of fields."""

    __slots__ = ("_block", "_changed", "_connection", "_fields", "_hop", "_lines", "client", "scheme")

    def __init__(self, client: str, connection: Connection = NOWHERE, lines: tuple[bytes, ...] = ()) -> None:
        """``lines`` are field lines that go upstream with each request, whatever the client sends."""
        self.client = client
        self.scheme = "https" if connection.tls else "http"
        self._lines = lines
        self._connection = connection
        self._block = b""
        self._changed: tuple[Edits, Fields, Fields] | None = None
        self._fields: Fields | None = None
        self._hop: Hop | None = None

    def read(self, head: bytes, terms: Terms) -> tuple[RequestView, Fields]:
        """``head`` is whole, from the request line to the empty line. Raises Refused."""
        plain = _PLAIN_LINE(head)
        authority = b""
        if plain is not None and plain.end() <= terms.limits.request_line:
            method, target, version = plain.groups()
            block = head[plain.end(2) + 1 :]
            if method in _NOT_SERVED:
                raise Refused(405, f"{method.decode()} is not served")
        else:
            cut = head.find(b"\r\n")
            method, target, version = request_line(head[:cut], terms.limits.request_line)
            if target[:1] != b"/":
                target, authority = _other_form(method, target, self.scheme.encode())
            block = head[cut - len(version) :]
        hop = self._hop
        if hop is None or hop.terms is not terms:
            hop = self._hop = Hop(terms, self.client, terms.appends(self.client), self.scheme, self._lines)
            self._block = b""
        if block == self._block and not authority and self._fields is not None:
            fields = self._fields
        else:
            fields = read_fields(block, _VERSIONS[version], authority, hop)
            if fields.spent:
                # httpd's ap_proxy_http_handler: OPTIONS is answered here, everything else is a mistake.
                if method != b"OPTIONS":
                    raise Refused(400, "Max-Forwards is 0: the request may go no further than here")
                target = b"*"
            elif not authority:
                self._block, self._fields = block, fields
        return RequestView(method, target, fields.host, self.client, self.scheme, head, self._connection), fields

    def changed(self, fields: Fields, edits: Edits, exchange: Exchange, trace: Trace | None = None) -> Fields:
        """The fields of the request that was read last, after the edits; read anew, so that nothing goes on that could
        not have come in. Raises Refused."""
        if trace is None and self._changed is not None and self._changed[0] is edits and self._changed[1] is fields:
            return self._changed[2]
        hop = self._hop
        assert hop is not None
        lines = without(exchange.view.head.split(b"\r\n")[1:-2], hop.disbelieved)
        for at in found(lines, b"host") if fields.host else ():
            lines[at] = b"Host: " + fields.host
        now = moment(exchange, version=exchange.version, trusted=hop.appends)
        block = b"\r\n".join([b"", *edited(edits.request, lines, now, trace), b"", b""])
        made = read_fields(block, fields.http11, b"", hop._replace(terms=hop.terms.under(edits), edited=True))
        if edits.steady_request:
            self._changed = edits, fields, made
        return made


def ascii_line(head: bytes) -> bytes:
    """The head with bytes above 0x7F in its request line percent-encoded: httpd takes them for what they encode, and
    the strict parser must be shown the same bytes that are read here."""
    cut = head.find(b"\r\n")
    line = head[:cut]
    return _HIGH_BYTE.sub(lambda high: b"%%%02X" % high[0][0], line) + head[cut:]


def guessed(data: bytes, reader: Reader) -> RequestView:
    """Method and target of a request that was refused, as far as its first line gives them away; for the record."""
    line = data[:256].split(b"\r\n")[0].split(b"\n")[0]
    method, _, rest = line.partition(b" ")
    return RequestView(method[:32], rest.partition(b" ")[0], b"", reader.client, reader.scheme)


def request_line(line: bytes, most: int = 8190) -> tuple[bytes, bytes, bytes]:
    """Method, target and version of a request line of at most ``most`` bytes (RFC 9112 §3). Raises Refused."""
    if len(line) > most:
        raise Refused(414, f"the request line is longer than {most} bytes", "request_line")
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Refused(400, "the request line is not a method, a target and a version, each one space apart")
    method, target, version = parts
    if not is_token(method):
        raise Refused(400, "the method is not a token")
    if not _EXTENSION(method):
        raise Refused(501, "methods are upper-case letters")
    if version not in _VERSIONS:
        raise Refused(505 if _VERSION.fullmatch(version) else 400, "the version is neither HTTP/1.1 nor HTTP/1.0")
    if not target or target.translate(None, _TARGET_BYTES):
        raise Refused(400, "the request target holds a byte that no target may hold")
    if method in _NOT_SERVED:
        raise Refused(405, f"{method.decode()} is not served")
    return method, target, version


def _other_form(method: bytes, target: bytes, own: bytes) -> tuple[bytes, bytes]:
    """Origin-form and authority of a target that does not begin with a slash (RFC 9112 §3.2)."""
    if target == b"*":
        if method != b"OPTIONS":
            raise Refused(400, "only OPTIONS may ask for *")
        return target, b""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() != own:
        raise Refused(400, f"the request target is neither a path nor an {own.decode()} URL")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not is_host(authority):
        raise Refused(400, "the authority of the request target is not a host and port")
    return (path if path[:1] == b"/" else b"/" + path), authority


def read_fields(block: bytes, http11: bool, authority: bytes, hop: Hop) -> Fields:
    """Read a block of field lines; what stands before its first line end is not looked at. Raises Refused."""
    lines = block[:-4].split(b"\r\n")
    limits = hop.terms.limits
    if len(lines) > limits.fields + 1:
        raise Refused(431, f"there are more than {limits.fields} header fields", "fields")
    longest = limits.field
    out: list[bytes] = []
    special: dict[int, list[bytes]] = {}
    spent = False
    kinds = REQUEST_KINDS
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Refused(400, "a header line has no colon")
        if len(line) > longest:
            raise Refused(431, f"a header field is longer than {longest} bytes", "field")
        if value.translate(None, _VALUE_BYTES):
            raise Refused(400, "a header field holds a control character")
        kind = kinds[name]
        if kind == Kind.PASS:
            out.append(line)
        elif kind == Kind.HOPS:
            if kind in special:
                raise Refused(400, "there are several Max-Forwards fields")
            left = hops_left(value.strip(b" \t"))
            spent = left < 0
            special[kind] = [value]
            out.append(b"Max-Forwards: %d" % left)
        elif kind != Kind.DROP:
            special.setdefault(kind, []).append(value.strip(b" \t"))
    host = _host(special.get(Kind.HOST, []), http11)
    if authority:
        host = authority
    length = _length(special, http11)
    close = not http11
    named: set[bytes] = set()
    if Kind.CONNECTION in special:
        named = tokens(special[Kind.CONNECTION])
        close = b"close" in named or (not http11 and b"keep-alive" not in named)
        out = without(out, named - {b"close", b"keep-alive"})
    upgrade = b""
    if Kind.UPGRADE in special:
        # Whether it is granted or not: the next bytes may be of another protocol.
        close = True
        if http11 and length == 0 and b"upgrade" in named and len(special[Kind.UPGRADE]) == 1:
            upgrade = special[Kind.UPGRADE][0]
    expect = special.get(Kind.EXPECT, [])
    if any(value.lower() != b"100-continue" for value in expect):
        raise Refused(417, "the only expectation that is met is 100-continue")
    if length == CHUNKED:
        out.append(b"Transfer-Encoding: chunked")
    elif Kind.LENGTH in special:
        out.append(b"Content-Length: %d" % length)
    if hop.terms.own and not hop.edited:
        out = without(out, set(hop.terms.own))
    out += hop.lines if not hop.edited else without([*hop.lines], {line.partition(b":")[0].lower() for line in out})
    out += _forwarded(special, host, hop)
    out.append(b"\r\n")
    awaits = bool(expect) and http11 and length != 0
    return Fields(host, b"\r\n".join(out), length, http11, not close, awaits, spent, upgrade)


def _forwarded(special: dict[int, list[bytes]], host: bytes, hop: Hop) -> list[bytes]:
    """The lines that say who asks. X-Forwarded-Proto and Forwarded are httpd's business only where it copies them; it
    writes neither, so under ``append`` they stay as they came."""
    out = []
    for name, kind, own in (
        (b"For", Kind.FORWARDED_FOR, hop.client.encode() if hop.terms.adds else b""),
        (b"Host", Kind.FORWARDED_HOST, host if hop.terms.adds else b""),
        (b"Server", Kind.FORWARDED_SERVER, hop.terms.server if hop.terms.adds else b""),
    ):
        values = [value for value in special.get(kind, ()) if value] if hop.appends else []
        if own:
            values.append(own)
        if values:
            out.append(b"X-Forwarded-%b: %b" % (name, b", ".join(values)))
    kept = special if hop.appends or hop.edited else {}
    protos = [] if hop.terms.append or not hop.terms.adds else [hop.scheme.encode()]
    out += [b"X-Forwarded-Proto: " + value for value in kept.get(Kind.FORWARDED_PROTO, protos)]
    elements = kept.get(Kind.FORWARDED, [])
    if hop.terms.standard:
        elements = [*elements, _element(host, hop)]
    return [*out, b"Forwarded: " + b", ".join(elements)] if elements else out


def _element(host: bytes, hop: Hop) -> bytes:
    """This hop, as RFC 7239 §4 writes it: an IPv6 address stands in brackets and quotes."""
    node = f'"[{hop.client}]"' if ":" in hop.client else hop.client or "unknown"
    said = b';host="%b"' % host if host else b""
    return f"for={node}".encode() + said + b";proto=" + hop.scheme.encode()


def _host(values: list[bytes], http11: bool) -> bytes:
    if not values:
        if http11:
            raise Refused(400, "there is no Host field")
        return b""
    if len(values) > 1 or not is_host(values[0]):
        raise Refused(400, "there are several Host fields" if len(values) > 1 else "Host is not a host and port")
    return values[0]


def _length(special: dict[int, list[bytes]], http11: bool) -> int:
    """The length of the body (RFC 9112 §6.3), refusing whatever two readers might understand differently."""
    lengths, codings = special.get(Kind.LENGTH), special.get(Kind.CODING)
    if codings is not None:
        if lengths is not None:
            raise Refused(400, "both Content-Length and Transfer-Encoding are there")
        if not http11:
            raise Refused(400, "Transfer-Encoding does not exist in HTTP/1.0")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Refused(501, "the only transfer coding that is read is chunked, once")
        return CHUNKED
    if lengths is None:
        return 0
    if len(lengths) > 1:
        raise Refused(400, "there are several Content-Length fields")
    try:
        return length_of(lengths[0])
    except ValueError as error:
        raise Refused(400, str(error)) from error
