"""mod_ssl towards members: SSLProxy* of servers, of virtual hosts and of <Proxy> sections.

What a host does not say it has of the main server. Of the <Proxy> sections that a target begins with, the last that
says anything of TLS holds as a whole, over what its own server says (``ssl_config_perdir_merge``,
``ssl_proxy_section_post_config``). Here [upstream_tls] is the main server's, hosts and balancers have tables of their
own, and a URL that a section is for becomes a balancer of one (``pooled_urls``). httpd looks at name and time even
where it verifies nobody, and so does what comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import DraftSection, DraftServer, PooledUrl, SiteDraft
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines
from proxy_core.apache.options import UPSTREAM_TLS as FILES
from proxy_core.apache.options import Handler, by_name, choice, directives, first, on
from proxy_core.apache.report import Lose
from proxy_core.config.model import Site, UpstreamTls
from proxy_core.errors import Address
from proxy_core.rules.rewriting import flags

_VERIFY = choice({word: word for word in ("none", "optional", "require", "optional_no_ca")})
_VERIFYING = ("optional", "require")
_TLS = ("https:", "wss:")
_WILD = "*?["


def _setting(key: str, read: Callable[[ImportContext, Directive], Any]) -> Handler:
    def handler(context: ImportContext, directive: Directive) -> None:
        value = read(context, directive)
        if context.section is None:
            context.set(directive, key, value)
            return
        section = context.section
        if section.kind != "proxy" or set(_WILD) & set(section.argument[:-1]):
            if value in _VERIFYING or value is True:
                context.close(directive)
            why = f"{section.directive} is for no one server or URL; say it in <Proxy URL>, or outside"
            raise Unsupported(why + "; nobody is let in there" * section.closed)
        context.server.secured.setdefault(section, {})[key] = (value, directive)

    return handler


def _engine(context: ImportContext, directive: Directive) -> bool:
    """SSLProxyEngine: whoever names an https URL here means it."""
    return on(first(directive))


def versions(context: ImportContext, directive: Directive) -> str:
    """SSLProtocol, SSLProxyProtocol: the oldest version that is left counts."""
    found = {"tlsv1.2": True, "tlsv1.3": True}
    for word in directive.args:
        sign, name = (word[0], word[1:].lower()) if word[0] in "+-" else ("", word.lower())
        if name in ("tlsv1", "tlsv1.0", "tlsv1.1", "sslv3") and sign != "-":
            context.lose(f"{word} is not spoken here, TLS 1.2 is the oldest")
        if name == "all":
            found = dict.fromkeys(found, sign != "-")
        elif not sign:
            found = {each: each == name or (found[each] and len(directive.args) > 1) for each in found}
        elif name in found:
            found[name] = sign != "-"
    return "1.2" if found["tlsv1.2"] else "1.3"


def _switch(context: ImportContext, directive: Directive) -> bool:
    return on(first(directive))


def _file(context: ImportContext, directive: Directive) -> str:
    return context.draft.path(first(directive))


HANDLERS = {
    "sslproxyengine": _setting("ssl_proxy", _engine),
    "sslproxyverify": _setting("ssl_proxy_verify", lambda context, directive: _VERIFY.read(first(directive))),
    "sslproxycheckpeername": _setting("ssl_proxy_name", _switch),
    "sslproxycheckpeercn": _setting("ssl_proxy_cn", _switch),
    "sslproxycheckpeerexpire": _setting("ssl_proxy_expire", _switch),
    "sslproxycacertificatefile": _setting("ssl_proxy_ca", _file),
    "sslproxymachinecertificatefile": _setting("ssl_proxy_cert", _file),
    "sslproxyprotocol": _setting("ssl_proxy_protocol", versions),
}
UNSUPPORTED = by_name({
    "lists of revoked certificates are not looked at: certificates of members hold until they end":
        "sslproxycarevocationfile sslproxycarevocationpath sslproxycarevocationcheck",
    "put the certificates of the folder into one file":
        "sslproxycacertificatepath sslproxymachinecertificatepath",
    "put them behind the certificate in SSLProxyMachineCertificateFile": "sslproxymachinecertificatechainfile",
})  # fmt: skip
LOST = {
    "UpstreamTls.server_name": "Apache asks for the host of the member's URL",
    "Member.tls": "mod_ssl has one setting for all members of a balancer",
}

Words = Mapping[str, tuple[Any, Directive]]


def words(draft: SiteDraft, server: DraftServer, target: str = "") -> Words:
    """What is said of TLS with a target in a server; without one, with all of its targets."""
    found = _words(draft, server)
    for owner in dict.fromkeys((draft.main, server)):
        for section, said in owner.secured.items():
            if _for(section.argument, target):
                found = {**_words(draft, owner), **said}
    return found


def _words(draft: SiteDraft, server: DraftServer) -> Words:
    both = {**draft.main.options, **server.options}
    return {key: said for key, said in both.items() if key.startswith("ssl_proxy")}


def _for(argument: str, target: str) -> bool:
    """Whether a <Proxy> is for a target; without one, whether it is for every target."""
    start = argument.removesuffix("*").lower()
    return target.lower().startswith(start) if target else start in ("", *_TLS, "https://", "wss://")


def settings(found: Words) -> dict[str, Any]:
    """A table of a site."""
    said = {key.removeprefix("ssl_proxy_"): value for key, (value, _) in found.items()}
    name, common = said.get("name"), said.get("cn")
    named = common is not False or name is True if name is not False else common is True
    made: dict[str, Any] = {}
    if said.get("verify") in _VERIFYING:
        made |= {} if named else {"check_name": False}
        made |= {"ca": said["ca"]} if said.get("ca") else {}
    else:
        timely = said.get("expire") is not False or said.get("verify") == "optional_no_ca"
        made |= {"verify": False, "check_name": named, "check_expiry": timely}
    made |= {"cert": said["cert"]} if said.get("cert") else {}
    return made | ({"min_version": "1.3"} if said.get("protocol") == "1.3" else {})


def _looked_through(draft: SiteDraft, found: Words) -> dict[str, Any]:
    """The table, and what differs in it for all that it says is told."""
    said = {key.removeprefix("ssl_proxy_"): value for key, (value, _) in found.items()}
    if said.get("verify") in _VERIFYING and not said.get("ca"):
        why = "Apache trusts no authority without SSLProxyCACertificateFile; those of the system are trusted here"
        draft.lose([found["ssl_proxy_verify"][1]], why)
    if said.get("name") is False and said.get("cn") is True:
        why = "the common name counts here only in a certificate that has no other name"
        draft.lose([found["ssl_proxy_cn"][1]], why)
    return settings(found)


def speaks_to(targets: Iterable[str]) -> bool:
    """Whether some target is spoken to over TLS."""
    return any(target.lower().startswith(_TLS) for target in targets)


def origins(server: DraftServer) -> tuple[Directive, ...]:
    """The directives of a server that say anything of it."""
    return tuple(directive for key, (_, directive) in server.options.items() if key.startswith("ssl_proxy"))


def upstream(draft: SiteDraft) -> dict[str, Any]:
    """[upstream_tls]: httpd does not verify members unless SSLProxyVerify says so, and what it did not do is not begun
    here by itself."""
    return _told(draft, draft.main)


def of_host(draft: SiteDraft, server: DraftServer) -> dict[str, Any]:
    """The host's own table, empty where it says what the main server does."""
    made = _told(draft, server)
    return made if made != settings(words(draft, draft.main)) else {}


def _told(draft: SiteDraft, server: DraftServer) -> dict[str, Any]:
    if not speaks_to(target for each in draft.servers() for target in _targets(each)):
        return {}
    return _looked_through(draft, words(draft, server))


def _targets(server: DraftServer) -> Iterator[str]:
    """Whom a server forwards to."""
    yield from (row.content["url"] for group in server.balancers.values() for row in group.members)
    yield from (row.content.get("proxy", "") for row in (*server.routes, *server.located))
    for row in (*server.rewrites, *server.inner):
        if {"P", "PROXY"} & {*map(str.upper, row.content.get("flags", ()))}:
            yield row.content["substitution"]


def of_targets(draft: SiteDraft) -> None:
    """Give balancers and URLs what <Proxy> sections say of them."""
    for server in draft.servers():
        sections = [section for owner in (draft.main, server) for section in owner.secured]
        named = {f"balancer://{name}/": group for name, group in server.balancers.items()}
        for url, group in named.items():
            members = (row.content["url"] for row in group.members)
            if any(_for(each.argument, url) for each in sections) and speaks_to(members):
                group.settings["tls"] = _looked_through(draft, words(draft, server, url))
        for section, said in server.secured.items():
            scheme, its = section.argument.lower().partition("//")[0], [each for _, each in said.values()]
            if _for(section.argument, ""):
                _over_the_mains(draft, server, section, its)
            elif scheme in _TLS:
                url = section.argument.removesuffix("*").rstrip("/")
                server.urls.setdefault(url, PooledUrl({}, its))
            elif scheme == "balancer:" and not any(_for(section.argument, url) for url in named):
                _over_the_mains(draft, server, section, its)
        for url, pooled in server.urls.items():
            if any(_for(each.argument, url + "/") and not _for(each.argument, "") for each in sections):
                pooled.bounds["tls"] = _looked_through(draft, words(draft, server, url + "/"))


def _over_the_mains(draft: SiteDraft, server: DraftServer, section: DraftSection, said: list[Directive]) -> None:
    """A section of a host is for what the main server's sections or balancers are for: those are all hosts' here."""
    main = [each.argument.removesuffix("*") for each in draft.main.secured if not _for(each.argument, "")]
    main += [f"balancer://{name}/" for name in draft.main.balancers]
    wild = _for(section.argument, "")
    found = [each for each in main if _for(section.argument, each) or (wild and not each.startswith("balancer:"))]
    if server is draft.main or not found:
        return
    for target in dict.fromkeys(found):
        draft.close(server, {"target": target.rstrip("/")}, section.directive)
    why = "a target of the main server is the same for all hosts: say it there, until then nobody gets to it here"
    draft.lose(said, why)


# -- out

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""The authorities that Debian trusts: httpd trusts nobody by itself."""
VERSIONS = {"1.2": "-all +TLSv1.2 +TLSv1.3", "1.3": "-all +TLSv1.3"}


def gathered(site: Site) -> Site:
    """What all members of a balancer say alike is what the balancer says."""
    groups = {}
    for name, group in site.balancers.items():
        said = {member.tls or group.tls for member in group.members.values()}
        if len(said) == 1 and None not in said:
            members = {key: replace(member, tls=None) for key, member in group.members.items()}
            group = replace(group, tls=said.pop(), members=members)
        groups[name] = group
    return replace(site, balancers=groups)


def plain(site: Site, lose: Lose) -> Site:
    """TLS towards members as Apache can say it."""
    whole = _plain(site.upstream_tls, ("upstream_tls",), "", lose) if speaks(site) else site.upstream_tls

    def own(tls: UpstreamTls | None, *at: str) -> UpstreamTls | None:
        return None if tls is None else _plain(tls, (*at,), whole.cert, lose)

    hosts = {name: replace(host, upstream_tls=own(host.upstream_tls, "hosts", name, "upstream_tls"))
             for name, host in site.hosts.items()}  # fmt: skip
    groups = {name: replace(group, tls=own(group.tls, "balancers", name, "tls"))
              for name, group in site.balancers.items()}  # fmt: skip
    return replace(site, upstream_tls=whole, hosts=hosts, balancers=groups)


def spoken(site: Site) -> Site:
    """A site without tables of TLS that nobody goes by, or that say what the wider one does."""
    speaking = speaks(site)
    whole = site.upstream_tls if speaking else UpstreamTls()
    hosts = {name: replace(host, upstream_tls=None) if not speaking or host.upstream_tls == whole else host
             for name, host in site.hosts.items()}  # fmt: skip
    groups = {name: group if speaks_to(each.url for each in group.members.values()) else replace(group, tls=None)
              for name, group in site.balancers.items()}  # fmt: skip
    return replace(site, upstream_tls=whole, hosts=hosts, balancers=groups)


def _plain(tls: UpstreamTls, at: Address, above: str, lose: Lose) -> UpstreamTls:
    """``above`` is the certificate that the main server shows."""
    if tls.key:
        lose((*at, "key"), "SSLProxyMachineCertificateFile holds certificate and key: put both into one")
    if above and not tls.cert:
        lose((*at, "cert"), "SSLProxyMachineCertificateFile of the main server cannot be taken back: it is shown here")
    return replace(
        tls,
        key="",
        cert=tls.cert or above,
        ca=(tls.ca or AUTHORITIES) if tls.verify else "",
        check_name=bool(tls.check_name) if not tls.verify else False if tls.check_name is False else None,
        check_expiry=None if tls.verify else bool(tls.check_expiry),
    )


def speaks(site: Site) -> bool:
    """Whether some member or target speaks TLS."""
    targets = [member.url for group in site.balancers.values() for member in group.members.values()]
    targets += [row.proxy or "" for row in site.routes if row.enabled]
    targets += [row.substitution for row in site.rewrites if row.enabled and flags.parse(row.flags).proxy]
    return speaks_to(targets)


def lines(tls: UpstreamTls | None) -> Lines:
    """All that a table says, for what is left out is what the server around it says. Raises Unsayable."""
    if tls is None:
        return []
    named = tls.verify if tls.check_name is None else tls.check_name
    return [
        "SSLProxyEngine On",
        f"SSLProxyProtocol {VERSIONS[tls.min_version]}",
        f"SSLProxyVerify {'require' if tls.verify else 'none'}",
        f"SSLProxyCheckPeerName {'On' if named else 'Off'}",
        f"SSLProxyCheckPeerExpire {'On' if tls.verify or tls.check_expiry else 'Off'}",
        *directives(FILES, tls, UpstreamTls()),
    ]


def lines_of_members(site: Site) -> Lines:
    """How https members are spoken to. Raises Unsayable."""
    return lines(site.upstream_tls) if speaks(site) else []
