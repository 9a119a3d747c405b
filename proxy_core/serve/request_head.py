"""Reads the head of a request: makes the RequestView that rules see and the RequestFields that go upstream.

The head is cut into lines here, and ``strict_parser`` judges it. The two must agree; what either does not like is
refused, never repaired (RFC 9112 §3, §5). ``request_fields`` says what the fields mean. Clients repeat their blocks of
fields byte for byte, so a block is read once: ``known_blocks`` remembers what became of it.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import NOWHERE, Connection, RequestView
from proxy_core.http.syntax import is_host, is_token, without
from proxy_core.rules.decision import NO_EXTRAS, Trace
from proxy_core.rules.fields.apply_edits import edited, joined, without_twins
from proxy_core.rules.fields.edit_scope import found
from proxy_core.rules.fields.edits import Edits
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.client_address import Naming, named
from proxy_core.serve.client_policy import ClientPolicy
from proxy_core.serve.field_edits import EditBasis, moment
from proxy_core.serve.forwarded_fields import Hop, believed
from proxy_core.serve.known_blocks import NO_BLOCK, KnownBlock, KnownBlocks
from proxy_core.serve.request_fields import RequestFields, read_fields

_TARGET_BYTES = bytes(c for c in range(0x21, 0x100) if c not in (0x23, 0x7F))
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_PLAIN_LINE = re.compile(rb"([A-Z]+) (/[!\"$-~]*) (HTTP/1\.[01])\r\n").match
"""What nearly every request line looks like; ``request_line`` reads the others, and words what is wrong with them."""
_EXTENSION = re.compile(rb"[A-Z][A-Z_-]*").fullmatch
_NOT_SERVED = frozenset((b"CONNECT", b"PRI", b"TRACE"))
_VERSIONS = {b"HTTP/1.1": True, b"HTTP/1.0": False}


class RequestReader:
    """Reads the heads of one connection. ``peer`` is who connected, ``client`` who asks in the request that was read
    last: where proxies name clients, it may be another one each time. ``known`` is its block of fields."""

    __slots__ = ("_blocks", "_changed", "_connection", "_hop", "_lines", "client", "known", "peer", "scheme")

    def __init__(
        self,
        peer: str,
        connection: Connection = NOWHERE,
        lines: tuple[bytes, ...] = (),
        blocks: KnownBlocks | None = None,
    ) -> None:
        """``lines`` are field lines that go upstream with each request, whatever the client sends; ``blocks`` are what
        connections share."""
        self.peer = self.client = peer
        self.scheme = "https" if connection.tls else "http"
        self.known = NO_BLOCK
        self._lines = lines
        self._connection = connection
        self._blocks = KnownBlocks() if blocks is None else blocks
        self._changed: tuple[Edits, RequestFields, RequestFields] | None = None
        self._hop: Hop | None = None

    @property
    def added(self) -> tuple[bytes, ...]:
        """Field lines that go upstream with each request of the connection, whatever the client sends."""
        return self._lines

    def read(self, head: bytes, policy: ClientPolicy) -> tuple[RequestView, RequestFields]:
        """``head`` is whole, from the request line to the empty line. Raises RefusedRequest."""
        plain = _PLAIN_LINE(head)
        authority = b""
        if plain is not None and plain.end() <= policy.limits.request_line:
            method, target, version = plain.groups()
            block = head[plain.end(2) + 1 :]
            if method in _NOT_SERVED and not (method == b"TRACE" and policy.trace):
                raise RefusedRequest(405, f"{method.decode()} is not served")
        else:
            cut = head.find(b"\r\n")
            method, target, version = request_line(head[:cut], policy.limits.request_line, policy.trace)
            if target[:1] != b"/":
                target, authority = _other_form(method, target, self.scheme.encode())
            block = head[cut - len(version) :]
        hop = self._hop
        if hop is None or hop.policy is not policy:
            hop = self._hop = Hop(policy, self.peer, policy.appends(self.peer), self.scheme, self._lines)
            self.known, self.client = NO_BLOCK, self.peer
        known = self.known
        if block != known.block or method != known.method or authority:
            found = None if authority else self._blocks.find((method, block, hop))
            known = self.known = found or self._read(method, block, _VERSIONS[version], authority, hop)
        self.client, fields, told = known.client, known.fields, known.told
        if fields.spent:
            target = b"*"
        if told:
            head = head[: head.find(b"\r\n") - len(version)] + told
        return RequestView(method, target, fields.host, self.client, self.scheme, head, self._connection), fields

    def _read(self, method: bytes, block: bytes, http11: bool, authority: bytes, hop: Hop) -> KnownBlock:
        """Read a block that is not known, and remember it."""
        told, asked, naming = b"", hop, hop.policy.naming
        if naming is not None:
            self.client, told = _named(block, self.peer, naming)
            asked = replace(hop, client=self.client)
        fields = read_fields(told or block, http11, authority, asked)
        if fields.spent and method != b"OPTIONS":
            # httpd's ap_proxy_http_handler: OPTIONS is answered here, everything else is a mistake.
            raise RefusedRequest(400, "Max-Forwards is 0: the request may go no further than here")
        if authority:
            return KnownBlock(method, b"", fields, self.client, told)
        known = KnownBlock(method, block, fields, self.client, told)
        self._blocks.keep(known, hop)
        return known

    def body_bound(self, own: int | None) -> int:
        """The bytes that the body of a request may have, 0 for any number. ``own`` is what its route says; where it
        says nothing the listener's bound holds."""
        if own is not None:
            return own
        return self._hop.policy.limits.body if self._hop is not None else 0

    def changed(
        self, fields: RequestFields, edits: Edits, basis: EditBasis, trace: Trace | None = None
    ) -> RequestFields:
        """The fields of the request that was read last, after the edits; read anew, so that nothing goes on that could
        not have come in. Raises RefusedRequest and Unknown."""
        if trace is None and self._changed is not None and self._changed[0] is edits and self._changed[1] is fields:
            return self._changed[2]
        hop = self._hop_of(basis.view)
        lines = basis.view.head.split(b"\r\n")[1:-2]
        lines = without_twins(lines if edits.early else believed(lines, hop), edits, trace)
        for at in found(lines, b"host") if fields.host else ():
            lines[at] = b"Host: " + fields.host
        now = moment(basis, trusted=hop.appends)
        block = b"\r\n".join([b"", *edited(edits.request, joined(lines, edits.request), now, trace), b"", b""])
        made = read_fields(block, fields.http11, b"", replace(hop, policy=hop.policy.under(edits), edited=True))
        if edits.steady_request:
            self._changed = edits, fields, made
        return made

    def early(
        self, fields: RequestFields, edits: Edits, basis: EditBasis, trace: Trace | None = None
    ) -> tuple[RequestView, RequestFields]:
        """The request that was read last as its rules see it, after the edits that come before them: what the client
        may not say is out from here on. Raises RefusedRequest and Unknown."""
        view, hop = basis.view, self._hop_of(basis.view)
        line, *lines = view.head.split(b"\r\n")[:-2]
        now = moment(basis, trusted=hop.appends)
        lines = joined(without_twins(believed(lines, hop), edits, trace), edits.early)
        block = b"\r\n".join([b"", *edited(edits.early, lines, now, trace), b"", b""])
        made = read_fields(block, fields.http11, view.host, replace(hop, policy=hop.policy.under(edits), edited=True))
        return replace(view, head=line + block), made

    def redirected(self, exchange: Exchange, fields: RequestFields, path: str) -> tuple[RequestView, RequestFields]:
        """The request for the page of an error, made of the one that was read last: a GET (or HEAD) of another path,
        without the body. It knows what became of the first (``ap_internal_redirect``, ``rename_original_env``), whose
        request line it keeps. Raises RefusedRequest."""
        view, extras = exchange.view, exchange.extras or NO_EXTRAS
        line, *lines = view.head.split(b"\r\n")[:-2]
        lines = without(lines, _OF_ITS_BODY)
        for at in found(lines, b"host") if fields.host else ():
            lines[at] = b"Host: " + fields.host
        block = b"\r\n".join([b"", *lines, b"", b""])
        url, _, query = view.target.decode("latin-1").partition("?")
        own = (("STATUS", str(exchange.status)), ("URL", url), ("QUERY_STRING", query),
               ("REQUEST_METHOD", view.method.decode("latin-1")))  # fmt: skip
        env = tuple((f"REDIRECT_{name}", value) for name, value in (*extras.env, *own))
        method = b"HEAD" if view.method == b"HEAD" else b"GET"
        made = replace(view, method=method, target=path.encode(), head=line + block, env=env)
        return made, read_fields(block, fields.http11, b"", self._hop_of(view))

    def _hop_of(self, view: RequestView) -> Hop:
        """What the connection adds to a request that it has brought."""
        assert self._hop is not None
        return self._hop if view.client == self.peer else replace(self._hop, client=view.client)


def _named(block: bytes, peer: str, naming: Naming) -> tuple[str, bytes]:
    """The client that proxies name in a block of fields, and the block as it is from then on (b"": as it was)."""
    version, *lines = block[:-4].split(b"\r\n")
    client, kept = named(lines, peer, naming)
    return client, b"\r\n".join([version, *kept, b"", b""]) if kept != lines else b""


_OF_ITS_BODY = {
    b"content-encoding", b"content-language", b"content-length", b"content-location", b"content-range",
    b"content-type", b"expect", b"if-match", b"if-modified-since", b"if-none-match", b"if-range",
    b"if-unmodified-since", b"range", b"te", b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip
"""Fields that are about the body of a request, or about the very resource that it asked for."""


def ascii_line(head: bytes) -> bytes:
    """The head with bytes above 0x7F in its request line percent-encoded: httpd takes them for what they encode, and
    the strict parser must be shown the same bytes that are read here."""
    cut = head.find(b"\r\n")
    line = head[:cut]
    return _HIGH_BYTE.sub(lambda high: b"%%%02X" % high[0][0], line) + head[cut:]


def guessed(data: bytes, reader: RequestReader) -> RequestView:
    """Method and target of a request that was refused, as far as its first line gives them away; for the record."""
    line = data[:256].split(b"\r\n")[0].split(b"\n")[0]
    method, _, rest = line.partition(b" ")
    return RequestView(method[:32], rest.partition(b" ")[0], b"", reader.client, reader.scheme)


def request_line(line: bytes, most: int = 8190, trace: bool = False) -> tuple[bytes, bytes, bytes]:
    """Method, target and version of a request line of at most ``most`` bytes (RFC 9112 §3). Raises
    RefusedRequest."""
    if len(line) > most:
        raise RefusedRequest(414, f"the request line is longer than {most} bytes", "request_line")
    parts = line.split(b" ")
    if len(parts) != 3:
        raise RefusedRequest(400, "the request line is not a method, a target and a version, each one space apart")
    method, target, version = parts
    if not is_token(method):
        raise RefusedRequest(400, "the method is not a token")
    if not _EXTENSION(method):
        raise RefusedRequest(501, "methods are upper-case letters, - and _")
    if version not in _VERSIONS:
        raise RefusedRequest(
            505 if _VERSION.fullmatch(version) else 400, "the version is neither HTTP/1.1 nor HTTP/1.0"
        )
    if not target or target.translate(None, _TARGET_BYTES):
        raise RefusedRequest(400, "the request target holds a byte that no target may hold")
    if method in _NOT_SERVED and not (method == b"TRACE" and trace):
        raise RefusedRequest(405, f"{method.decode()} is not served")
    return method, target, version


def _other_form(method: bytes, target: bytes, own: bytes) -> tuple[bytes, bytes]:
    """Origin-form and authority of a target that does not begin with a slash (RFC 9112 §3.2)."""
    if target == b"*":
        if method != b"OPTIONS":
            raise RefusedRequest(400, "only OPTIONS may ask for *")
        return target, b""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() != own:
        raise RefusedRequest(400, f"the request target is neither a path nor an {own.decode()} URL")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not is_host(authority):
        raise RefusedRequest(400, "the authority of the request target is not a host and port")
    return (path if path[:1] == b"/" else b"/" + path), authority.lower().removesuffix(b":")
