"""The tables of all subjects laid together: what comes in, what goes out, and what is lost either way.

A subject is a file in ``subjects``, and has those of the tables that it needs. ``HANDLERS`` and ``SECTIONS`` are what
comes in, by the name of the directive or section in lower case; ``IGNORED`` and ``UNSUPPORTED`` say why another
directive makes no difference, or is lost. ``SPELL`` is what goes out, by the table of the site: the lines of a row.
``LOST`` is what Apache cannot say, by struct and key. A name stands in one table of one subject.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from proxy_core.apache import subjects
from proxy_core.apache.import_context import ImportContext
from proxy_core.apache.lexer import Directive, Lines
from proxy_core.apache.options import Handler
from proxy_core.config.model import Site

SUBJECTS = tuple(import_module(f"{subjects.__name__}.{each.name}") for each in iter_modules(subjects.__path__))


def _all(table: str) -> dict[str, Any]:
    return {name: value for subject in SUBJECTS for name, value in getattr(subject, table, {}).items()}


HANDLERS: dict[str, Handler] = _all("HANDLERS")
SECTIONS: dict[str, Callable[[ImportContext, Directive], ImportContext | None]] = _all("SECTIONS")
"""Each gives what the directives in the section stand in, None where they have no meaning of their own."""
IGNORED: dict[str, str] = _all("IGNORED")
UNSUPPORTED: dict[str, str] = _all("UNSUPPORTED")
SPELL: dict[str, Callable[[Site, Any, Path], Lines]] = _all("SPELL")
LOST: dict[str, str] = _all("LOST")
