"""What is wrong with listeners, with the hosts behind them, and with access logs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from proxy_core.config.log_directives import BadFormat, parsed
from proxy_core.config.model import AccessLog, AccessLogRow, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.target import endpoint
from proxy_core.rules import hosts
from proxy_core.rules.expression.evaluation import compile_expr
from proxy_core.rules.lint.problems import error, missing, refused, unknown, warning


def lint_listeners(site: Site) -> Iterator[Problem]:
    bound: dict[str, tuple[str, int]] = {}
    for name, listener in site.listeners.items():
        try:
            bound[name] = endpoint(listener.address)
        except ValueError as reason:
            yield error(("listeners", name, "address"), str(reason), 'write host:port, as in "127.0.0.1:8080"')
    for one, other in combinations(bound, 2):
        if _clash(bound[one], bound[other]):
            yield error(
                ("listeners", other, "address"),
                f'"{site.listeners[other].address}" is taken by listener {one} ("{site.listeners[one].address}")',
                "give each listener a port of its own, or remove one",
            )
    if site.access_log is not None:
        yield from _access_log(("access_log",), site.access_log)
    for row in site.access_logs:
        address = ("access_logs", row.id)
        yield from missing(address, "host", row.host, site.hosts)
        if row.every_host and row.host:
            todo = "delete host, or delete every_host"
            yield error((*address, "every_host"), "the row is for one host, and for every host", todo)
        yield from _access_log(address, row)


def _access_log(address: Address, log: AccessLog | AccessLogRow) -> Iterator[Problem]:
    if log.env and log.expr:
        todo = "put both into expr: reqenv('NAME') =~ /./ && …"
        yield error((*address, "env"), "the log has two conditions", todo)
    if log.expr:
        yield from refused((*address, "expr"), "correct the expression", compile_expr, log.expr)
    try:
        if log.format != "json":
            parsed(log.format)
    except BadFormat as reason:
        yield error((*address, "format"), str(reason), reason.todo)


def _clash(one: tuple[str, int], other: tuple[str, int]) -> bool:
    if one[1] != other[1] or one[1] == 0:
        return False
    return one[0] == other[0] or any(_covers(a, b) for a, b in ((one[0], other[0]), (other[0], one[0])))


def _covers(host: str, other: str) -> bool:
    """Whether an address stands for every address of a family that ``other`` may be in."""
    return host == "" or (host == "0.0.0.0" and ":" not in other) or (host == "::" and (":" in other or other == ""))


def lint_hosts(site: Site) -> Iterator[Problem]:
    taken: dict[tuple[str, str], str] = {}
    for name, host in site.hosts.items():
        address = ("hosts", name)
        shared: set[tuple[str, str]] = set()
        if not host.names and not host.server_name:
            what = f"host {name} has no names: it is reached only where it is the first of its listener"
            yield warning(address, what, 'add names = ["shop.example"]')
        for listener in host.listeners:
            if listener not in site.listeners:
                yield unknown((*address, "listeners"), "listener", listener, site.listeners)
        for listener in host.listeners or site.listeners:
            for each in sorted(hosts.names(host).plain):
                other = taken.setdefault((listener, each), name)
                if other != name and (each, other) not in shared:
                    shared.add((each, other))
                    what = f'"{each}" is a name of host {other} too, which stands above and has its requests'
                    yield warning((*address, "names"), what, "remove it from one of the two")
