"""What is wrong with health checks and the metrics listener, where one field alone does not show it."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import HealthCheck, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.statuses import status_ranges
from proxy_core.http.target import endpoint, is_loopback
from proxy_core.rules.expression.evaluation import ExprError, compile_expr
from proxy_core.rules.lint.problems import error, warning


def lint_health(site: Site) -> Iterator[Problem]:
    for name, group in site.balancers.items():
        if group.health is not None:
            yield from _check(("balancers", name, "health"), group.health)
    if site.metrics is not None:
        yield from _metrics(site.metrics.address)


def _check(address: Address, check: HealthCheck) -> Iterator[Problem]:
    if check.method in ("none", "tcp"):
        for key, means in (("uri", check.uri != "/"), ("expr", check.expr is not None)):
            if means:
                what = f"{key} means nothing with method {check.method}, which asks for nothing"
                yield warning((*address, key), what, 'set method = "get"')
    elif check.method == "head" and check.expr is not None and "body" in check.expr:
        yield warning((*address, "expr"), "an answer to HEAD has no body", 'set method = "get"')
    if check.uri == "*" and check.method != "options":
        yield error((*address, "uri"), f'"*" is no target of {check.method}', "write a path, or ask for options")
    if not check.expect and check.expr is None:
        yield error((*address, "expect"), "no status is a good one, so every check fails", 'write "200-399"')
    try:
        status_ranges(check.expect)
    except ValueError as reason:
        yield error((*address, "expect"), str(reason), 'write statuses as "200" or "200-399"')
    if check.expr is not None:
        try:
            compile_expr(check.expr)
        except ExprError as reason:
            yield error((*address, "expr"), str(reason), "correct it")


def _metrics(written: str) -> Iterator[Problem]:
    address = ("metrics", "address")
    try:
        host, _ = endpoint(written)
    except ValueError as reason:
        yield error(address, str(reason), 'write host:port, as in "127.0.0.1:9090"')
        return
    if not is_loopback(host):
        todo = 'write "127.0.0.1:9090"; for readers elsewhere put a proxy with access control in front'
        yield error(address, f'metrics are read on this machine alone, and "{written}" reaches further', todo)
