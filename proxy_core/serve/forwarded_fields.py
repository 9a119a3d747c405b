"""X-Forwarded-*, Forwarded and the like: what the proxy says of a client, and what of that a client may say itself.

X-Forwarded-For, -Host and -Server are written as httpd's ap_proxy_create_hdrbrgd writes them, Forwarded as RFC 7239
says. A peer that is not trusted to name its clients loses the fields that name them; every peer loses the fields that
only this proxy sets. Pure.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from proxy_core.http.hop_by_hop import REQUEST_KINDS, Kind, as_cgi
from proxy_core.http.syntax import tokens, without
from proxy_core.serve.client_policy import ClientPolicy

OPTIONS: Final = {b"close", b"keep-alive"}
"""What Connection may say that is no field's name, or that of one that goes no further anyhow."""


class Hop(Struct, frozen=True):
    """What a connection adds to each of its requests, under the same policy."""

    policy: ClientPolicy
    """The policy."""
    client: str
    """The address of who asks."""
    appends: bool
    """What it says of whom it asks for is kept and added to."""
    scheme: str
    """That of the listener: "http", "https"."""
    lines: tuple[bytes, ...]
    """Field lines of our own."""
    edited: bool = False
    """What the client may not say is out already (``believed``), and what is there now the site's own rules have put.
    """


def believed(lines: list[bytes], hop: Hop) -> list[bytes]:
    """The client's field lines as the site's own edits see them: without what its word is not taken for, and without
    what its Connection names. So Connection can take away nothing that the site puts there."""
    kinds, names = REQUEST_KINDS, [line.partition(b":")[0] for line in lines]
    gone = {Kind.TWIN} if hop.appends else {Kind.TWIN, Kind.CLAIM, Kind.FORWARDED_PROTO, Kind.FORWARDED}
    kept = [line for name, line in zip(names, lines, strict=True) if kinds[name] not in gone]
    options = [line.partition(b":")[2] for line in kept if kinds[line.partition(b":")[0]] == Kind.CONNECTION]
    passing = {name.lower() for name in names if kinds[name] in (Kind.PASS, Kind.CLAIM)}
    return not_ours(without(kept, (tokens(options) - OPTIONS) & passing), hop)


def not_ours(lines: list[bytes], hop: Hop) -> list[bytes]:
    """Without the fields that only this proxy sets, or a proxy in front, under any name that is the same to CGI."""
    names, claimed = hop.policy.own, hop.policy.claimed
    if claimed and not hop.appends:
        names |= claimed
    return [line for line in lines if as_cgi(line.partition(b":")[0].lower()) not in names] if names else lines


def forwarded(special: dict[int, list[bytes]], host: bytes, hop: Hop) -> list[bytes]:
    """The lines that say who asks. X-Forwarded-Proto and Forwarded are httpd's business only where it copies them; it
    writes neither, so under ``append`` they stay as they came."""
    out = []
    for name, kind, own in (
        (b"For", Kind.FORWARDED_FOR, hop.client.encode() if hop.policy.adds else b""),
        (b"Host", Kind.FORWARDED_HOST, host if hop.policy.adds else b""),
        (b"Server", Kind.FORWARDED_SERVER, hop.policy.server if hop.policy.adds else b""),
    ):
        values = [value for value in special.get(kind, ()) if value] if hop.appends else []
        if own:
            values.append(own)
        if values:
            out.append(b"X-Forwarded-%b: %b" % (name, b", ".join(values)))
    kept = special if hop.appends or hop.edited else {}
    protos = [] if hop.policy.append or not hop.policy.adds else [hop.scheme.encode()]
    out += [b"X-Forwarded-Proto: " + value for value in kept.get(Kind.FORWARDED_PROTO, protos)]
    elements = kept.get(Kind.FORWARDED, [])
    if hop.policy.standard:
        elements = [*elements, _element(host, hop)]
    return [*out, b"Forwarded: " + b", ".join(elements)] if elements else out


def _element(host: bytes, hop: Hop) -> bytes:
    """This hop, as RFC 7239 §4 writes it: an IPv6 address stands in brackets and quotes."""
    node = f'"[{hop.client}]"' if ":" in hop.client else hop.client or "unknown"
    said = b';host="%b"' % host if host else b""
    return f"for={node}".encode() + said + b";proto=" + hop.scheme.encode()
