"""How much a configuration may be, with all that it includes and expands to.

A few lines can stand for very many: files that include one another, macros and variables that double. What is read is
counted, and where it is too much reading ends there, with what was read so far. Twice as much as any configuration that
is served would be read in a second.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

MOST = {"bytes": 32 << 20, "lines": 200_000, "files": 10_000, "names of files": 200_000}
"""What may be read: bytes of files, macros and variables, lines that say something, files, and names in folders that
are looked through for files."""
SECONDS = 60.0
"""How long reading may take."""
LINE = 1 << 20
"""Characters that a line may have, with variables and parameters filled in."""
FAULTS = 1000
"""Faults that are told."""
DEPTH = 40
"""Levels that sections, files and macros may stand in one another."""


@dataclass
class Budget:
    """What of it is spent."""

    deadline: float = field(default_factory=lambda: monotonic() + SECONDS)
    spent: Counter[str] = field(default_factory=Counter)

    def excess(self, what: str, amount: int) -> str:
        """What is too much after this is spent too, in words; "" for nothing."""
        self.spent[what] += amount
        if self.spent[what] > MOST[what]:
            return f"there are more than {MOST[what]} {what}"
        return f"it takes more than {SECONDS:g} seconds" if monotonic() > self.deadline else ""
