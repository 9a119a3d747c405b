"""mod_remoteip: which proxies in front are believed, and the field in which they name the client.

The lists of addresses become ``trusted_proxies`` and ``internal_proxies``; those in files are read now, as httpd reads
them once when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import REMOTE_IP, Handler, directives, first, handlers
from proxy_core.config.model import Options, Site

_KINDS = {"remoteiptrustedproxy": "trusted_proxies", "remoteipinternalproxy": "internal_proxies"}


_HEADERS = handlers(REMOTE_IP)


def header(context: ImportContext, directive: Directive) -> None:
    """RemoteIPHeader field, RemoteIPProxiesHeader field"""
    _of_the_site(context)
    _HEADERS[directive.key](context, directive)


def proxies(context: ImportContext, directive: Directive) -> None:
    """RemoteIPTrustedProxy address …, RemoteIPInternalProxy address …, and each with List and a file."""
    _of_the_site(context)
    words: Iterable[str] = directive.args
    key = directive.key.removesuffix("list")
    if key != directive.key:
        file = context.draft.folder / context.draft.path(first(directive))
        try:
            lines = regular_files.content(file).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Unsupported(f"{file} cannot be read: {error}") from None
        words = [word for line in lines for word in line.partition("#")[0].split()]
    networks = [
        *(context.server.option(_KINDS[key]) or ()),
        *(each for word in words if (each := _network(context, word))),
    ]
    context.set(directive, _KINDS[key], networks)


def _network(context: ImportContext, word: str) -> str:
    try:
        return str(ip_network(word, strict=False)) if "/" in word else str(ip_network(word).network_address)
    except ValueError:
        context.lose(f"{word} is no address or network; names are not looked up")
        return ""


def _of_the_site(context: ImportContext) -> None:
    context.server_only()
    if context.server is not context.draft.main:
        raise Unsupported("who is believed is said for the whole site here; move it out of the virtual host")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_HEADERS, header),
    **{name + kind: proxies for name in _KINDS for kind in ("", "list")},
}


def plain(site: Site) -> Site:
    """Networks as Apache spells them; nothing where nobody is believed."""
    options = site.site
    trusted, internal = (
        tuple(str(ip_network(each)) if "/" in each else each for each in networks)
        for networks in (options.trusted_proxies, options.internal_proxies)
    )
    if options.client_header and (trusted or internal):
        return replace(site, site=replace(options, trusted_proxies=trusted, internal_proxies=internal))
    options = replace(options, client_header="", proxies_header="", trusted_proxies=(), internal_proxies=())
    return replace(site, site=options)


def lines(options: Options) -> Lines:
    """Who is believed to name the client. Raises Unsayable."""
    lists = (("RemoteIPTrustedProxy", options.trusted_proxies), ("RemoteIPInternalProxy", options.internal_proxies))
    found = [*directives(REMOTE_IP, options, Options()), *(line(name, *nets) for name, nets in lists if nets)]
    return found if options.client_header else []
