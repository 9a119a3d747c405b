"""The mutation script tells what tests notice from what they do not; its table is tried by running it, not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import MUTANTS, Mutant, copy, main, verdict

SOURCE = "def more(number):\n    return number + 1\n\n\ndef most(number):\n    return 9\n\n\nLEAST = 9\n"
GUARD = "from room.a import LEAST, more\n\n\ndef test_it():\n    assert more(1) == 2\n    assert LEAST\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take longer than all that is asked of it
    root = tmp_path / "here"
    for name, text in {"room/a.py": SOURCE, "tests/test_a.py": GUARD, ".venv/x": "", "room/__pycache__/y": ""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def mutant(text: str, mutation: str, tests: str = "tests/test_a.py", room: str = "room") -> Mutant:
    return Mutant("", room, text, mutation, tests)


ROWS = [
    ("killed", mutant("number + 1", "number + 2")),
    ("killed", mutant("number + 1", "number + 2", room="room/a.py")),
    ("SURVIVED", mutant("LEAST = 9", "LEAST = 8")),
    ("STALE", mutant("number - 1", "number")),
    ("STALE", mutant("9", "8")),
    ("STALE", mutant("number + 1", "number", room="nowhere")),
    ("STALE", mutant("number + 1", "number +")),
    ("STALE", mutant("number + 1", "number", tests="tests/test_b.py")),
]


@pytest.mark.parametrize(("said", "row"), ROWS)
def test_a_mutant_is_killed_by_a_test_that_fails_and_by_nothing_else(checkout: Path, said: str, row: Mutant) -> None:
    assert verdict(checkout, row)[0] == said
    assert (checkout / "room/a.py").read_text() == SOURCE


def test_tests_that_never_end_have_noticed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "PATIENCE", 2.0)
    endless = mutant("return number + 1", "return __import__('time').sleep(99)")
    assert verdict(checkout, endless) == ("killed", "it hangs")


def test_a_copy_is_made_of_what_is_worked_on_and_of_nothing_that_was_made(checkout: Path, tmp_path: Path) -> None:
    made = copy(checkout, tmp_path)
    assert sorted(path.name for path in made.rglob("*") if path.is_file()) == ["a.py", "test_a.py"]


@pytest.mark.parametrize(
    ("row", "status", "row_begins"),
    [
        (mutant("number + 1", "number + 2"), 0, "killed"),
        (mutant("LEAST = 9", "LEAST = 8"), 1, "SURVIVED"),
        (mutant("no such text", ""), 1, "STALE"),
        (mutant("number + 1", "", tests="tests/missing.py"), 2, ""),
    ],
)
def test_the_script_prints_a_row_each_and_ends_with_0_only_where_all_are_killed(
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: Mutant,
    status: int,
    row_begins: str,
) -> None:
    monkeypatch.setattr(mutants, "ROOT", checkout)
    monkeypatch.setattr(mutants, "MUTANTS", [row._replace(name="this one"), row._replace(name="another")])
    assert main(["this"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "this one" in line] == lines[:1]
    assert "".join(lines[:1]).startswith(row_begins)


def test_every_mutant_changes_something_and_has_a_name_of_its_own() -> None:
    assert all(row.text != row.mutation and row.tests for row in MUTANTS)
    assert len({row.name for row in MUTANTS}) == len(MUTANTS)
