"""Words of ctl and Commands: each says exactly the other, and lines that are replayed give the same bytes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from proxy_core.control.editing import changes
from proxy_core.control.editing.commands import (
    Change,
    Command,
    Confirm,
    Delete,
    Insert,
    Keep,
    Merge,
    Move,
    Redo,
    Reload,
    Replace,
    Restore,
    Revert,
    Set,
    SetEntry,
    Undo,
    for_a_while,
)
from proxy_core.control.editing.ctl_words import BadWords, line, parse, words
from rproxy_tui import sentences
from tests.control.editing.harness import SITE, WEIGHT, applied, editing

EVENING: tuple[Command, ...] = (
    sentences.set_weights("backend", {"a": 3.0}),
    sentences.set_weights("backend", {"a": 0.5, "b": 2}),
    sentences.set_status("draining", "backend", "a"),
    sentences.set_role("standby", "backend", "b"),
    sentences.set_status("enabled", "backend", "a"),
    Undo(),
    Redo(),
    Change(edits=(Insert(("routes",), {"path": "/x", "except": True}, "service"),), sentence="except /x from service"),
    sentences.move_row("routes", "x", ""),
    Change(edits=(Set(("site", "server_name"), "a\tb \\d 'x' é"),), sentence="a name"),
    Change(edits=(Set(("console", "keys"), {"undo": "ctrl+z", "a.b": "x"}), Delete(WEIGHT)), sentence="two things"),
    Revert(9),
    Restore(3),
)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (sentences.set_status("draining", "shop", "a", "b"), "drain shop/a shop/b"),
        (for_a_while(sentences.set_status("draining", "shop", "a")), "drain --confirm 60 shop/a"),
        (Undo(confirm=5, force=True), "undo --confirm 5 --force"),
        (Reload(force=True), "reload --force"),
        (Confirm(), "confirm"),
        (sentences.set_status("disabled", "shop", "a"), "disable shop/a"),
        (sentences.set_status("enabled", "shop", "a"), "enable shop/a"),
        (sentences.set_role("standby", "shop", "a"), "standby shop/a"),
        (sentences.set_weights("shop", {"a": 3.0, "b": 3.0}), "weight shop/a shop/b 3"),
        (Change(edits=(Set(("site", "timeout"), 30),), sentence="set site.timeout to 30"), "set site.timeout 30"),
        (Change(edits=(Delete(("console",)),), sentence="switch off"), "remove console --say 'switch off'"),
        (Change(edits=(Set(("a", "b.c"), "+"),), sentence='set a.b.c to "+"'), "set 'a.\"b.c\"' '\"+\"'"),
        (Change(edits=(Set(("a",), "true"),), sentence='set a to "true"'), "set a '\"true\"'"),
        (SetEntry(map="m", key="-k", value="--json", was=None), "map set --was-missing -- m -k --json"),
        (SetEntry(map="m", key="k", value=None, was="x"), "map unset --was x m k"),
        (Undo(), "undo"),
        (Reload(), "reload"),
        (Keep(), "keep"),
        (Merge(), "merge"),
        (Revert(7), "revert 7"),
        (Restore(7), "restore 7"),
        (Replace(text="version = 1\n"), "apply --text 'version = 1\n'"),
    ],
)
def test_a_command_has_words_that_say_it(command: Command, said: str) -> None:
    assert shlex.join(words(command)) == said
    assert line(command) == f"rproxy ctl {said}"
    assert parse(shlex.split(said)) == command


steps = st.text(min_size=1, max_size=6)
addresses = st.lists(steps, min_size=1, max_size=4).map(tuple)
plain = st.recursive(
    st.text() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(steps, inner, max_size=3),
    max_leaves=6,
)
edits = (
    st.builds(Set, addresses, plain)
    | st.builds(Insert, addresses, st.dictionaries(steps, plain, max_size=3), st.sampled_from(["", "row-1"]))
    | st.builds(Move, addresses, st.sampled_from(["", "row.1"]))
    | st.builds(Delete, addresses)
)
texts = st.none() | st.text()
commands = (
    st.builds(Change, edits=st.lists(edits, min_size=1, max_size=3).map(tuple), sentence=st.text())
    | st.builds(SetEntry, map=steps, key=st.text(), value=texts, was=texts | st.just(UNSET))
    | st.builds(Replace, text=st.text())
)


@given(commands)
@example(Change(edits=(Delete(("--0",)), Set(("--", "a"), 1), Move(("-x", "--say"), "")), sentence="s"))
def test_every_command_comes_back_from_its_words(command: Command) -> None:
    assert parse(shlex.split(shlex.join(words(command)))) == command


@pytest.mark.parametrize(
    "said",
    [
        "", "bogus", "drain", "drain shop", "drain shop/", "drain a/x b/y", "weight shop/a", "weight shop/a heavy",
        "weight shop/a 101", "set site.timeout", "set 'a = 1' 2", "set 'a\n= 1' 2", "set a.b. 1", "add routes 5",
        "move", "remove a b", "undo 1", "revert", "revert x", "map set m k", "set a 1 +", "set a 1 --say",
        "set --x 1 2",
    ],
)  # fmt: skip
def test_words_that_are_no_command_are_told_what_is_wrong(said: str) -> None:
    with pytest.raises(BadWords, match=r"\w"):
        parse(shlex.split(said))


async def test_an_evenings_lines_replayed_on_a_copy_give_the_same_bytes(tmp_path: Path) -> None:
    def file(name: str) -> Path:
        made = tmp_path / name / "site.toml"
        made.parent.mkdir()
        made.write_text(SITE)
        return made

    async def evening(done: tuple[Command, ...], name: str) -> str:
        async with editing(file(name)) as editor:
            for number, command in enumerate(done):
                await applied(editor, command, f"somebody {number}")  # none goes on with the nudge of another
            await editor.saver.flush()
            return editor.file.read_text()

    lines = [line(command) for command in EVENING]
    again = tuple(parse(shlex.split(said)[2:]) for said in lines)
    assert await evening(EVENING, "one") == await evening(again, "other")


def test_a_ban_of_the_console_has_a_line() -> None:
    change: Any = changes.ban(_site(), "192.0.2.7", "1h", 1_700_000_000.0)
    assert parse(words(change)) == change


def _site() -> Any:
    from proxy_core.config.model import Site

    return Site()
