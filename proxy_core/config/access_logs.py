"""Which logs have which requests: [access_log] and the rows of [[access_logs]], file by file.

A host that has rows of its own is written to these alone; all others, and what is refused before a host is known, go to
the server's: ``multi_log_transaction`` and ``merge_config_log_state`` of mod_log_config.c. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxy_core.config.model import AccessLog, AccessLogRow, Site
from proxy_core.errors import Address

Logs = Mapping[str, tuple[AccessLog, ...]]
"""What one file gets, by the host that a request is for; "" stands for every host that is not named."""


def in_order(site: Site) -> Iterator[tuple[Address, AccessLog | AccessLogRow]]:
    """The logs that are in service, with their addresses."""
    if site.access_log is not None:
        yield ("access_log",), site.access_log
    for row in site.access_logs:
        if row.enabled:
            yield ("access_logs", row.id), row


def files(site: Site) -> dict[str, Address]:
    """The files that are written, each with the address of the first log that names it; "-" is among them."""
    found: dict[str, Address] = {}
    for address, log in in_order(site):
        found.setdefault(log.file, (*address, "file"))
    return found


def by_file(site: Site) -> dict[str, Logs]:
    """What each file gets."""
    rows = [log for _, log in in_order(site)]
    own = {log.host for log in rows if isinstance(log, AccessLogRow)} - {""}
    found: dict[str, dict[str, tuple[AccessLog, ...]]] = {}
    for log in rows:
        settings = AccessLog(file=log.file, format=log.format, env=log.env, expr=log.expr)
        hosts = found.setdefault(log.file, {})
        if isinstance(log, AccessLogRow) and log.host:
            taking: set[str] = {log.host}
        else:
            taking = {"", *(own if isinstance(log, AccessLogRow) and log.every_host else ())}
            hosts |= {host: hosts.get(host, ()) for host in own}
        hosts |= {host: (*hosts.get(host, ()), settings) for host in taking}
    return {file: hosts for file, hosts in found.items() if any(hosts.values())}
