"""mod_ssl: certificates of listeners, and how https members are spoken to.

httpd has certificates by virtual host, here they belong to listeners, which choose them by the name that a client
asks for. ``listeners`` puts those of all hosts that a listener leads to together, the first host's first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from proxy_core.apache.draft import Draft, Here, Server, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler, choice, on, option, text


def _file(here: Here, said: Directive, name: str) -> None:
    here.server_only()
    here.server.options[name] = (here.draft.path(text(said)), said)


def file(name: str) -> Handler:
    return lambda here, said: _file(here, said, name)


def several(name: str) -> Handler:
    """A file of each kind of key: what is said once more is one more."""

    def handler(here: Here, said: Directive) -> None:
        here.server_only()
        known, _ = here.server.options.get(name, ([], said))
        here.server.options[name] = ([*known, here.draft.path(text(said))], said)

    return handler


verify = option("ssl_verify", choice({"none": "off", "optional": "optional", "require": "require"}))


def protocol(here: Here, said: Directive) -> None:
    """SSLProtocol: the oldest version that is left counts."""
    here.server_only()
    versions = {"tlsv1.2": True, "tlsv1.3": True}
    for word in said.args:
        sign, name = (word[0], word[1:].lower()) if word[0] in "+-" else ("", word.lower())
        if name in ("tlsv1", "tlsv1.0", "tlsv1.1", "sslv3") and sign != "-":
            here.lose(f"{word} is not spoken here, TLS 1.2 is the oldest")
        if name == "all":
            versions = dict.fromkeys(versions, sign != "-")
        elif not sign:
            versions = {known: known == name or (versions[known] and len(said.args) > 1) for known in versions}
        elif name in versions:
            versions[name] = sign != "-"
    here.server.options["ssl_protocol"] = ("1.2" if versions["tlsv1.2"] else "1.3", said)


def listener(draft: Draft, hosts: Sequence[Server]) -> dict[str, Any] | None:
    """The ``tls`` of a listener that leads to these hosts; None where none of them speaks it."""
    speaking = [server for server in hosts if _said(draft, server, "ssl_engine")]
    if not speaking:
        return None
    rows: list[Mapping[str, Any]] = []
    for server in speaking:
        keys = _said(draft, server, "ssl_key") or []
        for cert, key in zip_longest(_said(draft, server, "ssl_cert") or [], keys):
            row = {"cert": cert} | ({"key": key} if key else {})
            if cert and row not in rows:
                rows.append(row)
    first = speaking[0]
    found: dict[str, Any] = {"certificates": rows}
    for name, key in (("min_version", "ssl_protocol"), ("client_ca", "ssl_ca"), ("client_verify", "ssl_verify")):
        value = _said(draft, first, key) if key == "ssl_protocol" else _strictest(draft, speaking, key)
        if value and (name, value) not in (("min_version", "1.2"), ("client_verify", "off")):
            found[name] = value
    return found


_STRICT = ("require", "optional", "off")


def _strictest(draft: Draft, servers: Sequence[Server], key: str) -> Any:
    """What is said of certificates of clients: a listener asks all of them alike, so the strictest word holds."""
    said = [(_said(draft, server, key), server) for server in servers]
    words = [word for word, _ in said if word]
    if len({word or ("off" if key == "ssl_verify" else "") for word, _ in said}) > 1:
        why = "hosts of one address ask clients alike here: the strictest word, and the first authorities, hold for all"
        draft.lose({server.options[key][1].place for _, server in said if key in server.options}, why)
    return min(words, key=_STRICT.index) if words and key == "ssl_verify" else next(iter(words), None)


def _said(draft: Draft, server: Server, name: str) -> Any:
    return server.said(name) if name in server.options else draft.main.said(name)


def upstream(draft: Draft, targets: Sequence[str]) -> dict[str, Any]:
    """[upstream_tls]: httpd does not verify members unless SSLProxyVerify says so, and what it did not do is not begun
    here by itself."""
    if not any(target.lower().startswith(("https:", "wss:")) for target in targets):
        return {}
    servers = draft.servers()
    found: dict[str, Any] = {}
    if not any(server.said("ssl_proxy_verify") for server in servers):
        found["verify"] = False
    for name, key in (("ca", "ssl_proxy_ca"), ("cert", "ssl_proxy_cert")):
        value = next((server.said(key) for server in servers if server.said(key)), None)
        if value:
            found[name] = value
    return found


def lost(why: str) -> Handler:
    def handler(here: Here, said: Directive) -> None:
        raise Unsupported(why)

    return handler


HANDLERS: dict[str, Handler] = {
    "sslengine": option("ssl_engine", on),
    "sslcertificatefile": several("ssl_cert"),
    "sslcertificatekeyfile": several("ssl_key"),
    "sslcacertificatefile": file("ssl_ca"),
    "sslprotocol": protocol,
    "sslproxyengine": option("ssl_proxy", on),
    "sslproxyverify": option("ssl_proxy_verify", choice({"none": False, "optional": True, "require": True})),
    "sslproxycacertificatefile": file("ssl_proxy_ca"),
    "sslproxymachinecertificatefile": file("ssl_proxy_cert"),
    "sslcertificatechainfile": lost("put the chain behind the certificate, into one file"),
}
IGNORED: dict[str, str] = {
    **dict.fromkeys(
        ("sslciphersuite", "sslproxyciphersuite", "sslproxyprotocol", "ssloptions", "sslusestapling", "sslverifydepth",
         "sslproxyverifydepth", "sslopensslconfcmd", "sslstaplingresponsetimeout", "sslstaplingreturnrespondererrors",
         "sslproxycheckpeername", "sslproxycheckpeercn", "sslproxycheckpeerexpire"),
        "the TLS library's defaults of today are used",
    )
}  # fmt: skip
