"""What the tables of a site file have in common, and the keys with which the rows of every list begin.

A SiteTable is frozen, refuses keys that it does not have and leaves out what is at its default. Each kind of table says
``frozen`` and ``kw_only`` again: type checkers want the one, and msgspec does not inherit the other.
"""

from msgspec import Struct

from proxy_core.config.model.types import RowId


class SiteTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of a site file."""


class SiteRow(SiteTable, frozen=True, kw_only=True):
    """A row of an ordered list."""

    id: RowId = ""
    """The row's name in the console, logs and commands; made from what the row says where it is missing. A row keeps
    its counters as long as it keeps its id."""


class HostRow(SiteRow, frozen=True, kw_only=True):
    """A row that belongs to the server or to one of its hosts."""

    host: str = ""
    """Name of the [hosts.NAME] that the row belongs to; without it the row belongs to the server and holds for every
    host."""

    enabled: bool = True
    """false leaves the row in the file but takes it out of service."""


class LocationRow(HostRow, frozen=True, kw_only=True):
    """A row that may be for the requests of one location alone."""

    location: str = ""
    """Id of the row of [[locations]] whose requests the row is for; empty: all of them."""
