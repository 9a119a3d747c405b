"""A change that is to be confirmed: kept by a word, taken back by the clock, by the numbers, by a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.control.editing.commands import Applied, Confirm, Redo, Refused, Reload, SetEntry, Undo
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.guard import ChangeGuard, bounds, crossed, in_words
from proxy_core.control.editing.history import journal_of, load
from proxy_core.control.editing.map_files import MapEdit
from proxy_core.runtime.recent_requests import ClosedSecond, Recorder
from tests.control.editing.harness import SITE, WEIGHT, Applying, applied, editing, weigh


def seconds(count: int, requests: int = 50, errors: int = 0, slow: int = 0, at: float = 0.0) -> list[ClosedSecond]:
    """So many alike: requests of 20 ms, some of 500 ms, some that end with 500."""
    histogram = {bucket_of(0.02): requests - slow, bucket_of(0.5): slow}
    classes = (0, 0, requests - errors, 0, 0, errors, 0, 0, 0, 0)
    return [ClosedSecond(at + n, classes, histogram, {}, {}, 0) for n in range(count)]


USUAL = seconds(60)
TABLE = [
    ("nothing is finished yet", USUAL, [], ""),
    ("all is as before", USUAL, seconds(10), ""),
    ("a few errors by chance", USUAL, seconds(10, errors=0) + seconds(1, errors=4), ""),
    ("one in ten fails", USUAL, seconds(3, errors=5), "5xx 10.0 % of 150 requests, and the bound is 2.0 %"),
    ("it fails late in the window", USUAL, seconds(40) + seconds(10, errors=3), "5xx 6.0 % of 500 requests"),
    ("one in ten failed before as well", seconds(60, errors=5), seconds(10, errors=6), ""),
    ("four in ten fail, and one in ten did", seconds(60, errors=5), seconds(10, errors=20), "5xx 40.0 %"),
    ("three times as many of very few", seconds(60, errors=5), seconds(1, requests=20, errors=7), ""),
    ("one in ten is slow", USUAL, seconds(10, slow=5), "p95 "),
    ("one in ten was slow before as well", seconds(60, slow=5), seconds(10, slow=5), ""),
    ("one in fifty is slow, so p95 is not", USUAL, seconds(10, slow=1), ""),
    ("nothing is known of before, and all fails", [], seconds(2, requests=4, errors=4), "5xx 100.0 % of 8 requests"),
    ("nothing is known of before, and all is slow", [], seconds(10, slow=50), ""),
    ("a quiet site whose few requests fail", seconds(60, requests=1), seconds(20, requests=1, errors=1), "5xx 100.0 %"),
]


@pytest.mark.parametrize(("before", "since", "found"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_bounds_come_of_before_and_are_crossed_by_more_than_chance(
    before: list[ClosedSecond], since: list[ClosedSecond], found: str
) -> None:
    said = crossed(bounds(before), since)
    assert said.startswith(found)
    assert bool(said) == bool(found)


def test_bounds_are_told_with_what_they_come_of() -> None:
    assert in_words(bounds(USUAL)) == "5xx above 2.0 % or p95 above 69 ms (0.0 % and 19 ms in the minute before)"
    assert in_words(bounds([])) == "5xx above 5.0 %; too few requests before it to say what is slow"


def guarded(editor: Editor, before: list[ClosedSecond] = USUAL) -> tuple[ChangeGuard, Recorder]:
    recorder = Recorder()
    recorder.seconds.extend(before)
    return ChangeGuard(editor, recorder), recorder


def waiting(weight: float, seconds: float = 60) -> object:
    from msgspec.structs import replace

    return replace(weigh(weight), confirm=seconds)


async def test_a_change_that_waits_is_in_force_and_on_disk_only_when_it_is_confirmed(file: Path) -> None:
    async with editing(file) as editor:
        guard, _ = guarded(editor)
        result = await guard.submit(waiting(5), "ann", 0)
        assert isinstance(result, Applied)
        assert result.pending is not None
        assert (result.pending.until - result.pending.at, result.pending.author) == (60, "ann")
        await editor.saver.flush()
        assert (file.read_text(), editor.saved) == (SITE, "unsaved")
        kept = await guard.submit(Confirm(), "bob", 0)
        assert isinstance(kept, Applied)
        assert (kept.generation, kept.sentence) == (2, "confirmed: set weight of backend/a to 5")
        await editor.saver.flush()
        assert (file.read_text(), editor.saved, guard.pending) == (SITE.replace("= 1 ", "= 5 "), "saved", None)
        assert [entry.confirm for entry in load(journal_of(file)).entries] == [0, 0]
        await applied(editor, Undo())
        assert editor.document.text == SITE


async def test_it_takes_itself_back_when_its_time_is_over_and_redo_brings_it_again(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        guard, _ = guarded(editor)
        await guard.submit(waiting(5, 1), "ann", 0)
        await guard.look()
        assert guard.pending is not None
        guard._due = 0.0
        await guard.look()
        last = editor.history.entries[-1]
        sentence = "undo: set weight of backend/a to 5 (it was not confirmed within 1 s)"
        assert (last.number, last.author, last.sentence) == (3, "guard", sentence)
        assert (guard.pending, editor.document.text) == (None, SITE)
        assert apply.sites[-1][0].balancers["backend"].members["a"].weight == 1
        await editor.saver.flush()
        assert (file.read_text(), editor.saved) == (SITE, "saved")
        await applied(editor, Redo())
        assert "weight = 5" in editor.document.text


async def test_it_takes_itself_back_at_once_when_the_numbers_cross_its_bounds(file: Path) -> None:
    async with editing(file) as editor:
        guard, recorder = guarded(editor)
        await guard.submit(waiting(5), "ann", 0)
        assert guard.pending is not None
        recorder.seconds.extend(seconds(3, errors=25, at=guard.pending.at))  # the first began before the change
        recorder.seconds.extend(seconds(3, errors=25, at=guard.pending.at + 3))
        await guard.look()
        assert "5xx 50.0 % of 250 requests, and the bound is 2.0 %" in editor.history.entries[-1].sentence
        assert editor.document.text == SITE


@pytest.mark.parametrize("command", [weigh(7), Redo(), Reload()])
async def test_nobody_else_edits_while_a_change_waits(file: Path, command: object) -> None:
    async with editing(file) as editor:
        guard, _ = guarded(editor)
        await guard.submit(waiting(5), "ann", 0)
        refused = await guard.submit(command, "bob", 0)  # type: ignore[arg-type]
        assert isinstance(refused, Refused)
        assert refused.problems[0].what.startswith("generation 2 waits to be confirmed: set weight")
        assert (await editor.preview(weigh(7))).problems == refused.problems
        assert editor.saver.state == "saved"


async def test_an_undo_that_waits_is_taken_back_by_undo(file: Path) -> None:
    async with editing(file) as editor:
        guard, _ = guarded(editor)
        await applied(editor, weigh(5))
        await guard.submit(Undo(confirm=60), "ann", 0)
        assert editor.document.text == SITE
        assert (found := editor.history.undoable()) is not None
        assert found[0].sentence == "undo: set weight of backend/a to 5"
        await applied(editor, Undo())
        assert ("weight = 5" in editor.document.text, editor.history.unconfirmed) == (True, None)
        await applied(editor, Undo())
        assert editor.document.text == SITE


async def test_nothing_is_confirmed_where_nothing_waits(file: Path) -> None:
    async with editing(file) as editor:
        assert isinstance(await editor.submit(Confirm(), "ann"), Refused)
        assert (await editor.preview(Confirm())).problems


@pytest.mark.parametrize("confirmed", [False, True])
async def test_a_file_that_somebody_else_writes_meanwhile_is_taken_when_the_change_is_taken_back(
    file: Path, confirmed: bool
) -> None:
    async with editing(file) as editor:
        guard, _ = guarded(editor)
        await guard.submit(waiting(5), "ann", 0)
        file.write_text(theirs := SITE.replace("# my site", "# theirs"))
        await editor.file_changed()
        assert (editor.saver.state, "weight = 5" in editor.document.text) == ("drift", True)
        await guard.submit(Confirm() if confirmed else Undo(), "ann", 0)
        await editor.saver.flush()
        assert file.read_text() == theirs
        assert (editor.saver.state, editor.document.text == theirs) == (
            ("drift", False) if confirmed else ("saved", True)
        )


async def test_a_crash_takes_it_back_and_the_next_start_says_so(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, waiting(5))  # type: ignore[arg-type]
        await editor.saver.flush()
    async with editing(file) as again:
        last = again.history.entries[-1]
        sentence = "undo: set weight of backend/a to 5 (rproxy ended before it was confirmed)"
        assert (last.number, last.author, last.sentence) == (3, "guard", sentence)
        assert (again.document.text, file.read_text(), again.history.unconfirmed) == (SITE, SITE, None)
        assert "-weight = 5" in last.diff
        await applied(again, Redo())
        assert again.document.data["balancers"]["backend"]["members"]["a"]["weight"] == 5


async def test_a_crash_between_the_file_and_the_journal_leaves_what_was_confirmed(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, waiting(5))  # type: ignore[arg-type]
        await editor.saver.flush()
    file.write_text(SITE.replace("weight = 1 ", "weight = 5 "))
    async with editing(file) as again:
        assert (again.generation, again.history.unconfirmed) == (2, None)
        assert WEIGHT


async def test_a_crash_sets_the_entry_of_a_map_file_back_too(file: Path) -> None:
    file.write_text(f'{SITE}\n[maps.m]\ntype = "txt"\nfile = "m.txt"\n')
    names = file.with_name("m.txt")
    names.write_text("a 1\n")
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="m", key="a", value="2", confirm=60))
        assert (names.read_text(), await editor.submit(weigh(3), "ann")) != ("a 1\n", None)
        await editor.saver.flush()
        (edit,) = editor.history.entries[-1].map_edits
        assert isinstance(edit, MapEdit)
    async with editing(file) as again:
        await again.recover()
        assert names.read_text() == "a 1\n"
        assert again.history.entries[-1].author == "guard"
