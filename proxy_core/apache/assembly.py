"""From a draft to the rows of a site: the main server laid under its virtual hosts as httpd merges them.

Rows without a host belong to every host and come before its own, which is what httpd makes of ProxyPass, Header and
ErrorDocument of a main server. Where httpd's order is another one (a <Location>'s ProxyPass beats the main server's,
a virtual host inherits rules in its own way, maps and balancers of one name differ), rows are copied into the hosts
or renamed, so that the site means the same. Blocks come out in the order in which a person would read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from proxy_core.apache import tls
from proxy_core.apache.draft import Block, Draft, Row, Server, Unsupported, block, slug, unique
from proxy_core.apache.files import merged
from proxy_core.apache.inheritance import rewriting
from proxy_core.apache.lexer import Directive
from proxy_core.apache.proxy import interpolating
from proxy_core.apache.rewrite import dsn
from proxy_core.apache.routing import routes
from proxy_core.config.model import Host, Options
from proxy_core.config.schema import fields

OWN = frozenset(field.name for field in fields(Host))


def assembled(draft: Draft) -> list[Block]:
    """All blocks of the site."""
    hosts = reached(draft)
    name_hosts(hosts)
    draft.hosts = list(hosts)
    name_balancers(draft)
    databases(draft)
    for server in draft.servers():
        options_of(draft, server)
    interpolating(draft)
    merged(draft)
    open_to_all(draft)
    blocks = [site(draft), *listeners(draft, hosts)]
    if draft.main.limits.content:
        blocks.append(Block(("limits",), draft.main.limits.content, tuple(draft.main.limits.origins)))
    if draft.heartbeat is not None:
        blocks.append(Block(("heartbeat",), draft.heartbeat.content, tuple(draft.heartbeat.origins)))
    if draft.access_log is not None:
        blocks.append(Block(("access_log",), draft.access_log.content, tuple(draft.access_log.origins)))
    covered = {name for names in hosts.values() for name in names}
    answers = not hosts or len(covered) < len(draft.listeners)
    rules = rewriting(draft, answers)
    blocks += [host(draft, server, names, rules.inherits) for server, names in hosts.items()]
    taking, itself = routes(
        draft, [row.content["name"] for row in draft.listeners if row.content["name"] not in covered]
    )
    blocks += itself
    blocks += rows(draft, "env", lambda server: server.env)
    blocks += rules.blocks
    blocks += taking
    blocks += rows(draft, "locations", lambda server: server.locations)
    blocks += [Block(("access", name), row.content, tuple(row.origins)) for name, row in draft.accesses.items()]
    blocks += [Block(("auth", name), row.content, tuple(row.origins)) for name, row in draft.auths.items()]
    blocks += rows(draft, "headers", lambda server: server.headers)
    blocks += rows(draft, "reverse", lambda server: server.reverse)
    blocks += rows(draft, "errors", lambda server: server.errors)
    return [*blocks, *balancers(draft)]


def reached(draft: Draft) -> dict[Server, list[str]]:
    """The virtual hosts that a listener leads to, each with the names of its listeners. One that httpd would never
    choose, for there is no Listen for it, is left out."""
    found: dict[Server, list[str]] = {}
    for row in draft.listeners:
        here, _, port = row.content["address"].rpartition(":")
        fits: list[tuple[Server, bool]] = []
        for server in draft.hosts:
            assert server.directive is not None
            given = [address(word) for word in server.directive.args or ("*",)]
            there = [host for host, wanted in given if wanted in ("", "*", port)]
            exact = here not in ("", "0.0.0.0", "[::]") and here in there
            if exact or any(host == "*" or here in ("", "0.0.0.0", "[::]") for host in there):
                fits.append((server, exact))
        exactly = any(exact for _, exact in fits)
        for server, exact in fits:
            if exact or not exactly:
                found.setdefault(server, []).append(row.content["name"])
    for server in draft.hosts:
        if server not in found and server.directive is not None:
            draft.note(server.directive, "ignored", "no Listen leads to it, so httpd never chooses it")
    return {server: found[server] for server in draft.hosts if server in found}


def address(word: str) -> tuple[str, str]:
    """Host and port of <VirtualHost host:port>; names of hosts are taken for every address."""
    host, colon, port = word.rpartition(":") if not word.endswith("]") else (word, "", "")
    if not colon:
        host, port = word, ""
    literal = re.fullmatch(r"[\d.]+|\[.*\]", host)
    return (host if literal else "*"), port


def name_hosts(hosts: Mapping[Server, list[str]]) -> None:
    """Each gets the first label of its name where that tells it apart, else the whole, else a number behind it."""
    bare = {server: re.sub(r":\d+$", "", server.server_name or (server.names or ["default"])[0]) for server in hosts}
    labels = [name.partition(".")[0] for name in bare.values()]
    taken: set[str] = set()
    for server, name in bare.items():
        label = name.partition(".")[0]
        short = label if labels.count(label) == 1 and label not in ("www", "*") and not label.isdigit() else name
        server.name = unique(slug(short.replace("*", "any").replace(".", "-")), taken)
        taken.add(server.name)


def databases(draft: Draft) -> None:
    """SQL maps get the database of their server."""
    for server in draft.servers():
        for row in [row for row in server.maps.values() if row.content["type"] in ("dbd", "fastdbd")]:
            said = [server.said(name) or draft.main.said(name) or "" for name in ("dbddriver", "dbdparams")]
            try:
                row.content["dsn"] = dsn(*said)
            except Unsupported as why:
                draft.lose({row.origins[-1].place}, str(why))


_OF_OPTIONS = (
    "timeout", "error_override", "override_codes", "preserve_host", "encoded_slashes", "merge_slashes", "via",
    "add_forwarded", "canonical_name",
)  # fmt: skip


_OF_THE_SITE = (
    "tunnel_timeout", "document_root", "directory_index", "trusted_proxies", "internal_proxies", "client_header",
    "proxies_header",
)  # fmt: skip


def options_of(draft: Draft, server: Server) -> None:
    """ProxyTimeout comes before Timeout, in a host as in the main server."""
    own = server.options.get("proxy_timeout")
    if own is None and "timeout" in server.options and draft.main.options.get("proxy_timeout") is None:
        own = server.options["timeout"]
    server.options.pop("timeout", None)
    if own is not None and own[0]:
        server.options["timeout"] = own


def site(draft: Draft) -> Block:
    main = draft.main
    known = frozenset(field.name for field in fields(Options))
    name = re.sub(r":\d+$", "", main.server_name)
    content: dict[str, Any] = {"server_name": name} if name else {}
    origins = [main.options["servername"][1]] if name else []
    if "client_header" in main.options and not {"trusted_proxies", "internal_proxies"} & main.options.keys():
        main.options["trusted_proxies"] = (["0.0.0.0/0", "::/0"], main.options["client_header"][1])
    for key in (*_OF_OPTIONS, *_OF_THE_SITE):
        if key in main.options and key in known:
            content[key] = main.options[key][0]
            origins.append(main.options[key][1])
        elif key in main.options:
            draft.lose({main.options[key][1].place}, "nothing is served from files")
    waits = sorted({seconds for seconds, _ in draft.connects if seconds})
    if waits:
        content["connect_timeout"] = waits[-1]
        origins += [said for _, said in draft.connects][:1]
    for seconds, said in draft.connects if len(waits) > 1 else ():
        if seconds != waits[-1]:
            draft.lose({said.place}, f"connecting may take {waits[-1]:g} s everywhere, the longest said")
    content["trace"] = all(server.said("trace") is not False for server in draft.servers())
    for server in draft.servers():
        if server.said("trace") not in (None, content["trace"]):
            draft.lose({server.options["trace"][1].place}, "TRACE is for all hosts or none, and another one says Off")
    return Block(("site",), content | {"reverse": "off", "forwarded": "append"}, tuple(origins))


def _proxy_protocol(draft: Draft, there: Sequence[Server]) -> dict[str, Any]:
    """Whether connections begin with a PROXY header: what any server says that is reached there. Somebody must be
    trusted to send one."""
    said = [each.options["proxy_protocol"] for each in (draft.main, *there) if each.said("proxy_protocol")]
    if not said:
        return {}
    if {"trusted_proxies", "internal_proxies"} & draft.main.options.keys():
        return {"proxy_protocol": True}
    why = "nobody is believed: name the balancer in front in trusted_proxies, and set proxy_protocol = true"
    draft.lose({directive.place for _, directive in said}, why)
    return {}


def listeners(draft: Draft, hosts: Mapping[Server, list[str]]) -> Iterator[Block]:
    bound = set[Server]()
    for row in draft.listeners:
        name = row.content["name"]
        there = [server for server, names in hosts.items() if name in names] or [draft.main]
        secure = tls.listener(draft, there)
        content = {"address": row.content["address"]}
        yield Block(("listeners", name), content | _proxy_protocol(draft, there), tuple(row.origins))
        first = there[0].limits
        if there[0] is not draft.main and first.content:
            yield Block(("listeners", name, "limits"), first.content, tuple(first.origins))
        bound.add(there[0])
        if secure is not None:
            yield Block(("listeners", name, "tls"), secure, _origins(draft, there, "ssl_engine", "ssl_cert", "ssl_key"))
    for server in draft.hosts:
        if server not in bound:
            lost = "bounds are kept for whoever comes to an address: those of its first host count"
            draft.lose({said.place for said in server.limits.origins}, lost)
    targets = [row.content["url"] for server in draft.servers() for group in server.balancers.values()
               for row in group.members]  # fmt: skip
    for server in draft.servers():
        targets += [row.content.get("proxy", "") for row in (*server.routes, *server.located)]
        forwards = [
            row
            for row in (*server.rewrites, *server.inner)
            if {"P", "PROXY"} & {*map(str.upper, row.content.get("flags", ()))}
        ]
        targets += [row.content["substitution"] for row in forwards]
    upstream = tls.upstream(draft, targets)
    if upstream:
        yield Block(("upstream_tls",), upstream, _origins(draft, draft.servers(), "ssl_proxy", "ssl_proxy_verify"))


def _origins(draft: Draft, servers: Iterable[Server], *names: str) -> tuple[Directive, ...]:
    return tuple(server.options[name][1] for server in servers for name in names if name in server.options)


def open_to_all(draft: Draft) -> None:
    """Where nothing keeps anybody out, "all granted" says nothing: such conditions go, and rows that said no more."""
    rows = [row for server in draft.servers() for row in server.locations]
    keeps = any(row.content.get("require", ["all granted"]) != ["all granted"] for row in rows) or draft.accesses
    used = {
        row.content.get("location")
        for server in draft.servers()
        for rows in (server.headers, server.errors, server.reverse, server.inner, server.env)
        for row in rows
    }
    for server in draft.servers():
        for row in server.locations if not keeps else ():
            row.content.pop("require", None)
        server.locations = [row for row in server.locations if len(row.content) > 2 or row.content.get("id") in used]


def host(draft: Draft, server: Server, listeners: list[str], inherits: Mapping[Server, str]) -> Block:
    names = [re.sub(r":\d+$", "", name) for name in (server.server_name, *server.names) if name]
    content: dict[str, Any] = {"names": list(dict.fromkeys(names))} if names else {}
    if len(listeners) != len(draft.listeners):
        content["listeners"] = listeners
    if re.search(r":\d+$", server.server_name):
        content["server_name"] = server.server_name
    if server in inherits:
        content["rewrites"] = inherits[server]
    origins = [server.directive] if server.directive is not None else []
    for key in (*_OF_OPTIONS, "max_body", "document_root", "directory_index"):
        if key in server.options and server.options[key][0] != draft.main.said(key):
            if key in OWN:
                content[key] = server.options[key][0]
                origins.append(server.options[key][1])
            else:
                draft.lose({server.options[key][1].place}, f"a host has no {key} of its own; the site's holds")
    return Block(("hosts", server.name), content, tuple(origins))


def rows(draft: Draft, table: str, of: Callable[[Server], list[Row]]) -> list[Block]:
    """The rows of a table: the main server's for every host, then the hosts' own."""
    return [block(table, server, row) for server in draft.servers() for row in of(server)]


def name_balancers(draft: Draft) -> None:
    """A balancer of a virtual host keeps its name unless another has it; whatever names it follows."""
    taken: set[str] = set()
    for server in draft.servers():
        renamed = {}
        for name in list(server.balancers):
            new = unique(slug(name), taken) if slug(name) not in taken else unique(f"{slug(name)}-{server.name}", taken)
            taken.add(new)
            renamed[name] = new
        base = {} if not server.name else {name: name for name in draft.main.balancers}
        rename_in(server, base | renamed)
        server.balancers = {renamed[name]: group for name, group in server.balancers.items()}


def rename_in(server: Server, names: Mapping[str, str]) -> None:
    def put(text: str) -> str:
        return re.sub(
            r"^balancer://([^/$%{]+)",
            lambda found: "balancer://" + names.get(found[1].lower(), found[1]),
            text,
            flags=re.IGNORECASE,
        )

    for key, found in (
        ("proxy", (*server.routes, *server.located)), ("substitution", server.rewrites),
        ("internal", server.reverse), ("target", server.locations),
    ):  # fmt: skip
        for row in found:
            if key in row.content:
                row.content[key] = put(row.content[key])


def balancers(draft: Draft) -> Iterator[Block]:
    for server in draft.servers():
        for name, group in server.balancers.items():
            if group.settings or not group.members:
                yield Block(("balancers", name), group.settings, tuple(dict.fromkeys(group.origins)))
            taken: set[str] = set()
            for row in group.members:
                member = unique(member_name(row.content["url"]), taken)
                taken.add(member)
                yield Block(("balancers", name, "members", member), row.content, tuple(row.origins))


def member_name(url: str) -> str:
    """A member by host and port, as people call it."""
    authority = re.sub(r"^.*://", "", url.partition("|")[2] or url).partition("/")[0]
    name, _, port = authority.partition(":")
    if name in ("127.0.0.1", "localhost"):
        name = "local"
    short = name.replace(".", "-") if re.fullmatch(r"[\d.]+", name) else name.partition(".")[0]
    return slug(f"{short}-{port}" if port else short)
