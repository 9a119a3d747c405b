"""What is wrong with TLS and PROXY headers, as far as the site alone can tell.

Whether certificates can be used is found when their files are read. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import Listener, ListenerTls, Member, Site, UpstreamTls
from proxy_core.config.upstream_tables import upstream_tables
from proxy_core.errors import Address, Problem
from proxy_core.http.hop_by_hop import REQUEST_KINDS, Kind
from proxy_core.http.syntax import is_token
from proxy_core.rules.lint.problems import error, warning


def lint_tls(site: Site) -> Iterator[Problem]:
    for name, listener in site.listeners.items():
        address = ("listeners", name)
        if listener.tls is not None:
            yield from _listener((*address, "tls"), listener.tls)
        yield from _proxy_protocol(site, (*address, "proxy_protocol"), listener)
    for table, settings in upstream_tables(site):
        yield from _towards_members(table, settings)
    for group, balancer in site.balancers.items():
        plain = [key for key, member in balancer.members.items() if not _speaks(member)]
        for key in plain:
            if balancer.members[key].tls is not None:
                what = f"member {key} has a tls table, but its URL is {balancer.members[key].url}: plain HTTP is spoken"
                yield warning(("balancers", group, "members", key, "tls"), what, "write https:// in url, or remove tls")
        if balancer.tls is not None and balancer.members and len(plain) == len(balancer.members):
            what = f"balancer {group} has a tls table, but no member with https: plain HTTP is spoken"
            yield warning(("balancers", group, "tls"), what, "write https:// in the members' url, or remove tls")


def _speaks(member: Member) -> bool:
    return member.url.lower().startswith(("https:", "wss:"))


def _towards_members(address: Address, tls: UpstreamTls) -> Iterator[Problem]:
    if tls.verify and tls.check_expiry is False:
        what = "check_expiry = false changes nothing where verify is on: a certificate that has ended is not trusted"
        yield warning((*address, "check_expiry"), what, "remove it, or say verify = false")
    if not tls.verify and tls.ca:
        what = f"nobody is verified, so the authorities in {tls.ca} are not asked"
        yield warning((*address, "ca"), what, "say verify = true, or remove ca")


def _listener(address: Address, tls: ListenerTls) -> Iterator[Problem]:
    if not tls.certificates:
        todo = 'add one: certificates = [{ cert = "site.pem", key = "site.key" }]'
        yield error((*address, "certificates"), "a TLS listener needs a certificate", todo)
    if tls.client_verify != "off" and not tls.client_ca:
        what = f'client_verify = "{tls.client_verify}" needs the authorities whose certificates are accepted'
        yield error((*address, "client_verify"), what, 'name their file: client_ca = "clients-ca.pem"')
    for name, variable in tls.client_headers.items():
        where = (*address, "client_headers", name)
        if not is_token(name.encode("utf-8")):
            yield error(where, f'"{name}" cannot be the name of a field', "use letters, digits and -")
        elif REQUEST_KINDS[name.encode()] != Kind.PASS:
            todo = "choose another name, as X-SSL-Client-S-DN"
            yield error(where, f"{name} has a meaning of its own for proxies", todo)
        if not variable.startswith("SSL_"):
            yield error(where, f'"{variable}" is no variable of TLS', "use one of those that the manual lists")
        elif variable.startswith("SSL_CLIENT_") and tls.client_verify == "off":
            what = f"{variable} is never there: clients are not asked for a certificate"
            yield warning(where, what, 'set client_verify = "optional" or "require"')


def _proxy_protocol(site: Site, address: Address, listener: Listener) -> Iterator[Problem]:
    if listener.proxy_protocol and not (site.site.trusted_proxies or site.site.internal_proxies):
        what = "nobody is trusted to send a PROXY header, so every connection is turned away"
        yield error(address, what, "name the balancer in front in [site] trusted_proxies")
