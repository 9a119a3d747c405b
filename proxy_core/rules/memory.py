"""What was decided before, kept for requests that are decided alike: memo functions (Michie, 1968), in bounded tables.

Deciding is pure. Where two requests are alike in all that rules read of them (``inputs``), they go the same way, so the
second need not be decided. It holds only what is immutable and the same for whoever asks. The invariants:

- What is remembered is what would be decided: a key holds all that was read, or there is no key.
- Nothing is kept where a fact was asked, since facts change while rules stay. A trace neither reads nor fills it.
- Nothing outlives its rule set: tables are made with it and dropped with it.
- No client makes it grow: entries are bounded, and so are the bytes of what clients choose in them; long ones are not
  kept.
- It never costs more than it saves: where it was filled and helped less often than it was filled, it stops to be
  filled for a while. Where it takes something to ask it, it is not asked meanwhile (``pays``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, Literal, TypeVar

from proxy_core.http.request_view import fields
from proxy_core.rules.decision import Decision

MOST: Final = 2048
"""Entries of a memo."""
MOST_BYTES: Final = 512 * 1024
"""Bytes of all of them together."""
LONGEST: Final = 2048
"""Bytes of one that is kept."""
PAUSE: Final = 16 * MOST
"""Misses for which a memo is not filled that did not pay."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Tables that have one bound. Who finds something in one counts it in ``hits``; who does not may ``keep`` it, where
    the memo ``pays``."""

    __slots__ = ("_bytes", "_entries", "_pause", "_tables", "hits")

    def __init__(self) -> None:
        self.hits = 0
        self._tables: list[dict[Key, Value]] = []
        self._entries = self._bytes = self._pause = 0

    def table(self) -> dict[Key, Value]:
        """A table of its own for one host."""
        made: dict[Key, Value] = {}
        self._tables.append(made)
        return made

    def keep(self, table: dict[Key, Value], key: Key, value: Value, size: int) -> None:
        """Remember what was not found. ``size`` is that of the entry, in bytes."""
        if size > LONGEST:
            return
        if self._entries >= MOST or self._bytes + size > MOST_BYTES:
            if self.hits < self._entries:
                self._pause = PAUSE
                return
            self._forget()
        table[key] = value
        self._entries += 1
        self._bytes += size

    def pays(self) -> bool:
        """Whether it is filled now. Each time that it is not counts as a miss."""
        if not self._pause:
            return True
        self._pause -= 1
        if self._pause == 0:
            self._forget()
        return False

    def _forget(self) -> None:
        for table in self._tables:
            table.clear()
        self.hits = self._entries = self._bytes = 0


class FieldBlocks:
    """The fields of heads: clients repeat their blocks of fields byte for byte, so that one is read once."""

    __slots__ = ("_known", "_memo")

    def __init__(self) -> None:
        self._memo: Memo[bytes, Mapping[str, str]] = Memo()
        self._known = self._memo.table()

    def __call__(self, head: bytes) -> Mapping[str, str]:
        """As ``request_view.fields``."""
        block = head[max(head.find(b"\r\n"), 0) :]
        found = self._known.get(block)
        if found is not None:
            self._memo.hits += 1
            return found
        found = fields(head)
        if self._memo.pays():
            self._memo.keep(self._known, block, found, len(block))
        return found


EveryInput = tuple[bytes, bytes, bytes, str, int, tuple[str, ...], bytes, tuple[str | None, ...]]
"""All that rules read of a request: ``Inputs.key``."""


class Memory:
    """All that one rule set remembers."""

    __slots__ = ("blocks", "decisions", "targets")

    def __init__(self) -> None:
        self.targets: Memo[bytes, Decision | Literal[False]] = Memo()
        """What targets come to that no rule takes; False for those that need the whole way."""
        self.decisions: Memo[EveryInput, Decision] = Memo()
        self.blocks = FieldBlocks()
