"""What is wrong with [compress]: tables that code nothing, whatever else they say."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import Compress, Site
from proxy_core.errors import Problem
from proxy_core.rules.compressing import offer, tables

OFF = Compress()
"""A table that says nothing: it switches the wider one off."""


def lint_compress(site: Site) -> Iterator[Problem]:
    for at, table in tables(site):
        if offer(table) is None and table != OFF:
            missing = "codings" if table.types else "types"
            todo = f"add {missing}, or leave the table empty to switch it off" if len(at) > 1 else f"add {missing}"
            what = f"nothing is coded: it has no {missing}"
            yield Problem(what=what, todo=todo, severity="warning", address=(*at, missing))
