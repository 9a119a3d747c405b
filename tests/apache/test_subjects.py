"""Each subject's tables hold: what comes in (``IN``), what goes out (``OUT``), and what Apache cannot say (``LOST``).

A table stands in the module of its subject in ``subjects``; a row is a text, and what becomes of it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from tests.apache import subjects
from tests.apache.conversions import exported, rows_of


def rows(table: str) -> list[Any]:
    """The rows of all tables of this name, each under the name of its subject."""
    return [
        pytest.param(*row, id=f"{module.name.removeprefix('test_')}-{number}")
        for module in iter_modules(subjects.__path__)
        for number, row in enumerate(getattr(import_module(f"{subjects.__name__}.{module.name}"), table, ()), 1)
    ]


@pytest.mark.parametrize(("text", "table", "found"), rows("IN"))
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found


@pytest.mark.parametrize(("text", "lines"), rows("OUT"))
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []


@pytest.mark.parametrize(("text", "address"), rows("LOST"))
def test_what_apache_cannot_say_is_told(text: str, address: str, tmp_path: Path) -> None:
    _, losses = exported(text, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == [address]
