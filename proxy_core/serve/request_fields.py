"""The fields of a request: what they say of its message, and which of them go upstream (RFC 9112 §6.3, §11.2; RFC 9110
§7.2, §7.6.1).

Nothing is repaired: what two readers might understand differently is refused. What was read is written anew: without
hop-by-hop fields, and with one line each of X-Forwarded-For, -Host and -Server at the end, in the order of httpd's
ap_proxy_create_hdrbrgd. Pure.
"""

from __future__ import annotations

from msgspec import Struct

from proxy_core.http.hop_by_hop import REQUEST_KINDS, Kind, RefusedRequest
from proxy_core.http.syntax import hops_left, is_host, length_of, tokens, without
from proxy_core.serve.forwarded_fields import OPTIONS, Hop, forwarded, not_ours

CHUNKED = -1
"""Length of a body that tells its end itself."""
_EXACT = frozenset((Kind.HOST, Kind.LENGTH, Kind.CODING))
"""Fields that everybody has to read alike: not all take a tab for the white space that it is (RFC 9110 §5.6.3)."""
_VALUE_BYTES = bytes(c for c in range(0x20, 0x100) if c != 0x7F) + b"\t"


class RequestFields(Struct, frozen=True):
    """What a block of fields says."""

    host: bytes
    """The authority that counts: of the target, else Host; b"" for none."""
    lines: bytes
    """The part that goes upstream, after Host, with the empty line."""
    length: int
    """Bytes of the body: 0 for none, CHUNKED."""
    http11: bool
    """The client speaks HTTP/1.1, not 1.0."""
    keep: bool
    """The client leaves its connection open."""
    expect: bool
    """It waits for 100 Continue before it sends its body."""
    spent: bool = False
    """Max-Forwards lets it go no further than here."""
    last: bool = False
    """The client says that no other request follows."""
    upgrade: bytes = b""
    """The protocol that it would rather speak, if it asks for one as RFC 9110 §7.8 wants it asked."""


def read_fields(block: bytes, http11: bool, authority: bytes, hop: Hop) -> RequestFields:
    """Read a block of field lines; what stands before its first line end is not looked at. Raises
    RefusedRequest."""
    lines = block[:-4].split(b"\r\n")
    limits = hop.policy.limits
    if len(lines) > limits.fields + 1:
        raise RefusedRequest(431, f"there are more than {limits.fields} header fields", "fields")
    longest = limits.field
    out: list[bytes] = []
    special: dict[int, list[bytes]] = {}
    spent = False
    kinds = REQUEST_KINDS
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise RefusedRequest(400, "a header line has no colon")
        if len(line) > longest:
            raise RefusedRequest(431, f"a header field is longer than {longest} bytes", "field")
        if value.translate(None, _VALUE_BYTES):
            raise RefusedRequest(400, "a header field holds a control character")
        kind = kinds[name]
        if kind == Kind.PASS:
            out.append(line)
        elif kind == Kind.CLAIM:
            if hop.appends or hop.edited:
                out.append(line)
        elif kind == Kind.TWIN:
            if hop.edited:
                out.append(line)
        elif kind == Kind.HOPS:
            if kind in special:
                raise RefusedRequest(400, "there are several Max-Forwards fields")
            left = hops_left(value.strip(b" \t"))
            spent = left < 0
            special[kind] = [value]
            out.append(b"Max-Forwards: %d" % left)
        elif kind != Kind.DROP:
            special.setdefault(kind, []).append(value.strip(b" " if kind in _EXACT else b" \t"))
    host = _host(special.get(Kind.HOST, []), http11)
    if authority:
        host = authority
    length = _length(special, http11)
    close = not http11
    named: set[bytes] = set()
    if Kind.CONNECTION in special:
        named = tokens(special[Kind.CONNECTION])
        close = b"close" in named or (not http11 and b"keep-alive" not in named)
        if not hop.edited:
            out = without(out, named - OPTIONS)
    last, upgrade = close, b""
    if Kind.UPGRADE in special:
        # Whether it is granted or not: the next bytes may be of another protocol.
        close = True
        if http11 and length == 0 and b"upgrade" in named and len(special[Kind.UPGRADE]) == 1:
            upgrade = special[Kind.UPGRADE][0]
    expect = special.get(Kind.EXPECT, [])
    if any(value.lower() != b"100-continue" for value in expect):
        raise RefusedRequest(417, "the only expectation that is met is 100-continue")
    if length == CHUNKED:
        out.append(b"Transfer-Encoding: chunked")
    elif Kind.LENGTH in special:
        out.append(b"Content-Length: %d" % length)
    if not hop.edited:
        out = not_ours(out, hop)
    out += hop.lines if not hop.edited else without([*hop.lines], {line.partition(b":")[0].lower() for line in out})
    out += forwarded(special, host, hop)
    out.append(b"\r\n")
    awaits = bool(expect) and http11 and length != 0
    return RequestFields(host, b"\r\n".join(out), length, http11, not close, awaits, spent, last, upgrade)


def _host(values: list[bytes], http11: bool) -> bytes:
    if not values:
        if http11:
            raise RefusedRequest(400, "there is no Host field")
        return b""
    if len(values) > 1 or not is_host(values[0]):
        raise RefusedRequest(400, "there are several Host fields" if len(values) > 1 else "Host is not a host and port")
    return values[0].removesuffix(b":")  # an empty port says nothing (RFC 3986 §6.2.3)


def _length(special: dict[int, list[bytes]], http11: bool) -> int:
    """The length of the body (RFC 9112 §6.3), refusing whatever two readers might understand differently."""
    lengths, codings = special.get(Kind.LENGTH), special.get(Kind.CODING)
    if codings is not None:
        if lengths is not None:
            raise RefusedRequest(400, "both Content-Length and Transfer-Encoding are there")
        if not http11:
            raise RefusedRequest(400, "Transfer-Encoding does not exist in HTTP/1.0")
        if len(codings) == 1 and codings[0].lower() == b"chunked":
            return CHUNKED
        if codings[-1].rpartition(b",")[2].strip(b" \t").lower() != b"chunked":
            raise RefusedRequest(400, "the last transfer coding is not chunked, so nobody knows where the body ends")
        raise RefusedRequest(501, "the only transfer coding that is read is chunked, once")
    if lengths is None:
        return 0
    if len(lengths) > 1:
        raise RefusedRequest(400, "there are several Content-Length fields")
    try:
        return length_of(lengths[0])
    except ValueError as error:
        raise RefusedRequest(400, str(error)) from error
