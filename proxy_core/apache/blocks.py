"""Tables and rows of the site file that an import writes, each with the directives that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy_core.apache.draft import DraftRow, DraftServer
from proxy_core.apache.lexer import Directive


@dataclass(frozen=True, slots=True)
class Block:
    """A table or a row of the site file, with the directives that it stands for."""

    path: tuple[str, ...]
    content: Mapping[str, Any]
    origins: tuple[Directive, ...] = ()
    row: bool = False


def table(path: tuple[str, ...], row: DraftRow) -> Block:
    """A table of this path."""
    return Block(path, row.content, tuple(row.origins))


def block(name: str, server: DraftServer, row: DraftRow) -> Block:
    """A row of this table, for its server."""
    where = {"host": server.name} if server.name else {}
    named = {"id": row.content["id"]} if "id" in row.content else {}
    return Block((name,), named | where | row.content, tuple(row.origins), row=True)
