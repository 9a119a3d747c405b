"""mod_ssl towards clients: certificates of listeners.

httpd has certificates by virtual host, here they belong to listeners, which choose them by the name that a client
asks for. In, ``listener`` puts those of all hosts that a listener leads to together, the first host's first; out, each
host gets those that are for its names, and what a listener says in fields becomes rows of its hosts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import DraftServer, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import (
    LISTENER_TLS,
    PATH,
    SWITCH,
    Handler,
    by_name,
    directives,
    first,
    handlers,
    option,
)
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import member_tls
from proxy_core.config.model import Certificate, HeaderRule, Host, ListenerTls, Site
from proxy_core.http.syntax import host_name
from proxy_core.rules import hosts as names_of
from proxy_core.runtime.certificates import BadTls, names_in


def verify(context: ImportContext, directive: Directive) -> None:
    """SSLVerifyClient; in a section clients are asked when the connection begins, and judged here."""
    if context.section is None:
        return _OF_LISTENERS["sslverifyclient"](context, directive)
    word = first(directive).lower()
    if word not in ("none", "optional", "require"):
        context.close(directive)
        raise Unsupported("it is none, optional or require; until then nobody is let in")
    section = context.section
    section.verify = directive
    context.fence(section)
    if word != "require":
        raise Ignored("clients are asked for a certificate as the server says")
    section.shut = context.shut(directive, "%{HTTPS} == 'on' && %{SSL:SSL_CLIENT_VERIFY} != 'SUCCESS'")
    context.server.options.setdefault("client_verify", ("optional", directive))


def several(key: str) -> Handler:
    """A file of each kind of key: what is said once more is one more."""

    def handler(context: ImportContext, directive: Directive) -> None:
        context.server_only()
        files = context.server.option(key) or []
        context.set(directive, key, [*files, context.draft.path(first(directive))])

    return handler


def protocol(context: ImportContext, directive: Directive) -> None:
    """SSLProtocol"""
    context.server_only()
    context.set(directive, "min_version", member_tls.versions(context, directive))


_OF_LISTENERS = handlers(LISTENER_TLS)
HANDLERS = {
    **_OF_LISTENERS,
    "sslengine": option("ssl_engine", SWITCH),
    "sslcertificatefile": several("ssl_cert"),
    "sslcertificatekeyfile": several("ssl_key"),
    "sslcertificatechainfile": option("ssl_chain", PATH),
    "sslprotocol": protocol,
    "sslverifyclient": verify,
}
IGNORED = by_name({
    "the TLS library here looks after it": """
        sslrandomseed sslpassphrasedialog sslsessioncache sslsessioncachetimeout sslstaplingcache sslcryptodevice
        sslmutex sslsessiontickets sslsessionticketkeyfile sslinsecurerenegotiation sslcompression
        sslhonorcipherorder""",
    "the TLS library's defaults of today are used": """
        sslciphersuite sslproxyciphersuite sslusestapling sslproxyverifydepth
        sslopensslconfcmd sslstaplingresponsetimeout sslstaplingreturnrespondererrors""",
})  # fmt: skip
UNSUPPORTED = by_name({
    "lists of revoked certificates are not looked at: certificates of clients hold until they end":
        "sslcarevocationfile sslcarevocationpath",
    "put the certificates of the folder into one file": "sslcacertificatepath",
    "clients that name no host are answered by the first one": "sslstrictsnivhostcheck",
})  # fmt: skip


def listener(draft: SiteDraft, hosts: Sequence[DraftServer]) -> dict[str, Any] | None:
    """The ``tls`` of a listener that leads to these hosts; None where none of them speaks it."""
    speaking = [server for server in hosts if _effective(draft, server, "ssl_engine")]
    if not speaking:
        return None
    rows: list[Mapping[str, Any]] = []
    for server in speaking:
        files, keys = (_effective(draft, server, name) or [] for name in ("ssl_cert", "ssl_key"))
        chain = _effective(draft, server, "ssl_chain")
        for cert, key in zip_longest(files, keys):
            row = {"cert": cert} | ({"key": key} if key else {}) | ({"chain": chain} if chain else {})
            if cert and row not in rows:
                rows.append(row)
    found: dict[str, Any] = {
        "certificates": rows,
        "min_version": _effective(draft, speaking[0], "min_version"),
        "client_ca": _strictest(draft, speaking, "client_ca"),
        "client_verify": _strictest(draft, speaking, "client_verify"),
    }
    default = {"min_version": "1.2", "client_verify": "off"}
    return {
        key: value for key, value in found.items() if key == "certificates" or (value and value != default.get(key))
    }


_STRICT = ("require", "optional", "off")


def _strictest(draft: SiteDraft, servers: Sequence[DraftServer], key: str) -> Any:
    """What is said of certificates of clients: a listener asks all of them alike, so the strictest word holds."""
    words = [_effective(draft, server, key) for server in servers]
    if len({word or ("off" if key == "client_verify" else "") for word in words}) > 1:
        why = "hosts of one address ask clients alike here: the strictest word, and the first authorities, hold for all"
        draft.lose((server.options[key][1] for server in servers if key in server.options), why)
    words = [word for word in words if word]
    return min(words, key=_STRICT.index) if words and key == "client_verify" else next(iter(words), None)


def _effective(draft: SiteDraft, server: DraftServer, name: str) -> Any:
    """An option of the server, or of the main server where it is not said."""
    return server.option(name) if name in server.options else draft.main.option(name)


_NOT_HERE = {"SSL_CLIENT_FINGERPRINT"}


def plain(site: Site, folder: Path, lose: Lose) -> Site:
    """TLS as Apache can say it."""
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
    fields = {field for listener in site.listeners.values() if listener.tls for field in listener.tls.client_headers}
    rows += [HeaderRule(id=f"{field}-unset", on="request", action="unset", name=field) for field in sorted(fields)]
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
        takes = names_of.names(Host(names=named(row, folder)))
        if any(takes(host_name(name)) for name in (host.server_name, *host.names) if name):
            found.append(row)
    return tuple(found) or tls.certificates[:1]


def _tls(site: Site, name: str, tls: ListenerTls, folder: Path, lose: Lose) -> ListenerTls:
    hosts = [host for host in site.hosts.values() if name in (host.listeners or site.listeners)]
    chosen = [certificates(site, host, tls, folder) for host in hosts]
    if any(len({row.chain for row in each} - {""}) > 1 for each in chosen):
        lose(("listeners", name, "tls", "certificates"), "a host has one chain: put them behind the certificates")
    rows = tuple(dict.fromkeys(row for each in chosen for row in each))
    for row in tls.certificates:
        if row not in rows:
            lose(("listeners", name, "tls", "certificates"), f"no host there has a name that {row.cert} is for")
    return replace(tls, certificates=rows, client_headers={}, hsts=0)


def lines_of_host(site: Site, host: Host, folder: Path) -> Lines:
    """TLS of a virtual host. Raises Unsayable."""
    through = [site.listeners[name].tls for name in host.listeners or site.listeners]
    tls = next((each for each in through if each is not None), None)
    if tls is None:
        return []
    found = ["SSLEngine on", f"SSLProtocol {member_tls.VERSIONS[tls.min_version]}"]
    chain = ""
    for row in certificates(site, host, tls, folder):
        found.append(line("SSLCertificateFile", row.cert))
        found += [line("SSLCertificateKeyFile", row.key)] * bool(row.key)
        chain = chain or row.chain
    found += [line("SSLCertificateChainFile", chain)] * bool(chain)
    return [*found, *directives(LISTENER_TLS, tls, ListenerTls(certificates=tls.certificates))]
