"""Edits of a site file: small named changes, addressed by keys and row ids.

An Edit is applied to the file's *text* (see ``edited``), so that comments, order and spelling of everything else
stay; see docs/architecture.md. Values are plain TOML data.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from proxy_core.errors import Address


class Set(Struct, frozen=True, tag=True):
    """Give the key at ``address`` a value; a table as value makes the table. The parent tables are made as needed."""

    address: Address
    value: Any


class Insert(Struct, frozen=True, tag=True):
    """Put a new row into the ordered list at ``address`` above the row with the id ``before`` ("" = at the end)."""

    address: Address
    row: dict[str, Any]
    before: str = ""


class Move(Struct, frozen=True, tag=True):
    """Move the row at ``address`` (``("routes", "service")``) above the row ``before`` ("" = to the end)."""

    address: Address
    before: str = ""


class Delete(Struct, frozen=True, tag=True):
    """Remove a key, a row or a table with all that is in it."""

    address: Address


Edit = Set | Insert | Move | Delete
