"""What is wrong with folders that are served: private files of the site stand in them.

Such files are never served (``runtime.served_files``), but they are one mistake from it: a copy under another name is
served as any other. Names are compared as they are written; nothing is looked at on the disk. Pure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from proxy_core.config.folders import parted
from proxy_core.config.model import Site
from proxy_core.config.private_files import private_files
from proxy_core.errors import Address, Problem
from proxy_core.rules.lint.problems import warning

_MOST_NAMED = 3


def lint_exposure(site: Site, file: str) -> Iterator[Problem]:
    """``file`` is the path of the site file."""
    beside = os.path.dirname(os.path.abspath(file))
    private = sorted({os.path.abspath(file), *(os.path.abspath(os.path.join(beside, n)) for n in private_files(site))})
    for address, folder in _folders(site):
        top = os.path.abspath(os.path.join(beside, folder))
        found = [os.path.relpath(name, top) for name in private if os.path.commonpath((top, name)) == top]
        shown = [name for name in found if not any(part.startswith(".") for part in name.split(os.sep))]
        if shown:
            what = ", ".join([*shown[:_MOST_NAMED], *["…"] * (len(shown) > _MOST_NAMED)])
            todo = 'keep what is served in a folder of its own, as "www": a copy under another name would be served'
            yield warning(address, f"private files of the site are in {folder}, which is served: {what}", todo)


def _folders(site: Site) -> Iterator[tuple[Address, str]]:
    """Each folder that is served, and where the site says so."""
    if site.site.document_root:
        yield ("site", "document_root"), site.site.document_root
    for name, host in site.hosts.items():
        if host.document_root:
            yield ("hosts", name, "document_root"), host.document_root
    for table, rows in (("routes", site.routes), ("rewrites", site.rewrites)):
        for row in rows:
            if row.folder:
                yield (table, row.id, "folder"), parted(row)[0]
