"""History: what was in force comes back, over undo, redo, restarts and torn journals."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from proxy_core.control.editing import history
from proxy_core.control.editing.history import KEPT, History, HistoryEntry, difference


def entry(number: int, text: str = "", kind: str = "change") -> HistoryEntry:
    return HistoryEntry(
        number=number, at=float(number), author="t", sentence=f"s{number}", text=text, diff="", kind=kind
    )  # type: ignore[arg-type]


def test_undo_brings_back_the_state_before_and_redo_the_one_undone() -> None:
    kept = History()
    for number, text in ((1, "a"), (2, "b"), (3, "c")):
        kept.add(entry(number, text))
    change, before = kept.undoable() or pytest.fail("nothing to undo")
    assert (change.number, before.text) == (3, "b")
    kept.add(entry(4, before.text, "undo"))
    change, before = kept.undoable() or pytest.fail("nothing to undo")
    assert (change.number, before.text) == (2, "a")
    redo = kept.redoable()
    assert redo is not None
    assert redo.text == "c"


def test_a_change_after_an_undo_ends_redo() -> None:
    kept = History()
    for made in (entry(1, "a"), entry(2, "b"), entry(3, "a", "undo"), entry(4, "c")):
        kept.add(made)
    assert kept.redoable() is None


def test_what_left_the_text_as_it_was_is_no_step_of_undo() -> None:
    kept = History()
    for number, text in ((1, "a"), (2, "b"), (3, "b")):
        kept.add(entry(number, text))
    change, before = kept.undoable() or pytest.fail("nothing to undo")
    assert (change.number, before.text) == (2, "a")
    kept.add(entry(4, "c"))
    kept.amend(entry(4, "b"))
    change, before = kept.undoable() or pytest.fail("nothing to undo")
    assert (change.number, before.text) == (2, "a")
    kept.amend(entry(4, "d"))
    change, before = kept.undoable() or pytest.fail("nothing to undo")
    assert (change.number, before.text) == (4, "b")


@pytest.mark.parametrize("seed", range(20))
def test_walking_back_and_forth_always_agrees_with_a_plain_list_of_states(seed: int) -> None:
    chance = random.Random(seed)
    kept = History()
    kept.add(entry(1, "0"))
    states, at = ["0"], 0
    for number in range(2, 150):
        match chance.choice(("change", "undo", "redo")):
            case "change":
                states = [*states[: at + 1], str(number)]
                at += 1
                kept.add(entry(number, states[at]))
            case "undo":
                found = kept.undoable()
                assert (found is None) == (at == 0)
                if found:
                    at -= 1
                    assert found[1].text == states[at]
                    kept.add(entry(number, found[1].text, "undo"))
            case "redo":
                redo = kept.redoable()
                assert (redo is None) == (at == len(states) - 1)
                if redo:
                    at += 1
                    assert redo.text == states[at]
                    kept.add(entry(number, redo.text, "redo"))


def test_a_journal_gives_back_what_was_appended_and_the_newest_state_of_an_amended_generation(tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "journal"
    kept = History()
    for made in (entry(1, "a"), entry(2, "b"), entry(3, "a", "undo")):
        kept.add(made)
        history.append(journal, [made], kept.entries)
    kept.amend(entry(3, "z", "undo"))
    history.append(journal, [kept.entries[-1]], kept.entries)
    assert history.load(journal) == kept


@pytest.mark.parametrize("cut", [2, 10, 30])
def test_a_line_that_a_crash_cut_off_loses_only_itself_and_never_the_next(tmp_path: Path, cut: int) -> None:
    journal = tmp_path / "journal"
    kept = History()
    for made in (entry(1, "a"), entry(2, "b")):
        kept.add(made)
    history.append(journal, kept.entries, kept.entries)
    journal.write_bytes(journal.read_bytes()[:-cut])
    survived = history.load(journal)
    assert [e.number for e in survived.entries] == [1]
    survived.add(entry(2, "c"))
    history.append(journal, [survived.entries[-1]], survived.entries)
    assert [e.text for e in history.load(journal).entries] == ["a", "c"]


def test_only_the_newest_generations_are_kept_and_the_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    kept = History()
    for number in range(1, 3 * KEPT):
        kept.add(entry(number, str(number)))
        history.append(journal, [kept.entries[-1]], kept.entries)
    assert len(kept.entries) == KEPT
    assert len(journal.read_bytes().splitlines()) <= 2 * KEPT + 1
    loaded = history.load(journal)
    assert loaded.entries == kept.entries
    found = loaded.undoable()
    assert found is not None
    assert found[1].text == str(3 * KEPT - 2)


def test_foreign_bytes_in_a_journal_are_no_history_and_no_error(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes(b"\xff\x00 not a journal\n")
    assert history.load(journal).entries == []
    assert history.load(tmp_path / "absent").entries == []


def test_two_site_files_never_share_a_journal(tmp_path: Path) -> None:
    names = [tmp_path / "a%b" / "s.toml", tmp_path / "a" / "b" / "s.toml", tmp_path / "a%25b" / "s.toml"]
    assert len({history.journal_of(name) for name in names}) == 3


def test_a_difference_shows_a_last_line_without_newline_on_a_line_of_its_own() -> None:
    assert difference("a\nb", "a\nc", "s").splitlines()[-3:] == [" a", "-b", "+c"]
