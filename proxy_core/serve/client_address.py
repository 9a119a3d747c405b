"""Who asks, where proxies in front of this one say so in a field: httpd's mod_remoteip.

Written after ``remoteip_modify_request`` in modules/metadata/mod_remoteip.c. The field is read from its right end, for
there stands what the nearest proxy saw. As long as the address is that of a proxy that is believed, the next one to the
left counts. Reading ends at a private address that is not named by a proxy of our own. What was not read stays in the
field. Two things are not as in httpd. An address may stand in brackets and have a port, as some balancers write it. And
where a proxy that is believed writes what is no address, or nothing, nobody knows who asks: the client is unknown,
which is "", and never the proxy itself. Pure.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from proxy_core.config.model import Options
from proxy_core.http.syntax import without
from proxy_core.rules.access.networks import Networks, networks, parse
from proxy_core.rules.fields.edit_scope import found, value_of

_GLOBAL_UNICAST = 0b001
_DRESSED = re.compile(r"\[([^]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}").fullmatch
"""An address in brackets, or with a port: RFC 7239 calls it a node."""
_PRIVATE = networks(("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"))


class Naming(NamedTuple):
    """What a site says about it: the ``header`` that names clients and the one for the ``proxies`` in between, both as
    configured and "" for none; who is ``trusted`` to name clients, and ``internal``, of these."""

    header: str
    proxies: str
    trusted: Networks
    internal: Networks


def naming(options: Options, trusted: Networks) -> Naming | None:
    """How proxies name clients on a site; None where none does."""
    if not options.client_header:
        return None
    return Naming(options.client_header, options.proxies_header, trusted, networks(options.internal_proxies))


def named(lines: list[bytes], peer: str, naming: Naming) -> tuple[str, list[bytes]]:
    """The client of a request with these field lines from ``peer``, "" for an unknown one, and the lines as they are
    from then on. What a client says in the field for proxies itself is never kept."""
    proxies = naming.proxies.lower().encode()
    if proxies:
        lines = without(lines, {proxies})
    header = naming.header.lower().encode()
    at = found(lines, header)
    left: str = ", ".join(value_of(lines[number]) for number in at)
    client, passed, more, read = peer, list[str](), bool(at), False
    while more and naming.trusted.find(client):
        inside = naming.internal.find(client)
        rest, comma, last = left.rpartition(",")
        address = _address(last.strip(" \t"))
        if address is not None and not (inside or _public(address)):
            break
        if not inside:
            passed.append(client)
        read = True
        if address is None:
            client = ""
            break
        client, left, more = str(address), rest, bool(comma)
    if not read:
        return peer, lines
    kept = [line for number, line in enumerate(lines) if number not in at]
    if more:
        kept.insert(at[0], f"{naming.header}: {left}".encode("latin-1"))
    if passed and proxies:
        kept.append(f"{naming.proxies}: {', '.join(passed)}".encode("latin-1"))
    return client, kept


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    dressed = _DRESSED(entry)
    return parse(entry if dressed is None else dressed[1] or dressed[2] or "")


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return int(address) >> 125 == _GLOBAL_UNICAST
    return not _PRIVATE.find(str(address))
