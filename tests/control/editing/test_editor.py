"""The Editor and its Saver: a change is applied, saved, undone and merged, and nothing that was said to be is lost."""

from __future__ import annotations

import errno
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.editing import editor as editor_module
from proxy_core.control.editing import plan_of_command
from proxy_core.control.editing import saver as saver_module
from proxy_core.control.editing.commands import (
    Change,
    Command,
    Delete,
    Insert,
    Keep,
    Merge,
    Move,
    Redo,
    Refused,
    Reload,
    Restore,
    Set,
    Undo,
    made_on,
)
from proxy_core.control.editing.site_problems import check
from proxy_core.errors import Problem
from tests.control.editing.harness import SITE, WEIGHT, Applying, applied, editing, weigh
from tests.waiting import until


async def test_a_change_is_in_force_at_once_and_on_disk_by_its_own_line_only(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        result = await applied(editor, weigh(5))
        assert result.generation == editor.generation == 2
        assert apply.sites[-1][0].balancers["backend"].members["a"].weight == 5
        assert editor.saver.state == "unsaved"
        await editor.saver.flush()
        assert editor.saver.state == "saved"
    assert file.read_text() == SITE.replace("weight = 1 ", "weight = 5 ")
    assert [line for line in result.diff.splitlines() if line[0] in "+-"][2:] == [
        "-weight = 1   # the small one",
        "+weight = 5   # the small one",
    ]


async def test_what_cannot_be_is_refused_with_a_position_and_changes_nothing(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        for edit in (Set(WEIGHT, "heavy"), Set(("routes", "service", "proxy"), "balancer://backnd/"), Delete(("x",))):
            result = await editor.submit(Change(edits=(edit,), sentence="s"), "console")
            assert isinstance(result, Refused)
            assert result.problems
        assert (editor.generation, apply.sites, editor.document.text) == (1, [], SITE)
    assert file.read_text() == SITE


async def test_what_the_engine_cannot_prepare_is_refused_and_changes_nothing(file: Path) -> None:
    apply = Applying()
    apply.refusals = (Problem(what="port taken", address=("listeners", "http", "address")),)
    async with editing(file, apply) as editor:
        result = await editor.submit(weigh(2), "console")
        assert isinstance(result, Refused)
        assert (result.problems[0].line, result.problems[0].file) == (5, str(file))
        assert (editor.generation, editor.document.text) == (1, SITE)


async def test_a_preview_shows_the_lines_and_the_problems_and_touches_nothing(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        good = await editor.preview(weigh(7))
        assert "+weight = 7   # the small one" in good.diff
        assert not [p for p in good.problems if p.severity == "error"]
        bad = await editor.preview(weigh(-1))
        assert [p.address for p in bad.problems if p.severity == "error"] == [WEIGHT]
        assert (editor.generation, apply.sites) == (1, [])


async def test_repeated_nudges_of_one_key_are_one_generation_and_one_save(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[str] = []
    real = saver_module.save
    monkeypatch.setattr(saver_module, "save", lambda path, text, seen: saves.append(text) or real(path, text, seen))
    apply = Applying()
    async with editing(file, apply) as editor:
        for weight in (2, 3, 4):
            await applied(editor, weigh(weight))
        assert [site.balancers["backend"].members["a"].weight for site, _ in apply.sites] == [2, 3, 4]
        assert [e.sentence for e in editor.history.entries] == ["first start", "set weight of backend/a to 4"]
        await applied(editor, Undo())
        assert editor.document.text == SITE
        await editor.saver.flush()
        assert len(saves) == 1


async def test_a_nudge_there_and_back_and_keeping_ours_do_not_stand_in_the_way_of_undo(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, Change(edits=(Set(("site", "timeout"), 9),), sentence="timeout"))
        await applied(editor, weigh(2))
        await applied(editor, weigh(1))
        await applied(editor, Keep())
        await applied(editor, Undo())
        assert editor.document.text == SITE


async def test_nudges_of_different_keys_or_authors_or_apart_in_time_are_generations_of_their_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2))
        await applied(editor, weigh(3), "somebody else")
        await applied(editor, Change(edits=(Set(("site", "timeout"), 9),), sentence="timeout"))
        monkeypatch.setattr(editor_module, "NUDGE", 0.0)
        await applied(editor, Change(edits=(Set(("site", "timeout"), 8),), sentence="timeout"))
        assert editor.generation == 5


async def test_a_command_that_was_made_on_another_state_is_refused_also_where_a_nudge_kept_the_number(
    file: Path,
) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2))
        await applied(editor, weigh(5))
        seen, generation = editor.revision, editor.generation
        await applied(editor, weigh(3))
        assert editor.generation == generation
        text = editor.document.text
        for command in (made_on(weigh(9), seen), Undo(made_on=seen), Redo(made_on=seen), Restore(1, made_on=seen)):
            preview = await editor.preview(command)
            result = await editor.submit(command, "console")
            assert isinstance(result, Refused)
            assert result.problems == preview.problems
            assert (
                "changed meanwhile: set weight of backend/a to 3 (generation 2, by console)" in preview.problems[0].what
            )
        assert editor.document.text == text
        await applied(editor, Undo(made_on=editor.revision))
        assert editor.document.text == SITE


EDITS: list[Command] = [
    weigh(5),
    Change(edits=(Set(("site", "error_override"), True),), sentence="hide errors"),
    Change(edits=(Move(("routes", "service"), "no-index"),), sentence="move"),
    Change(edits=(Delete(("routes", "no-index")),), sentence="delete"),
    Change(edits=(Insert(("routes",), {"path": "/service/x", "except": True}, "service"),), sentence="except"),
    Change(edits=(Set(("balancers", "backend", "members", "c"), {"url": "http://h:1"}),), sentence="add"),
]


@pytest.mark.parametrize("command", EDITS, ids=lambda command: command.sentence)
async def test_undo_after_an_edit_gives_back_the_very_text_and_redo_the_edited_one(
    file: Path, command: Command
) -> None:
    async with editing(file) as editor:
        await applied(editor, command)
        changed = editor.document.text
        assert changed != SITE
        await applied(editor, Undo())
        assert editor.document.text == SITE
        await applied(editor, Redo())
        assert editor.document.text == changed
        assert editor.generation == 4


async def test_undo_and_redo_with_nothing_to_do_are_refused_in_words(file: Path) -> None:
    async with editing(file) as editor:
        for command, words in ((Undo(), "nothing to undo"), (Redo(), "nothing to redo"), (Restore(77), "77")):
            result = await editor.submit(command, "console")
            assert isinstance(result, Refused)
            assert words in result.problems[0].what


async def test_history_and_undo_outlive_the_process(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        await editor.saver.flush()
    async with editing(file) as editor:
        assert editor.generation == 2
        await applied(editor, Undo())
        assert editor.document.text == SITE
        await applied(editor, Restore(2))
        assert "weight = 5" in editor.document.text


async def test_a_file_edited_while_nobody_ran_is_a_generation_of_its_own(file: Path) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
    file.write_text(SITE.replace("weight = 1", "weight = 9"))
    async with editing(file) as editor:
        last = editor.history.entries[-1]
        assert (last.number, last.author) == (2, "file")
        assert "+weight = 9" in last.diff


async def test_a_sound_file_changed_on_disk_is_taken_over(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        await editor.saver.flush()
        file.write_text(SITE.replace("weight = 1", "weight = 9"))
        await until(editor.saver.changed)
        await editor.file_changed()
        assert apply.sites[-1][0].balancers["backend"].members["a"].weight == 9
        assert (editor.saver.state, editor.history.entries[-1].author) == ("saved", "file")
        assert not editor.saver.changed()


async def test_a_broken_file_on_disk_is_a_problem_while_the_running_site_stays(file: Path) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        await editor.saver.flush()
        file.write_text(SITE.replace("weight = 1", "wieght = 9"))
        await until(editor.saver.changed)
        await editor.file_changed()
        assert editor.saver.state == "drift"
        assert "wieght" in editor.saver.problems[0].what
        assert (apply.sites, editor.document.text) == ([], SITE)
        file.write_text(SITE.replace("weight = 1", "weight = 9"))
        await until(editor.saver.changed)
        await editor.file_changed()
        assert editor.saver.state == "saved"
        assert len(apply.sites) == 1


@pytest.mark.parametrize(
    ("left", "missing"),
    [
        ("", ["no listener", "no route"]),
        (SITE[SITE.index("# who is excepted") :], ["no listener"]),
        (SITE[: SITE.index("# what is served")], ["no route"]),
    ],
    ids=["emptied", "the second half", "the first half"],
)
@pytest.mark.parametrize("found", ["by polling", "by a signal", "by a merge"])
async def test_a_file_on_disk_that_leaves_nothing_to_serve_is_refused(
    file: Path, left: str, missing: list[str], found: str
) -> None:
    apply = Applying()
    async with editing(file, apply) as editor:
        await editor.saver.flush()
        file.write_text(left)
        if found == "by polling":
            await until(editor.saver.changed)
            await editor.file_changed()
            assert editor.saver.state == "drift"
            problems = editor.saver.problems
        else:
            refused = await editor.submit(Reload() if found == "by a signal" else Merge(), "signal")
            assert isinstance(refused, Refused)
            assert (editor.saver.state == "drift") == (found == "by a signal")
            problems = refused.problems
        told = [problem for problem in problems if problem.severity == "error"]
        assert len(told) == len(missing)
        assert all(words in problem.what for words, problem in zip(missing, told, strict=True))
        assert all("--allow-empty" in problem.todo and problem.line for problem in told)
        assert (apply.sites, editor.document.text) == ([], SITE)


async def test_a_site_that_was_emptied_on_purpose_takes_a_file_that_is_as_empty(file: Path) -> None:
    bare = SITE[: SITE.index("# who is excepted")]
    file.write_text(bare)
    async with editing(file) as editor:
        file.write_text(f"{bare}# still to come\n")
        await applied(editor, Reload())
        file.write_text("version = 1\n")
        refused = await editor.submit(Reload(), "signal")
        assert isinstance(refused, Refused), "there is still a listener to lose"


async def test_an_edit_may_empty_a_site_on_purpose_and_is_warned(file: Path) -> None:
    async with editing(file) as editor:
        change = Change(edits=(Delete(("listeners", "http")),), sentence="remove the listener")
        done = await applied(editor, change)
        assert [problem.severity for problem in done.warnings if "no listener" in problem.what] == ["warning"]


async def test_a_file_written_in_place_with_its_size_and_time_set_back_is_seen(file: Path) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        before = file.stat()
        with file.open("r+") as same:
            same.write(SITE.replace("weight = 1", "weight = 2"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = file.stat()
        assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
        await until(editor.saver.changed)


@pytest.mark.parametrize("unsaved", [False, True])
async def test_drift_ends_by_itself_when_the_known_file_is_put_back(file: Path, unsaved: bool) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        file.write_text("broken [")
        if unsaved:
            await applied(editor, Change(edits=(Set(("site", "error_override"), True),), sentence="s"))
            await editor.saver.flush()
        await until(lambda: editor.saver.changed() or unsaved)
        if not unsaved:
            await editor.file_changed()
        assert editor.saver.state == "drift"
        file.write_text(SITE)
        await until(lambda: not editor.saver.changed() and editor.saver.state == "saved")
        assert editor.saver.problems == ()
        assert file.read_text() == editor.document.text


async def test_a_change_here_while_the_file_changed_there_never_overwrites_it_unasked(file: Path) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        theirs = SITE.replace("# my site", "# their site")
        file.write_text(theirs)
        await applied(editor, weigh(5))
        await editor.saver.flush()
        assert editor.saver.state == "drift"
        assert file.read_text() == theirs
        await applied(editor, Merge())
        await editor.saver.flush()
        assert editor.saver.state == "saved"
        assert file.read_text() == theirs.replace("weight = 1 ", "weight = 5 ")


@pytest.mark.parametrize(("command", "survives"), [(Reload(), "theirs"), (Keep(), "ours")])
async def test_drift_ends_by_taking_theirs_or_keeping_ours(file: Path, command: Command, survives: str) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        file.write_text(SITE.replace("# my site", "# theirs"))
        await applied(editor, Change(edits=(Set(("site", "server_name"), "ours"),), sentence="s"))
        await editor.saver.flush()
        await applied(editor, command)
        await editor.saver.flush()
        assert editor.saver.state == "saved"
        assert survives in file.read_text()
        assert file.read_text() == editor.document.text


async def test_a_file_that_was_deleted_can_be_written_again(file: Path) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        file.unlink()
        await until(editor.saver.changed)
        await editor.file_changed()
        assert editor.saver.state == "drift"
        await applied(editor, Keep())
        await editor.saver.flush()
        assert file.read_text() == SITE


async def test_a_save_that_fails_is_said_keeps_the_change_in_force_and_is_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    real = saver_module.save

    def save(path: Path, text: str, seen: object) -> object:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, text, seen)  # type: ignore[arg-type]

    monkeypatch.setattr(saver_module, "save", save)
    monkeypatch.setattr(saver_module, "RETRY", 0.02)
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        await editor.saver.flush()
        assert editor.saver.state == "failed"
        assert "no space left" in editor.saver.problems[0].what
        assert "weight = 5" in editor.document.text
        assert file.read_text() == SITE
        full = False
        await until(lambda: editor.saver.state == "saved")
        assert editor.saver.problems == ()
    assert file.read_text() == editor.document.text


async def test_a_journal_that_cannot_be_written_is_said_and_stops_nothing(file: Path, state_folder: Path) -> None:
    state_folder.write_text("in the way")
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        await editor.saver.flush()
        await until(lambda: editor.saver.journal_problem is not None)
        assert editor.saver.state == "saved"
        await applied(editor, Undo())


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_is_submitted_the_text_in_force_parses_to_the_site_in_force_and_is_what_gets_saved(
    file: Path, seed: int
) -> None:
    chance = random.Random(seed)
    apply = Applying()
    async with editing(file, apply) as editor:
        for _ in range(40):
            command = chance.choice([*EDITS, Undo(), Undo(), Redo(), Restore(chance.randint(1, 20)), weigh(3)])
            await editor.submit(command, "console")
            site = apply.sites[-1][0] if apply.sites else parse(SITE, str(file)).site
            assert parse(editor.document.text, str(file)).site == site
        await editor.saver.flush()
    assert file.read_text() == editor.document.text


@pytest.mark.parametrize(("rows", "beside"), [(1, False), (1500, True)])
async def test_a_long_file_is_read_beside_the_loop_and_a_short_one_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, rows: int, beside: bool
) -> None:
    more = "".join(f'\n[[routes]]\nid = "r{n}"\npath = "/r{n}"\nproxy = "http://h{n}/"\n' for n in range(rows))
    file.write_text(SITE + more)
    threads: list[threading.Thread] = []
    real = plan_of_command.edited

    def edited(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*arguments)

    monkeypatch.setattr(plan_of_command, "edited", edited)
    async with editing(file) as editor:
        await applied(editor, weigh(5))
    assert [thread is not threading.main_thread() for thread in threads] == [beside]


def test_errors_of_form_do_not_hide_errors_of_meaning() -> None:
    text = SITE.replace("except = true", "exept = true").replace("http://127.0.0.1:8001", "ftp://127.0.0.1")
    text = text.replace("balancer://backend/service", "balancer://backnd/service") + 'wieght = "x"\n'
    whats = [(problem.line, problem.what.split(",")[0]) for problem in check(parse(text))]
    lines = [line for line, _ in whats]
    assert lines == sorted(lines)
    assert len(whats) == 4, whats
    assert [line for line, _ in whats] == [11, 17, 24, 25]


def test_what_went_with_a_fault_is_not_said_to_be_missing() -> None:
    text = SITE.replace("[balancers.backend.members.a]", "[balancers.backend]\nmembers = 3\n[xx]")
    assert all("backend" not in problem.what for problem in check(parse(text)))
