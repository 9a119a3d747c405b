"""TLS for Apache: mod_ssl has certificates by virtual host, a site by listener.

Each host gets those that are for its names. What a listener says in fields becomes rows of its hosts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_words import Lines, line
from proxy_core.config.model import Certificate, HeaderRule, Host, ListenerTls, Site, UpstreamTls
from proxy_core.http.syntax import host_name
from proxy_core.rules import hosts as names_of
from proxy_core.rules.rewriting import flags
from proxy_core.runtime.certificates import BadTls, names_in

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""The authorities that Debian trusts: httpd trusts nobody by itself."""
_NOT_HERE = {"SSL_CLIENT_FINGERPRINT"}

_R = TypeVar("_R", bound=Any)


def plain(site: Site, folder: Path, lose: Lose) -> Site:
    """TLS as Apache can say it."""
    site = _upstream(site, lose)
    if not any(listener.tls for listener in site.listeners.values()):
        return site
    site = _headers(site, lose)
    listeners = {
        name: replace(each, tls=_tls(site, name, each.tls, folder, lose)) if each.tls is not None else each
        for name, each in site.listeners.items()
    }
    return replace(site, listeners=listeners)


def named(row: Certificate, folder: Path) -> tuple[str, ...]:
    """The names that a certificate is for; none where it cannot be read."""
    try:
        return names_in(row, folder)
    except BadTls:
        return ()


def _headers(site: Site, lose: Lose) -> Site:
    """What listeners say in fields: hsts, and facts about clients, which nobody else may tell."""
    rows: list[HeaderRule] = []
    told = {field for listener in site.listeners.values() if listener.tls for field in listener.tls.client_headers}
    rows += [HeaderRule(id=f"{field}-unset", on="request", action="unset", name=field) for field in sorted(told)]
    for name, listener in site.listeners.items():
        if listener.tls is None:
            continue
        for host in [key for key, each in site.hosts.items() if name in (each.listeners or site.listeners)]:
            for field, variable in listener.tls.client_headers.items():
                if variable in _NOT_HERE:
                    lose(("listeners", name, "tls", "client_headers", field), f"mod_ssl does not tell {variable}")
                    continue
                rows.append(HeaderRule(id=f"{host}-{field}", host=host, on="request", name=field,
                                       value=f"%{{{variable}}}s"))  # fmt: skip
            if listener.tls.hsts:
                value = f"max-age={listener.tls.hsts}"
                rows.append(HeaderRule(id=f"{host}-hsts", host=host, on="always", name="Strict-Transport-Security",
                                       value=value))  # fmt: skip
    kept = {(row.host, row.name, row.value): row for row in rows}
    return replace(site, headers=(*kept.values(), *site.headers))


def certificates(site: Site, host: Host, tls: ListenerTls, folder: Path) -> tuple[Certificate, ...]:
    """The certificates of a host: those that are for one of its names, or the first of all."""
    found = []
    for row in tls.certificates:
        known = names_of.names(Host(names=named(row, folder)))
        if any(known(host_name(name)) for name in (host.server_name, *host.names) if name):
            found.append(row)
    return tuple(found) or tls.certificates[:1]


def _tls(site: Site, name: str, tls: ListenerTls, folder: Path, lose: Lose) -> ListenerTls:
    there = [host for host in site.hosts.values() if name in (host.listeners or site.listeners)]
    chosen = [row for host in there for row in certificates(site, host, tls, folder)]
    rows = tuple(dict.fromkeys(chosen))
    for row in tls.certificates:
        if row not in rows:
            lose(("listeners", name, "tls", "certificates"), f"no host there has a name that {row.cert} is for")
    return replace(tls, certificates=rows, client_headers={}, hsts=0)


def _upstream(site: Site, lose: Lose) -> Site:
    """[upstream_tls], where there is an https member at all."""
    if not speaks(site):
        return replace(site, upstream_tls=UpstreamTls())
    said = site.upstream_tls
    if said.key:
        lose(("upstream_tls", "key"), "SSLProxyMachineCertificateFile holds certificate and key: put both into one")
    return replace(site, upstream_tls=replace(said, key="", ca=said.ca or (AUTHORITIES if said.verify else "")))


def speaks(site: Site) -> bool:
    """Whether some member or target speaks TLS."""
    targets = [member.url for group in site.balancers.values() for member in group.members.values()]
    targets += [row.proxy or "" for row in site.routes if row.enabled]
    targets += [row.substitution for row in site.rewrites if row.enabled and flags.parse(row.flags).proxy]
    return any(target.lower().startswith(("https:", "wss:")) for target in targets)


_VERSIONS = {"1.2": "-all +TLSv1.2 +TLSv1.3", "1.3": "-all +TLSv1.3"}


def lines_of_members(site: Site) -> Lines:
    """How https members are spoken to. Raises Unsayable."""
    if not speaks(site):
        return []
    said = site.upstream_tls
    found = ["SSLProxyEngine On", f"SSLProxyProtocol {_VERSIONS[said.min_version]}"]
    if said.verify:
        found += ["SSLProxyVerify require", line("SSLProxyCACertificateFile", said.ca)]
    elif said.ca:
        found.append(line("SSLProxyCACertificateFile", said.ca))
    return [*found, *[line("SSLProxyMachineCertificateFile", said.cert)] * bool(said.cert)]


def lines_of_host(site: Site, host: Host, folder: Path) -> Lines:
    """TLS of a virtual host. Raises Unsayable."""
    through = [site.listeners[name].tls for name in host.listeners or site.listeners]
    tls = next((each for each in through if each is not None), None)
    if tls is None:
        return []
    found = ["SSLEngine on", f"SSLProtocol {_VERSIONS[tls.min_version]}"]
    for row in certificates(site, host, tls, folder):
        found.append(line("SSLCertificateFile", row.cert))
        found += [line("SSLCertificateKeyFile", row.key)] * bool(row.key)
    found += [line("SSLCACertificateFile", tls.client_ca)] * bool(tls.client_ca)
    return [*found, *[f"SSLVerifyClient {tls.client_verify}"] * (tls.client_verify != "off")]
