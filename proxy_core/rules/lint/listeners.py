"""What is wrong with listeners, and with the hosts behind them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from proxy_core.config.model import Site
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint
from proxy_core.rules import hosts
from proxy_core.rules.lint.problems import error, unknown, warning


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
