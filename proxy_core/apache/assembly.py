"""From a draft to the rows of a site: the main server laid under its virtual hosts as httpd merges them.

Rows without a host belong to every host and come before its own, which is what httpd makes of ProxyPass, Header and
ErrorDocument of a main server. Where httpd's order is another one, rows are copied into the hosts or renamed, so that
the site means the same: a <Location>'s ProxyPass beats the main server's, a virtual host inherits rules in its own way,
maps and balancers of one name differ. Blocks come out in the order in which a person would read them.
"""

from __future__ import annotations

from typing import Any

from proxy_core.apache.blocks import Block, block, table
from proxy_core.apache.draft import SiteDraft
from proxy_core.apache.subjects import (
    balancing,
    compression,
    file_types,
    links,
    overrides,
    section_kinds,
    strictness,
    variables,
)
from proxy_core.apache.subjects.access import open_to_all
from proxy_core.apache.subjects.access_log import logs
from proxy_core.apache.subjects.client_address import believed
from proxy_core.apache.subjects.files import merged
from proxy_core.apache.subjects.hosts import OF_FILES, OF_SERVERS, host, name_hosts, reached, without_port
from proxy_core.apache.subjects.listeners import listeners
from proxy_core.apache.subjects.listings import ignoring, with_guarded_indexes
from proxy_core.apache.subjects.member_tls import of_targets
from proxy_core.apache.subjects.pooled_urls import pools
from proxy_core.apache.subjects.rewrite_maps import databases
from proxy_core.apache.subjects.rewriting import folders, rewriting
from proxy_core.apache.subjects.route_order import routes
from proxy_core.apache.subjects.routes import interpolating, redirecting
from proxy_core.apache.subjects.section_rules import sections
from proxy_core.apache.subjects.tls_variables import environment


def assembled(draft: SiteDraft) -> list[Block]:
    """All blocks of the site."""
    hosts = reached(draft)
    name_hosts(draft, hosts)
    draft.hosts = list(hosts)
    covered = {name for names in hosts.values() for name in names}
    uncovered = [row.content["name"] for row in draft.listeners if row.content["name"] not in covered]
    answers = not hosts or bool(uncovered)
    environment(draft)
    variables.unset_in_sections(draft)
    variables.of_rewriting(draft)
    variables.of_pages(draft)
    sections(draft, answers)
    folders(draft)
    believed(draft, answers)
    for server in draft.hosts:  # merge_core_dir_configs: a virtual host has its own word for it, or Off
        if "encoded_slashes" in draft.main.options:
            server.options.setdefault("encoded_slashes", ("refuse", draft.main.options["encoded_slashes"][1]))
    of_targets(draft)
    pools(draft)
    ignoring(draft)
    links.settled(draft)
    with_guarded_indexes(draft)
    balancing.merged(draft)
    balancing.name_balancers(draft)
    databases(draft)
    timeouts(draft)
    interpolating(draft)
    redirecting(draft)
    overrides.settled(draft)
    file_types.settled(draft)
    compression.settled(draft)
    strictness.settled(draft, hosts)
    section_kinds.settled(draft)
    merged(draft)
    open_to_all(draft)
    for server in draft.servers():
        server.locations += server.closed
    blocks = [site(draft), *listeners(draft, hosts)]
    limits = draft.main.limits if draft.main.limits.content else None
    tables = {"limits": limits, "heartbeat": draft.heartbeat,
              "cache": draft.cache if draft.cache.content else None,
              "file_types": draft.main.file_types if draft.main.file_types.content else None,
              "compress": draft.main.compress if draft.main.compress.content else None}  # fmt: skip
    blocks += [table((name,), row) for name, row in tables.items() if row is not None]
    blocks += logs(draft)
    rules = rewriting(draft, answers)
    taking, itself = routes(draft, uncovered)
    taking += [block("routes", server, row) for server in draft.servers() for row in server.sent]
    servers = ["", *(server.name for server in draft.hosts), *(each.path[1] for each in itself)]
    taking.sort(key=lambda each: servers.index(each.content.get("host", "")))
    blocks += [host(draft, server, names, rules.inherits) for server, names in hosts.items()]
    blocks += [*itself, *rows(draft, "env"), *rules.blocks, *taking, *rows(draft, "locations")]
    blocks += [table(("access", name), row) for name, row in draft.accesses.items()]
    blocks += [table(("auth", name), row) for name, row in draft.auths.items()]
    blocks += [each for name in ("headers", "expires", "reverse", "errors") for each in rows(draft, name)]
    return [*blocks, *balancing.balancers(draft)]


def timeouts(draft: SiteDraft) -> None:
    """ProxyTimeout comes before Timeout, in a host as in the main server."""
    for server in [*draft.hosts, draft.main]:
        own, general = server.options.pop("timeout", None), server.options.pop("general_timeout", None)
        if own is None and "timeout" not in draft.main.options:
            own = general
        if own is not None and own[0]:
            server.options["timeout"] = own


def site(draft: SiteDraft) -> Block:
    """[site]."""
    main = draft.main
    name = main.server_name if main.option("canonical_name") else without_port(main.server_name)
    content: dict[str, Any] = {"server_name": name} if name else {}
    origins = [main.options["servername"][1]] if name else []
    named = ("trusted_proxies", "internal_proxies", "client_header", "proxies_header")
    if "client_header" in main.options and not {*named[:2]} & main.options.keys():
        main.options["trusted_proxies"] = (["0.0.0.0/0", "::/0"], main.options["client_header"][1])
    for key in (*OF_SERVERS, "tunnel_timeout", *OF_FILES, *named):
        if key in main.options:
            content[key], origin = main.options[key]
            origins.append(origin)
    waits = [seconds for seconds, _ in draft.connects if seconds]
    if waits:
        content["connect_timeout"] = longest = max(waits)
        origins.append(draft.connects[0][1])
        for directive in [origin for seconds, origin in draft.connects if len({*waits}) > 1 and seconds != longest]:
            draft.lose([directive], f"connecting may take {longest:g} s everywhere, the longest said")
    content["trace"] = all(server.option("trace") is not False for server in draft.servers())
    for server in draft.servers():
        if server.option("trace") not in (None, content["trace"]):
            draft.lose([server.options["trace"][1]], "TRACE is for all hosts or none, and another one says Off")
    return Block(("site",), content | {"reverse": "off", "forwarded": "append"}, tuple(origins))


def rows(draft: SiteDraft, name: str) -> list[Block]:
    """The rows of a table: the main server's for every host, then the hosts' own."""
    return [block(name, server, row) for server in draft.servers() for row in getattr(server, name)]
