"""Rewriting sites as httpd.conf: RewriteRule, RewriteCond, RewriteMap and SetEnvIf, each site a virtual host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from proxy_core.config.model import RewriteRule, Site
from tests.conformance.apache import LOADED, over_the_wire, running, spelled
from tests.semantics.askers import Asker

MODULES = [*LOADED, "rewrite", "setenvif"]


def rules(rows: tuple[RewriteRule, ...]) -> list[str]:
    """The directives for rules and their conditions."""
    lines = []
    for row in rows:
        lines += [f'RewriteCond "{c.test}" "{c.pattern}"{_flags(c.flags)}' for c in row.conditions]
        lines.append(f'RewriteRule "{row.pattern}" "{row.substitution}"{_flags(row.flags)}')
    return lines


def _flags(flags: tuple[str, ...]) -> str:
    return f' "[{",".join(flags)}]"' if flags else ""


def virtual_host(folder: Path, name: str, site: Site) -> str:
    """The site as a virtual host, its maps written to ``folder``."""
    lines = ["RewriteEngine On"]
    for key, settings in site.maps.items():
        source = f"int:{settings.function}"
        if settings.type == "txt":
            file = folder / f"{name}-{key}.txt"
            file.write_text("".join(f"{one} {other}\n" for one, other in settings.entries.items()))
            file.chmod(0o644)
            source = f"txt:{file}"
        lines.append(f'RewriteMap {key} "{source}"')
    for row in site.env:
        attribute = {"%{REMOTE_ADDR}": "Remote_Addr", "%{HTTP:X-Env}": "X-Env", "%{QUERY_STRING}": "Query_String"}
        value = "" if row.value is None else f"={row.value}"
        lines.append(f'SetEnvIf {attribute[row.from_]} "{row.capture}" {"!" * row.unset}{row.name}{value}')
    lines += rules(site.rewrites)
    return spelled(name, site).replace("</VirtualHost>", "\n".join([*lines, "</VirtualHost>"]))


@contextmanager
def rewriting_apache(sites: Mapping[str, Site]) -> Iterator[Asker]:
    """An asker of a running httpd that serves these sites."""
    with running(MODULES, lambda folder: [virtual_host(folder, name, site) for name, site in sites.items()]) as port:
        yield partial(over_the_wire, port)


INHERITS = {
    "before": "RewriteEngine On\nRewriteOptions InheritBefore",
    "after": "RewriteEngine On\nRewriteOptions Inherit",
    "own": "RewriteEngine On",
    "off": "RewriteEngine Off",
}


@contextmanager
def hosts_apache(site: Site) -> Iterator[Asker]:
    """An asker of a running httpd whose main server and virtual hosts are the site and its hosts."""
    lines = ["RewriteEngine On", *rules(tuple(row for row in site.rewrites if not row.host))]
    lines += [f'ProxyPass "{row.path}" "{row.proxy}"' for row in site.routes if not row.host]
    for name, host in site.hosts.items():
        first, *others = host.names
        lines.append(f"<VirtualHost *>\nServerName {first}\n{INHERITS[host.rewrites]}")
        lines += [f"ServerAlias {other}" for other in others]
        lines += rules(tuple(row for row in site.rewrites if row.host == name))
        lines += [f'ProxyPass "{row.path}" "{row.proxy}"' for row in site.routes if row.host == name]
        lines.append("</VirtualHost>")
    with running(MODULES, lambda folder: lines) as port:
        yield partial(over_the_wire, port)
