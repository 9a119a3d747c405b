"""What reaches the disk when edits, saves and somebody else's hands overtake each other; nothing in force is lost."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy_core.config.editing import splice
from proxy_core.config.model import Site
from proxy_core.control.editing import editor as editor_module
from proxy_core.control.editing import saver as saver_module
from proxy_core.control.editing.commands import Change, Insert, Keep, Merge, Redo, Refused, Reload, Set, Undo
from proxy_core.control.editing.editor import Editor
from tests.control.editing.harness import SITE, WEIGHT, Applying, applied, editing, weigh
from tests.waiting import until

THEIRS = SITE.replace("# my site", "# their site")
STATUS = Change(edits=(Set((*WEIGHT[:-1], "status"), "draining"),), sentence="drain backend/a")
"""An edit that adds a key, which no text carries once ``_no_text_carries_a_new_key`` holds."""


class Disk:
    """Stands before ``save``: while it is ``shut`` a write waits in its thread; ``waits`` says that one does."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.opened.set()
        self.waits = False
        self.full = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """A write is on its way to the disk until the end of this."""
        self.opened.clear()
        try:
            await until(lambda: self.waits)
            yield
        finally:
            self.opened.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk, real = Disk(), saver_module.save

    def save(path: Path, text: str, seen: object, like: Path | None = None) -> object:
        disk.waits = not disk.opened.is_set()
        disk.opened.wait(20)
        disk.waits = False
        if disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, text, seen, like)  # type: ignore[arg-type]

    monkeypatch.setattr(saver_module, "save", save)
    return disk


@pytest.fixture
def _nudges_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor_module, "NUDGE", 60.0)


@pytest.fixture
def _no_text_carries_a_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splice, "added", lambda text, path, value: text)


def weight(editor: Editor) -> float:
    assert editor.document.site is not None
    return editor.document.site.balancers["backend"].members["a"].weight


def backup(file: Path) -> Path:
    return file.with_name("site.toml.bak")


def saving(editor: Editor) -> asyncio.Task[None]:
    return asyncio.create_task(editor.saver.flush())


# ---- what is in force is unsaved until its own text is on disk


@pytest.mark.usefixtures("_nudges_linger")
async def test_a_nudge_that_amends_a_saved_generation_is_not_given_up_for_somebody_elses_file(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2))
        await editor.saver.flush()
        await applied(editor, weigh(3))
        file.write_text(THEIRS)
        await editor.file_changed()
        assert (editor.generation, editor.saver.state, weight(editor)) == (2, "drift", 3)
        await applied(editor, Merge())
        await editor.saver.flush()
        assert file.read_text() == THEIRS.replace("weight = 1 ", "weight = 3 ")


@pytest.mark.usefixtures("_nudges_linger")
async def test_a_nudge_that_comes_while_the_one_before_is_written_is_not_taken_for_saved_with_it(
    file: Path, disk: Disk
) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2))
        flushed = saving(editor)
        async with disk.writing():
            await applied(editor, weigh(3))
        await until(lambda: "weight = 2 " in file.read_text() and not editor.saver.disk.locked())
        assert editor.saver.state == "unsaved"
        file.write_text(THEIRS)
        await editor.file_changed()
        assert (editor.generation, editor.saver.state, weight(editor)) == (2, "drift", 3)
        flushed.cancel()


async def test_an_edit_that_comes_while_one_is_written_is_saved_by_a_write_of_its_own(file: Path, disk: Disk) -> None:
    async with editing(file) as editor:
        await applied(editor, Change(edits=(Set(("site", "timeout"), 9),), sentence="timeout"))
        flushed = saving(editor)
        async with disk.writing():
            await applied(editor, weigh(3))
        await editor.saver.flush()
        await flushed
        assert editor.saver.state == "saved"
        assert file.read_text() == editor.document.text
        assert "weight = 3 " in file.read_text()


async def test_a_text_that_comes_back_while_it_is_written_leaves_nothing_unsaved(file: Path, disk: Disk) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2))
        flushed = saving(editor)
        async with disk.writing():
            await applied(editor, Undo())
            await applied(editor, Redo())
        await flushed
        await until(lambda: editor.saver.state == "saved")
        file.write_text(THEIRS)
        await editor.file_changed()
        assert (editor.saver.state, editor.document.text) == ("saved", THEIRS)


async def test_an_edit_that_is_being_applied_when_the_file_changes_is_not_given_up_for_it(file: Path) -> None:
    going_on = asyncio.Event()
    begun = asyncio.Event()

    class Slow(Applying):
        async def __call__(self, site: Site, generation: int, force: bool) -> Refused | None:
            begun.set()
            await going_on.wait()
            return await super().__call__(site, generation, force)

    async with editing(file, Slow()) as editor:
        submitted = asyncio.create_task(editor.submit(weigh(5), "console"))
        await begun.wait()
        file.write_text(THEIRS)
        noticed = asyncio.create_task(editor.file_changed())
        await asyncio.sleep(0)
        going_on.set()
        await asyncio.gather(submitted, noticed)
        assert (editor.saver.state, weight(editor), file.read_text()) == ("drift", 5, THEIRS)


# ---- taking over what is on disk while a write is on its way


@pytest.mark.parametrize("command", [Reload(), Merge(), Keep()], ids=lambda command: type(command).__name__)
async def test_what_is_taken_from_disk_while_a_write_is_on_its_way_is_what_that_write_leaves_there(
    file: Path, disk: Disk, command: Reload | Merge | Keep
) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        flushed = saving(editor)
        async with disk.writing():
            taking = asyncio.create_task(applied(editor, command))
            await asyncio.sleep(0)
        await taking
        await flushed
        await editor.saver.flush()
        assert weight(editor) == 5
        assert file.read_text() == editor.document.text
        assert editor.saver.state == "saved"


async def test_a_file_that_somebody_changes_right_behind_our_own_write_is_noticed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = saver_module.save

    def overtaken(path: Path, text: str, seen: object) -> object:
        saved = real(path, text, seen)  # type: ignore[arg-type]
        file.write_text(THEIRS)
        return saved

    monkeypatch.setattr(saver_module, "save", overtaken)
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        await editor.saver.flush()
        await until(editor.saver.changed)


async def test_our_own_write_is_no_change_of_somebody_else_before_it_is_over(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, looked = saver_module.save, threading.Event()

    def lingering(path: Path, text: str, seen: object) -> object:
        saved = real(path, text, seen)  # type: ignore[arg-type]
        looked.wait(20)
        return saved

    monkeypatch.setattr(saver_module, "save", lingering)
    async with editing(file) as editor:
        await applied(editor, weigh(5))
        flushed = saving(editor)
        await until(lambda: file.read_text() != SITE)
        assert not any(editor.saver.changed() for _ in range(3))
        looked.set()
        await flushed


async def test_what_was_given_up_for_their_file_is_no_longer_unsaved(file: Path) -> None:
    async with editing(file) as editor:
        file.write_text(THEIRS)
        await applied(editor, weigh(5))
        await editor.saver.flush()
        await applied(editor, Reload())
        file.write_text(SITE)
        await editor.file_changed()
        assert (editor.saver.state, editor.document.text) == ("saved", SITE)


async def test_reading_the_file_again_before_an_edit_is_on_disk_does_not_undo_the_edit(file: Path) -> None:
    async with editing(file) as editor:
        await editor.saver.flush()
        await applied(editor, weigh(5))
        assert (await applied(editor, Reload())).sentence == "nothing changed"
        assert "weight = 5" in editor.document.text
        await editor.saver.flush()
        assert "weight = 5" in file.read_text()


async def test_a_file_that_somebody_still_writes_is_not_taken_for_what_they_want(file: Path) -> None:
    async with editing(file) as editor:
        for length in (10, 50, len(THEIRS)):
            file.write_text(THEIRS[:length])
            assert not editor.saver.changed()
        assert editor.saver.changed()
        assert not editor.saver.changed(), "once for each change"


# ---- somebody else's changes, merged


async def test_a_merge_that_comes_out_as_what_is_in_force_ends_the_drift_and_is_written(file: Path) -> None:
    async with editing(file) as editor:
        file.write_text(SITE.replace("weight = 1 ", "weight = 4 "))
        await applied(editor, weigh(5))
        await editor.saver.flush()
        assert editor.saver.state == "drift"
        await applied(editor, Merge())
        await editor.saver.flush()
        assert editor.saver.state == "saved"
        assert file.read_text() == editor.document.text == SITE.replace("weight = 1 ", "weight = 5 ")


async def test_what_was_merged_once_is_not_made_again_by_the_next_merge(file: Path, disk: Disk) -> None:
    row = Change(edits=(Insert(("routes",), {"path": "/x", "except": True}, "service"),), sentence="except")
    async with editing(file) as editor:
        file.write_text(THEIRS)
        await applied(editor, row)
        await editor.saver.flush()
        disk.full = True
        await applied(editor, Merge())
        await until(lambda: editor.saver.state == "failed")
        file.write_text(SITE.replace("# my site", "# theirs again"))
        await editor.file_changed()
        assert editor.saver.state == "drift"
        disk.full = False
        await applied(editor, Merge())
        await editor.saver.flush()
        assert file.read_text().count('path = "/x"') == 1
        assert "# theirs again" in file.read_text()


# ---- comments that cannot be kept


@pytest.mark.usefixtures("_no_text_carries_a_new_key")
async def test_an_edit_that_cannot_keep_comments_says_so_at_once_and_keeps_the_old_text_beside_the_file(
    file: Path,
) -> None:
    async with editing(file) as editor:
        assert any("without its comments" in problem.what for problem in (await editor.preview(STATUS)).problems)
        result = await applied(editor, STATUS)
        (told,) = [problem for problem in result.warnings if "without its comments" in problem.what]
        assert "site.toml.bak" in told.todo
        assert told.severity == "warning"
        assert "site.toml.bak" in editor.history.entries[-1].sentence
        assert result.sentence == editor.history.entries[-1].sentence
        assert told in editor.warnings
        file.chmod(0o640)
        await editor.saver.flush()
        assert "# my site" not in file.read_text()
        assert backup(file).read_text() == SITE
        assert backup(file).stat().st_mode & 0o777 == 0o640


@pytest.mark.usefixtures("_no_text_carries_a_new_key")
async def test_a_merge_that_cannot_keep_their_comments_says_so_and_keeps_their_text(file: Path) -> None:
    async with editing(file) as editor:
        file.write_text(THEIRS)
        await applied(editor, Change(edits=(*STATUS.edits, Set(WEIGHT, 5)), sentence="s"))
        await editor.saver.flush()
        result = await applied(editor, Merge())
        assert any("without its comments" in problem.what for problem in result.warnings)
        await editor.saver.flush()
        assert backup(file).read_text() == THEIRS


@pytest.mark.usefixtures("_no_text_carries_a_new_key")
@pytest.mark.parametrize("second", [weigh(5), Change(edits=(Set(("site", "timeout"), 9),), sentence="timeout")])
async def test_a_second_edit_before_the_old_text_is_kept_does_not_take_its_place(
    file: Path, disk: Disk, second: Change
) -> None:
    async with editing(file) as editor:
        disk.full = True
        await applied(editor, STATUS)
        await editor.saver.flush()
        result = await applied(editor, second)
        assert not any("without its comments" in problem.what for problem in result.warnings), "they were gone before"
        disk.full = False
        await editor.saver.flush()
        assert backup(file).read_text() == SITE
        assert file.read_text() == editor.document.text


@pytest.mark.usefixtures("_no_text_carries_a_new_key")
async def test_the_text_that_is_kept_is_the_last_that_had_comments(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, STATUS)
        await applied(editor, Undo())
        await applied(
            editor, Change(edits=(Set(("balancers", "backend", "members", "b", "url"), "http://h"),), sentence="s")
        )
        before = editor.document.text
        assert "# my site" in before
        await applied(editor, STATUS)
        await editor.saver.flush()
        assert backup(file).read_text() == before
        for _ in range(2):
            await applied(editor, Change(edits=(Set(("site", "timeout"), 9),), sentence="timeout"))
            await editor.saver.flush()
        assert backup(file).read_text() == before, "what has no comments is no reason to write over what has them"
        backup(file).unlink()
        await applied(editor, Change(edits=(Set(("site", "timeout"), 8),), sentence="timeout"))
        await editor.saver.flush()
        assert not backup(file).exists(), "what was kept once is not kept again"


@pytest.mark.usefixtures("_no_text_carries_a_new_key")
async def test_a_text_that_is_to_be_kept_while_another_is_written_is_kept_by_the_next_write(
    file: Path, disk: Disk
) -> None:
    async with editing(file) as editor:
        await applied(editor, STATUS)
        flushed = saving(editor)
        async with disk.writing():
            await applied(editor, Undo())
            await applied(editor, weigh(5))
            before = editor.document.text
            assert "# my site" in before
            await applied(editor, STATUS)
        await flushed
        await editor.saver.flush()
        await until(lambda: editor.saver.state == "saved")
        assert backup(file).read_text() == before


# ---- flushing


async def test_flushing_ends_when_a_write_has_failed(file: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saver_module, "RETRY", 60.0)
    async with editing(file) as editor:
        disk.full = True
        await applied(editor, weigh(5))
        async with asyncio.timeout(20):
            await editor.saver.flush(60)
        assert editor.saver.state == "failed"


async def test_flushing_after_a_write_that_failed_waits_for_the_next_one(
    file: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver_module, "RETRY", 60.0)
    async with editing(file) as editor:
        disk.full = True
        await applied(editor, weigh(5))
        await editor.saver.flush()
        assert editor.saver.state == "failed"
        disk.full = False
        await editor.saver.flush()
        assert editor.saver.state == "saved"
        assert file.read_text() == editor.document.text
