"""What is wrong with access logs: their formats and conditions, and the hosts that they are for."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.log_directives import BadFormat, parsed
from proxy_core.config.model import AccessLog, AccessLogRow, Site
from proxy_core.errors import Address, Problem
from proxy_core.rules.expression.evaluation import compile_expr
from proxy_core.rules.lint.problems import error, missing, refused


def lint_access_logs(site: Site) -> Iterator[Problem]:
    if site.access_log is not None:
        yield from _log(("access_log",), site.access_log)
    for row in site.access_logs:
        address = ("access_logs", row.id)
        yield from missing(address, "host", row.host, site.hosts)
        if row.every_host and row.host:
            todo = "delete host, or delete every_host"
            yield error((*address, "every_host"), "the row is for one host, and for every host", todo)
        yield from _log(address, row)


def _log(address: Address, log: AccessLog | AccessLogRow) -> Iterator[Problem]:
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
