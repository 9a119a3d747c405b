"""Folders whose files answer requests: what a site says of them, and what they are called inside.

An internal member serves files, and requests reach it as they reach every member. Their target begins with the key of a
Root, so it can serve nothing that the site in force does not name. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from proxy_core.config.model import Options, RewriteRule, Route, Site

FILES = "local files"
"""Name of the pool of the internal member; no balancer and no origin can have it."""
INSIDE = "unix:/dev/null/files"
"""The host that it is reached at: a socket that cannot exist in the file system, as nothing can below /dev/null."""


METHODS = ("GET", "POST", "OPTIONS", "HEAD")
"""What may be done with a file; POST is answered with it, as by httpd's default handler."""

MADE = "!"
"""Stands behind the key of a target whose last slash is that of the request alone, for a row has made the path of it
without one: a file answers all the same, a folder is as if it were asked for with its slash (mod_dir goes by the URI,
the default handler by the file's name)."""


CODED = "*"
"""Stands around what is put before the key of a target: the codings that the client takes for a file that is coded
already, those that it likes best first."""


class Inside(Struct, frozen=True):
    """What the first part of a target inside says: the key of a Root, and whose word on types of files holds: that of a
    host, and of rows of [[locations]]."""

    key: str
    host: str = ""
    sections: tuple[str, ...] = ()

    def spelled(self) -> str:
        return "~".join([self.key, self.host, *self.sections]) if self.host or self.sections else self.key


def inside(spelled: str) -> Inside:
    """What such a part says; no name has a tilde in it."""
    key, host, *sections = (*spelled.split("~"), "")[: max(2, spelled.count("~") + 1)]
    return Inside(key, host, tuple(sections))


class Root(Struct, frozen=True):
    """A folder as configured, and the names that stand for a folder in it."""

    folder: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        from hashlib import blake2b  # whoever only looks at a site loads no OpenSSL

        return blake2b(repr((self.folder, self.names)).encode(), digest_size=12).hexdigest()


def parted(row: Route | RewriteRule) -> tuple[str, str]:
    """The folder of a row, and what makes the path in it, with $N: with path_regex a folder ends before the first
    segment that has a $N. The second is "" where nothing has one."""
    folder = row.folder or ""
    found = isinstance(row, Route) and row.path_regex is not None
    first = re.search(r"\$[0-9]", folder) if found else None
    if first is None:
        return folder, ""
    fixed, slash, _ = folder[: first.start()].rpartition("/")
    return fixed or slash, folder[len(fixed) :]


def root_of(options: Options, row: Route | RewriteRule | None = None) -> Root | None:
    """The Root of a route or a rule, or the document_root, None where there is none."""
    folder = options.document_root if row is None else parted(row)[0]
    return Root(folder, options.directory_index) if folder else None


def serves_files(site: Site) -> bool:
    return bool(
        site.site.document_root
        or any(host.document_root for host in site.hosts.values())
        or any(row.folder for row in site.routes)
        or any(row.folder for row in site.rewrites)
    )
