"""Imports run strictly downward, so that a reader can learn the house one floor at a time."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOORS = [
    {"rproxy_tui"},
    {"proxy_core.control"},
    {"proxy_core.apache", "proxy_core.serve"},
    {"proxy_core.runtime"},
    {"proxy_core.rules", "proxy_core.balance"},
    {"proxy_core.config"},
    {"proxy_core.http"},
    {"proxy_core.errors"},
]
ONLY_IN = {
    "aiohttp": {"proxy_core/serve/", "proxy_core/control/demo/"},
    "httptools": {"proxy_core/runtime/upstreams/"},
    "textual": {"rproxy_tui/"},
    "rich": {"rproxy_tui/"},
}
LONG = 400
"""Lines of a module that need no reason."""


def floor(module: str) -> tuple[int, str] | None:
    """The floor of a module, counted from the top, and its room on it."""
    return next(
        ((n, room) for n, rooms in enumerate(FLOORS) for room in rooms if f"{module}.".startswith(f"{room}.")), None
    )


@cache
def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


SOURCES = sorted(path for package in ("proxy_core", "rproxy_tui") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_own_floor_and_below(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    here = floor(name)
    for module in imports(path):
        there = floor(module)
        if here is None or there is None:
            continue
        assert there[0] >= here[0], f"{name} reaches up to {module}"
        assert there[0] > here[0] or there == here, f"{name} reaches across to {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_is_imported_only_in_its_room(path: Path) -> None:
    here = str(path.relative_to(ROOT))
    for module in imports(path):
        rooms = ONLY_IN.get(module.split(".")[0])
        assert rooms is None or any(here.startswith(room) for room in rooms), f"{here} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        return
    doc = ast.get_docstring(ast.parse(text))
    assert doc, f"{path} has no opening paragraph"
    lines = text.count("\n")
    said = re.search(r"\b(\d+) lines\b", doc.splitlines()[0])
    assert lines <= LONG or said, f"{path} has {lines} lines and its first line gives no reason"
    assert said is None or abs(lines - int(said[1])) <= lines / 10, f"{path} has {lines} lines and says {said[1]}"


def listed(row: int) -> list[str]:
    """A column of the table of rooms, by its backticks."""
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Rooms")[2].partition("\n## ")[0]
    cells = [line.split("|")[row] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_rooms_lists_every_folder_and_none_that_is_not_there() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in SOURCES if path.stem != "__init__"}
    assert sorted(listed(1)) == sorted(folders - {"proxy_core"})


def test_what_guards_a_room_is_there() -> None:
    assert not [name for name in listed(3) if not list(ROOT.glob(name))]
