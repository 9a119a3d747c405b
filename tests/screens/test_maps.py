"""The maps page: numbers, entries edited with undo, lookups that are asked as rules ask."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.control.editing.commands import SetEntry, Undo
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.maps import MapsPage
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import EMPTY, FILES, RULES
from tests.screens.wire import Serialised

FILE = "servers.txt"
PROGRAM = RULES + '\n[maps.told]\ntype = "prg"\ncommand = ["/bin/cat"]\n'


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def servers(fake: FakeEngine) -> str:
    """What is in the file of the map servers."""
    return (fake.folder / FILE).read_text()


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in " ".join(screen(pilot).split()), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_all_maps_and_the_entries_of_the_marked_one_are_shown(size: tuple[int, int]) -> None:
    async with console(Serialised(FakeEngine(RULES)), size, page="6") as pilot:
        await shown(pilot, "localhost:8001")
        for words in ("servers", "names", "small", "txt", "rnd", "int", "hits", "misses", "errors"):
            assert words in screen(pilot)
        await shown(pilot, "used by by-client")
        await pilot.press("l")
        await shown(pilot, "orders|baskets")
        assert "localhost:8001" not in screen(pilot)
        await pilot.press("l")
        await shown(pilot, "A function: it has no entries.")


async def test_a_line_that_is_never_reached_says_which_one_wins() -> None:
    async with console(FakeEngine(RULES), page="6") as pilot:
        await shown(pilot, "▲ line 2 wins")


async def test_a_fault_is_told_with_what_it_means() -> None:
    fake = FakeEngine(RULES)
    fake.faults["servers"] = "no such file or directory"
    async with console(fake, page="6") as pilot:
        await shown(pilot, "▲ fault: no such file or directory: rules take their defaults")


@pytest.mark.parametrize("size", SIZES)
async def test_a_value_in_a_file_is_edited_and_taken_back(size: tuple[int, int]) -> None:
    fake = FakeEngine(RULES)
    async with console(Serialised(fake), size, page="6") as pilot:
        await shown(pilot, "localhost:8001")
        await pilot.press("e")
        await shown(pilot, "Value of 4 in map servers?")
        await pilot.press(*"localhost:8005")
        await shown(pilot, "+4 localhost:8005")
        await pilot.press("enter")
        await until(pilot, lambda: "4 localhost:8005" in servers(fake), "the new value in the file")
        assert servers(fake).startswith("# one server for each hash\n")
        await shown(pilot, "4 → localhost:8005")
        await pilot.press("u")
        await until(pilot, lambda: servers(fake) == FILES["servers.txt"], "undo gives the file back")
        assert [type(each) for each in fake.commands] == [SetEntry, Undo]


async def test_an_entry_is_added_and_the_cursor_goes_to_it() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="6") as pilot:
        await pilot.press("l")
        await shown(pilot, "orders|baskets")
        await pilot.press("a", *"sofa")
        await shown(pilot, "An entry is a key, a blank and a value.")
        await pilot.press(*" seats|benches", "enter")
        await until(pilot, lambda: fake.site().site.maps["names"].entries.get("sofa") == "seats|benches", "the entry")
        await shown(pilot, "sofa → seats|benches")


async def test_an_entry_that_is_there_is_not_added_again() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="6") as pilot:
        await shown(pilot, "localhost:8001")
        await pilot.press("a", *"4 x")
        await shown(pilot, "There is an entry 4 already")
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert not fake.commands


async def test_taking_an_entry_out_asks_and_says_how_many_lines_go() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="6") as pilot:
        await shown(pilot, "localhost:8001")
        await pilot.press("d")
        await shown(pilot, "Take 4 out of map servers?")
        await shown(pilot, "All 2 lines of it go.")
        await pilot.press("y")
        await until(pilot, lambda: "localhost:8001" not in servers(fake), "gone from the file")
        assert "localhost:9999" not in servers(fake)


async def test_a_key_is_looked_up_while_one_types_and_the_cursor_goes_to_its_entry() -> None:
    fake = FakeEngine(RULES)
    async with console(Serialised(fake), page="6") as pilot:
        await shown(pilot, "localhost:8001")
        await pilot.press("L", "d")
        await shown(pilot, "● hit localhost:8002")
        page = pilot.app.screen
        assert isinstance(page, MapsPage)
        assert page.entries.cursor == "d"
        await pilot.press("x")
        await shown(pilot, "○ miss rules take their default")


async def test_a_program_is_asked_only_when_enter_says_so() -> None:
    fake = FakeEngine(PROGRAM)
    async with console(fake, page="6") as pilot:
        await pilot.press("h")
        await shown(pilot, "A program: only it knows its entries.")
        await pilot.press("L", *"abc")
        await shown(pilot, "enter asks")
        assert fake.looked_up == []
        await pilot.press("enter")
        await until(pilot, lambda: fake.looked_up == [("told", "abc")], "asked once")


async def test_entries_of_other_kinds_are_not_edited_and_the_console_says_so() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="6") as pilot:
        await pilot.press("h", "a")
        await shown(pilot, "entries of a map of type int are not edited here")
        assert not fake.commands


async def test_a_map_is_added_in_a_form_and_marked() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="6") as pilot:
        await pilot.press("n", *"more", "down", "down", *"more.txt")
        (fake.folder / "more.txt").touch()
        await shown(pilot, "enter: add map more")
        await pilot.press("enter")
        await until(pilot, lambda: "more" in fake.site().site.maps, "the new map")
        await shown(pilot, "No entry yet")


async def test_an_empty_page_says_how_to_fill_it() -> None:
    async with console(FakeEngine(EMPTY), (60, 15), page="6") as pilot:
        assert "press n to add one" in screen(pilot)
        await pilot.press(*"aedmxhl/")
        await settled(pilot)
