"""What copies of requests have shown, as ``rproxy ctl shadow`` tells it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from proxy_core.control.cli.text_table import table
from proxy_core.control.watching.shadow_loads import ShadowGroup, ShadowLoad

COLUMNS = ("route", "copies to", "part", "copies", "same", "dropped", "in flight", "differences")


def shadow_report(loads: Sequence[ShadowLoad]) -> str:
    """A row for each route with a shadow, then the differences of each."""
    if not loads:
        return "no route has a shadow"
    lines = [table(COLUMNS, map(_row, loads))]
    for load in loads:
        if load.groups:
            head = ("count", "path", "kind", "real → copy, last", "request")
            lines += ["", f"{load.route}:", table(head, map(_group, load.groups))]
    return "\n".join(lines)


def _row(load: ShadowLoad) -> tuple[str, ...]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in load.kinds.items()) or "none"
    return (
        load.route, load.pool, f"{100 * load.share:g} %", str(load.requests), str(load.same), str(load.dropped),
        str(load.in_flight), kinds,
    )  # fmt: skip


def _group(group: ShadowGroup) -> tuple[str, ...]:
    return str(group.count), group.shape, group.kind, f"{group.real} → {group.copy}", str(group.record)
