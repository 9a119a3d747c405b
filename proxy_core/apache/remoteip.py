"""mod_remoteip: which proxies in front are believed, and the field in which they name the client.

The lists of addresses become ``trusted_proxies`` and ``internal_proxies``; those in files are read now, as httpd reads
them once when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from proxy_core.apache.draft import Here, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler, on, text

_KINDS = {"remoteiptrustedproxy": "trusted_proxies", "remoteipinternalproxy": "internal_proxies"}


def header(name: str) -> Handler:
    """RemoteIPHeader field, RemoteIPProxiesHeader field"""

    def handler(here: Here, said: Directive) -> None:
        _of_the_site(here)
        here.server.options[name] = (text(said), said)

    return handler


def proxies(here: Here, said: Directive) -> None:
    """RemoteIPTrustedProxy address …, RemoteIPInternalProxy address …, and each with List and a file."""
    _of_the_site(here)
    words: Iterable[str] = said.args
    key = said.key.removesuffix("list")
    if key != said.key:
        file = here.draft.folder / here.draft.path(text(said))
        try:
            lines = file.read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            raise Unsupported(f"{file} cannot be read") from None
        words = [word for line in lines for word in line.partition("#")[0].split()]
    known, _ = here.server.options.get(_KINDS[key], ([], said))
    here.server.options[_KINDS[key]] = ([*known, *(each for word in words if (each := _network(here, word)))], said)


def _network(here: Here, word: str) -> str:
    try:
        return str(ip_network(word, strict=False)) if "/" in word else str(ip_network(word).network_address)
    except ValueError:
        here.lose(f"{word} is no address or network; names are not looked up")
        return ""


def proxy_protocol(here: Here, said: Directive) -> None:
    """RemoteIPProxyProtocol On|Off: of the listeners that lead to this server."""
    here.server_only()
    here.server.options["proxy_protocol"] = (on(said), said)


def exceptions(here: Here, said: Directive) -> None:
    raise Unsupported("who need not send a PROXY header needs a listener of its own")


def _of_the_site(here: Here) -> None:
    here.server_only()
    if here.server is not here.draft.main:
        raise Unsupported("who is believed is said for the whole site here; move it out of the virtual host")


HANDLERS: dict[str, Handler] = {
    "remoteipheader": header("client_header"),
    "remoteipproxiesheader": header("proxies_header"),
    **{name + kind: proxies for name in _KINDS for kind in ("", "list")},
    "remoteipproxyprotocol": proxy_protocol,
    "remoteipproxyprotocolexceptions": exceptions,
}
