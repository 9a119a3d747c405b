"""Entries of maps are edited like the site: one command, one generation, undone and done again, saved whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from proxy_core.control.editing import map_files
from proxy_core.control.editing.commands import Preview, Redo, Refused, Restore, SetEntry, Undo
from proxy_core.control.editing.editor import Editor
from proxy_core.errors import Problem
from proxy_core.runtime.maps.text_file import table
from tests.control.editing.harness import Applying, applied, editing, weigh
from tests.waiting import until

MAP = "# members by hash\r\na  one   # the first\n\n# b is gone\nc three\na hidden\n"
SITE = """\
version = 1

[maps.file]
type = "txt"
file = "hosts.txt"

# written here
[maps.inline]
type = "rnd"
entries = { a = "1|2" }

[maps.up]
type = "int"
function = "toupper"

[balancers.backend.members.a]
url = "http://127.0.0.1:8000"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "hosts.txt").write_bytes(MAP.encode())
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def hosts(file: Path) -> str:
    return (file.parent / "hosts.txt").read_bytes().decode()


async def refused(editor: Editor, command: SetEntry | Undo) -> str:
    result = await editor.submit(command, "console")
    assert isinstance(result, Refused), result
    return str(result.problems[0])


@pytest.mark.parametrize(("name", "key", "seen"), [("file", "a", "one"), ("file", "d", None), ("inline", "a", "1|2")])
async def test_an_entry_that_is_not_what_was_seen_is_left_as_it_is(
    file: Path, name: str, key: str, seen: str | None
) -> None:
    async with editing(file) as editor:
        for was in ("other", None if seen else "x"):
            said = await refused(editor, SetEntry(map=name, key=key, value="mine", was=was))
            assert f"{key} of map {name} is {seen or 'gone'} by now" in said
        assert hosts(file) == MAP
        await applied(editor, SetEntry(map=name, key=key, value="mine", was=seen))


@pytest.mark.parametrize(
    ("key", "value", "new"),
    [
        ("a", "1", MAP.replace("one", "1", 1)),
        ("d", "four", MAP + "d four\r\n"),
        ("c", None, MAP.replace("c three\n", "")),
        ("a", None, MAP.replace("a  one   # the first\n", "").replace("a hidden\n", "")),
    ],
)
async def test_an_entry_of_a_file_is_written_at_once_undone_byte_for_byte_and_done_again(
    file: Path, key: str, value: str | None, new: str
) -> None:
    async with editing(file) as editor:
        done = await applied(editor, SetEntry(map="file", key=key, value=value))
        assert hosts(file) == new
        assert done.generation == 2
        assert "hosts.txt" in done.diff
        assert editor.document.text == SITE
        await applied(editor, Undo())
        assert hosts(file) == MAP
        await applied(editor, Redo())
        assert hosts(file) == new
        assert [entry.kind for entry in editor.history.entries] == ["change", "change", "undo", "redo"]


async def test_an_entry_in_the_site_is_an_edit_of_the_site(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="inline", key="b", value="x y"))
        assert editor.document.text == SITE.replace('{ a = "1|2" }', '{ a = "1|2", b = "x y" }')
        await applied(editor, SetEntry(map="inline", key="a", value=None))
        assert editor.document.text == SITE.replace('{ a = "1|2" }', '{ b = "x y" }')
        await applied(editor, Undo())
        await applied(editor, Undo())
        assert editor.document.text == SITE


async def test_undo_sets_the_entry_back_and_keeps_what_somebody_else_wrote_meanwhile(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="file", key="c", value="3"))
        (file.parent / "hosts.txt").write_text("z new\nc 3\n")
        await applied(editor, Undo())
        assert hosts(file) == "z new\nc three\n"


async def test_an_edit_builds_on_what_is_on_disk_not_on_what_was_read_before(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="file", key="a", value="1"))
        (file.parent / "hosts.txt").write_text("z new\n")
        await applied(editor, SetEntry(map="file", key="b", value="2"))
        assert hosts(file) == "z new\nb 2\n"


async def test_restoring_a_generation_takes_back_every_later_entry(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="file", key="a", value="1"))
        await applied(editor, weigh(3.0))
        await applied(editor, SetEntry(map="file", key="d", value="4"))
        await applied(editor, Undo())
        await applied(editor, SetEntry(map="file", key="a", value="2"))
        await applied(editor, Restore(1))
        assert hosts(file) == MAP
        assert editor.document.text == SITE
        await applied(editor, Undo())
        assert table(hosts(file))["a"] == "2"


async def test_history_outlives_the_process_and_so_does_undoing_an_entry(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="file", key="c", value=None))
        await editor.saver.flush()
        await until(lambda: not editor.saver._unjournalled)
    async with editing(file) as editor:
        await applied(editor, Undo())
        assert hosts(file) == MAP


async def test_a_preview_shows_the_change_of_the_file_and_makes_none(file: Path) -> None:
    async with editing(file) as editor:
        preview = await editor.preview(SetEntry(map="file", key="c", value="3"))
        assert isinstance(preview, Preview)
        assert "-c three\n+c 3\n" in preview.diff
        assert hosts(file) == MAP


async def test_giving_an_entry_the_value_that_it_has_changes_nothing(file: Path) -> None:
    async with editing(file) as editor:
        assert (await applied(editor, SetEntry(map="file", key="c", value="three"))).sentence == "nothing changed"


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("none", "a", "1", 'there is no map "none"'),
        ("up", "a", "1", "entries of maps of type int are not edited here"),
        ("file", "a", "1 2", "blank"),
        ("file", "#a", "1", "comment"),
        ("inline", "none", None, "there is no"),
    ],
)
async def test_what_cannot_be_edited_is_refused_in_words(
    file: Path, name: str, key: str, value: str | None, words: str
) -> None:
    async with editing(file) as editor:
        assert words in await refused(editor, SetEntry(map=name, key=key, value=value))
        assert hosts(file) == MAP


async def test_a_map_file_that_is_gone_or_cannot_be_written_is_refused_and_history_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="file", key="c", value="3"))
        (file.parent / "hosts.txt").unlink()
        assert "cannot be read" in await refused(editor, Undo())
        (file.parent / "hosts.txt").write_bytes(MAP.encode())
        monkeypatch.setattr("proxy_core.config.editing.save.os.replace", _full)
        assert "No space left" in await refused(editor, SetEntry(map="file", key="c", value="4"))
        assert editor.generation == 2


def _full(*paths: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_site_that_is_refused_leaves_the_map_file_as_it_was(file: Path) -> None:
    applying = Applying()
    async with editing(file, applying) as editor:
        applying.refusals = (Problem(what="no"),)
        assert "no" in await refused(editor, SetEntry(map="file", key="c", value="3"))
        assert hosts(file) == MAP


async def test_a_map_file_that_cannot_be_set_back_after_a_refusal_is_named_with_the_refusal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying = Applying()
    applying.refusals = (Problem(what="no"),)
    real = map_files.save

    def once(path: Path, text: bytes, seen: object) -> object:
        monkeypatch.setattr(map_files, "save", full)
        return real(path, text, seen)  # type: ignore[arg-type]

    def full(path: Path, text: bytes, seen: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(map_files, "save", once)
    async with editing(file, applying) as editor:
        result = await editor.submit(SetEntry(map="file", key="c", value="3"), "console")
        assert isinstance(result, Refused)
        assert [problem.what for problem in result.problems] == [
            "no",
            "the map file is not set back: No space left on device",
        ]


async def test_undoing_everything_gives_every_byte_back_whatever_was_done(file: Path) -> None:
    chance = random.Random(7)
    (file.parent / "hosts.txt").write_bytes(MAP.encode() + b"caf\xe9 \xff\r\nlast 1")
    before = (file.parent / "hosts.txt").read_bytes()
    async with editing(file) as editor:
        done = 0
        for _ in range(60):
            key, value = chance.choice(["a", "b", "c", "é", "last"]), chance.choice([None, "1", "22", "ü"])
            result = await applied(editor, SetEntry(map="file", key=key, value=value))
            done += result.sentence != "nothing changed"
        for _ in range(done):
            await applied(editor, Undo())
        assert (file.parent / "hosts.txt").read_bytes() == before


async def test_set_of_something_else_is_no_part_of_a_map_edit(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(2.0))
        await applied(editor, SetEntry(map="file", key="c", value="3"))
        await applied(editor, Undo())
        assert hosts(file) == MAP
        assert "weight = 2" in editor.document.text
