"""Changes of fields come in and go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import exported, rows_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("Header always set X-A b env=V", "headers",
     [{"on": "always", "action": "set", "name": "X-A", "value": "b", "env": "V"}]),
    ("RequestHeader unset X-A", "headers", [{"on": "request", "action": "unset", "name": "X-A"}]),
    ("<If \"%{HTTP:A} == 'b'\">\nHeader set X y\n</If>\n<Else>\nHeader set X z\n</Else>", "headers",
     [{"on": "response", "action": "set", "name": "X", "value": "y"},
      {"on": "response", "action": "set", "name": "X", "value": "z"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found


OUT = [
    ('[[headers]]\non = "always"\nname = "X-A"\nvalue = "two words"\nenv = "!V"',
     'Header always set X-A "two words" env=!V'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), OUT)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []


LOST = [
    ('[[headers]]\nid = "h"\nname = "X"\nenv = "V"\nexpr = "true"', "headers.h"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), LOST)
def test_what_apache_cannot_say_is_told(text: str, address: str, tmp_path: Path) -> None:
    _, losses = exported(text, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == [address]
