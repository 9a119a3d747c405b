"""Bans: what a span means, what becomes of the site file, and a client kept out by a key."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Ban, Site
from proxy_core.control.editing.commands import Change, Delete, Insert, Set
from proxy_core.rules.access.networks import seen_as
from rproxy_tui.palette import entries
from rproxy_tui.sentences import about_ban, ban
from rproxy_tui.widgets.group_table import GroupTable
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled, text, until

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("span", "ends"),
    [
        ("1h", "2023-11-14T23:13:20Z"),
        ("30m", "2023-11-14T22:43:20Z"),
        (" 1.5 H ", "2023-11-14T23:43:20Z"),
        ("7d", "2023-11-21T22:13:20Z"),
        ("10s", "2023-11-14T22:13:30Z"),
        ("", None),
    ],
)
def test_a_span_becomes_the_moment_at_which_the_ban_ends(span: str, ends: str | None) -> None:
    change = ban(Site(), "203.0.113.7", span, NOW)
    assert isinstance(change, Change)
    row = {"network": "203.0.113.7"} | ({"until": ends} if ends else {})
    assert change.edits == (Insert(("bans",), row),)


@pytest.mark.parametrize("span", ["1", "h", "0h", "-1h", "1y", "tomorrow", "999999d"])
def test_what_is_no_span_is_said(span: str) -> None:
    assert "30m, 1h or 7d" in str(ban(Site(), "203.0.113.7", span, NOW))


def test_of_ipv6_the_subscriber_is_banned() -> None:
    change = ban(Site(), "2001:db8:1:2:3::9", "1h", NOW)
    assert isinstance(change, Change)
    assert change.sentence == "ban 2001:db8:1:2::/64 for 1h"


def test_a_ban_made_again_is_made_longer_and_ended_ones_go() -> None:
    old = Ban(id="old", network="10.0.0.1", until="2023-01-01T00:00:00Z")
    site = Site(
        bans=(old, Ban(id="b", network="203.0.113.7", until="2023-11-14T22:14:00Z"), Ban(id="c", network="::1"))
    )
    change = ban(site, "203.0.113.7", "1h", NOW)
    assert isinstance(change, Change)
    assert change.edits == (Delete(("bans", "old")), Set(("bans", "b", "until"), "2023-11-14T23:13:20Z"))
    change = ban(site, "203.0.113.7", "", NOW)
    assert isinstance(change, Change)
    assert change.edits == (Delete(("bans", "old")), Delete(("bans", "b", "until")))
    lasting = replace(site, bans=(Ban(id="b", network="203.0.113.7"),))
    assert ban(lasting, "203.0.113.7", "", NOW) == "203.0.113.7 is banned for good already."


def test_how_long_a_ban_holds_is_said() -> None:
    assert about_ban(Ban(network="10.0.0.1", note="scans"), NOW) == "10.0.0.1: for good, scans"
    assert about_ban(Ban(network="10.0.0.1", until="2023-01-01T00:00:00Z"), NOW) == "10.0.0.1: has ended"
    assert about_ban(Ban(network="10.0.0.1", until="2023-11-14T23:13:20Z"), NOW).endswith(" left")


async def test_a_key_bans_the_client_under_the_cursor_and_the_palette_lifts_it() -> None:
    engine = FakeEngine()
    engine.advance(5)
    async with console(engine, (120, 40), "2") as pilot:
        await pilot.press("g", "b")
        await until(pilot, lambda: "no client in common" in text(pilot.app), "a group of paths cannot be banned")  # type: ignore[arg-type]
        groups = pilot.app.screen.query_one(GroupTable)
        groups.by = ("client",)
        await pilot.press("o")
        await until(pilot, lambda: bool(groups.client), "the groups are of clients")
        await pilot.press("b")
        asked = f"Ban {seen_as(groups.client or '')} for how long?"
        await until(pilot, lambda: asked in text(pilot.app), "the same for a group")  # type: ignore[arg-type]
        await until(pilot, lambda: "rproxy ctl" in text(pilot.app), "its line")  # type: ignore[arg-type]
        await pilot.press("escape", "escape", "k", "b")
        await settled(pilot)
        assert "for how long?" in text(pilot.app)  # type: ignore[arg-type]
        await pilot.press("2", "h", "enter")
        await until(pilot, lambda: bool(engine.site().site.bans), "the ban is in the site")
        (row,) = engine.site().site.bans
        assert row.until
        names = {entry.name for entry in entries(pilot.app)}  # type: ignore[arg-type]
        assert {f"edit ban {row.id}", f"remove ban {row.id}", "add ban", "edit limits"} <= names
