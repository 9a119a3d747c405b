"""Problems, worded for people.

A Problem says what is wrong, where, and what to do about it. It is a value, not an exception: reading a site
collects every problem instead of stopping at the first. Nothing in the project shows a traceback for bad input;
whoever finds a fault makes a Problem and goes on. This module knows nothing of configuration or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from proxy_core.printable import printable
from proxy_core.secret_values import masked

Severity = Literal["error", "warning"]

Address = tuple[str, ...]
"""A place in the site: keys from the root, rows of ordered lists by their id: ``("routes", "service", "path")``."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault in a site file, or one thing that went wrong while serving it."""

    what: str
    """What is wrong, as the beginning of a sentence."""
    todo: str = ""
    """What to do about it; "" where nothing can be said."""
    severity: Severity = "error"
    """An error keeps a site from being served, a warning does not."""
    address: Address = ()
    """Its place in the site; () for the file as a whole."""
    file: str = ""
    """The file that it is in, "" while that is not known."""
    line: int = 0
    """Line in the file, from 1; 0 while that is not known."""
    column: int = 0
    """Column in the line, in characters, from 1; 0 while that is not known."""

    def __str__(self) -> str:
        """``file:line:column: warning: what, what to do`` — the form that editors and people both can follow.
        It is one line that a terminal can show, whatever the site file holds, with its secrets masked."""
        if self.line:
            where = f"{self.file}:{self.line}:{self.column}"
        else:
            where = self.file or ".".join(self.address)
        kind = "warning: " if self.severity == "warning" else ""
        text = masked(f"{self.what}, {self.todo}" if self.todo else self.what)
        return printable(f"{where}: {kind}{text}" if where else kind + text)


def errors(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The problems that stop a site from being applied (warnings never do)."""
    return tuple(problem for problem in problems if problem.severity == "error")


def nearest(name: str, known: Iterable[str]) -> str:
    """The name that was most likely meant, "" where none is near."""
    from difflib import get_close_matches  # only for who made a mistake

    return next(iter(get_close_matches(name, known, 1)), "")
