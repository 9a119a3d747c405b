"""The palette: what has no key is found by name, and done."""

from __future__ import annotations

from functools import partial

from textual.widgets import Input

from proxy_core.config.model import Site
from proxy_core.config.schema import fields
from proxy_core.control.door.link import Link
from rproxy_tui.palette import entries, of_page
from rproxy_tui.screens.help import key_table
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, until
from tests.screens.sites import SITE
from tests.screens.test_app import app_of, screen, shows


async def test_the_palette_finds_what_has_no_key_and_runs_it() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        names = [entry.name for entry in entries(app_of(pilot))]
        assert {"edit site settings", "add listener", "edit listener http", "remove listener http", "edit access log",
                "edit file types",
                "reload the site file", "start demo members", "theme mono", "quit", "add balancer",
                "add member to backend", "edit member backend/a", "go to History"} <= set(names)  # fmt: skip
        assert len(names) == len(set(names))
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"site set")
        await shows(pilot, "timeouts, names, trusted proxies")
        await pilot.press("enter")
        await shows(pilot, "connect_timeout")


ROWS = """
[[headers]]
id = "h"
name = "X-A"
value = "b"
[[errors]]
id = "e"
status = ["404"]
text = "gone"
[[reverse]]
id = "r"
internal = "http://127.0.0.1:1/"
public = "/"
[forward_auth.sso]
url = "http://127.0.0.1:4180/verify"
[[access_logs]]
id = "shop"
file = "shop.log"
"""


async def test_the_palette_edits_the_fields_the_pages_and_the_addresses_that_have_no_page_of_their_own() -> None:
    engine = FakeEngine(SITE + ROWS)
    async with console(engine, (120, 40)) as pilot:
        names = {entry.name for entry in entries(app_of(pilot))}
        assert {
            f"{verb} {what}"
            for verb in ("edit", "remove")
            for what in ("header h", "page e", "mapping r", "service sso", "log shop")
        } <= names
        assert {
            "add header",
            "add page",
            "add mapping",
            "add service",
            "add log",
            "edit limits of listener http",
        } <= names
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"edit page e")
        await shows(pilot, "404")
        await pilot.press("enter")
        await shows(pilot, "gone")
        await pilot.press("escape", "colon")
        await pilot.pause()
        await pilot.press(*"edit service sso")
        await shows(pilot, "4180/verify")
        await pilot.press("enter")
        await shows(pilot, "upstream_headers")
        await pilot.press("escape", "colon")
        await pilot.pause()
        await pilot.press(*"edit log shop")
        await shows(pilot, "shop.log")
        await pilot.press("enter")
        await shows(pilot, "every_host")


async def test_an_entry_does_what_its_key_does() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        for name, words in (
            ("go to History", "first start"),
            ("undo", "nothing to take back"),
            ("problems", "refuses connections"),
        ):
            await pilot.press("colon")
            await pilot.pause()
            await pilot.press(*name)
            await shows(pilot, name)
            await pilot.press("enter")
            await shows(pilot, words)
        await pilot.press("escape")
        assert not engine.commands


async def test_the_palette_finds_what_the_keys_of_this_page_do() -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        for page, typed, about in (
            ("4", "drain", "no new requests, finish the rest (key D)"),
            ("3", "except a", "(key x)"),
        ):
            await pilot.press(page, "colon")
            await pilot.pause()
            await pilot.press(*typed)
            await shows(pilot, about)
            await pilot.press("enter")
            await shows(pilot, "Drain backend/a?" if page == "4" else "Keep which path from being forwarded?")
            await pilot.press("escape")


async def test_a_pattern_is_no_markup_to_the_palette() -> None:
    rule = """
[[rewrites]]
id = "word"
pattern = '^/[red]ish[/.]?$'
substitution = '/z[@click=app.leave]here[/]'
flags = ["passthrough"]
"""
    async with console(FakeEngine(SITE + rule), (120, 40)) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"rule word")
        await shows(pilot, "^/[red]ish[/.]?$ → /z[@click=app.leave]here[/]")


async def test_removing_from_the_palette_asks_first() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"remove listener")
        await shows(pilot, "what is open there is drained")
        await pilot.press("enter")
        await shows(pilot, "Remove listener http?")
        await pilot.press("y")
        await shows(pilot, "Leave the proxy with nothing to serve?")
        await pilot.press("y")
        await until(pilot, lambda: not engine.site().site.listeners, "the listener gone")


TLS = """
[hosts.a]
names = ["a.test"]
[hosts.a.upstream_tls]
verify = false
[hosts.b]
names = ["b.test"]
[balancers.secure.members.m]
url = "https://127.0.0.1:8443"
"""


async def test_the_palette_edits_how_tls_is_spoken_with_members() -> None:
    engine = FakeEngine(SITE + TLS)
    async with console(engine, (120, 40)) as pilot:
        names = {entry.name for entry in entries(app_of(pilot)) if "TLS" in entry.name}
        assert names == {
            "edit TLS with members", "edit TLS with members of host a", "switch off TLS with members of host a",
            "edit TLS with members of host b", "edit TLS of member secure/m",
        }  # fmt: skip
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"switch off TLS")
        await shows(pilot, "the wider table holds again")
        await pilot.press("enter")
        await until(pilot, lambda: engine.site().site.hosts["a"].upstream_tls is None, "no table")


async def test_enter_is_for_what_was_typed_whatever_the_list_shows_of_it_yet() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press(*"theme")
        await shows(pilot, "theme mono")
        line = pilot.app.screen.query_one(Input)
        line.value = "theme mono"
        line.post_message(Input.Submitted(line, line.value))
        await until(pilot, lambda: bool(engine.commands), "a command")
        assert engine.site().site.console.theme == "mono"


async def test_the_palette_and_the_help_have_keys_of_the_console_alone() -> None:
    async with console(FakeEngine(), page="2") as pilot:
        names = [entry.name for entry in of_page(pilot.app.screen)]
        assert "pause" in names
        assert not {"focus next", "focus previous", "copy selected text"} & {*names}
        of_this_page, _ = key_table(pilot.app.screen)
        assert all(name for _, _, name in of_this_page)


async def test_demo_members_are_offered_only_where_they_would_run() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        app = app_of(pilot)
        assert "start demo members" in {entry.name for entry in entries(app)}
        app.link = Link(delay=0.0, lost="", pid=1)
        assert "start demo members" not in {entry.name for entry in entries(app)}
        await pilot.press("p")
        await shows(pilot, "refuses connections")
        assert "demo" not in screen(pilot)


async def test_every_table_of_the_site_is_edited_by_name_from_any_page() -> None:
    async with console(FakeEngine()) as pilot:
        app = app_of(pilot)
        runs = [entry.run for entry in entries(app)]
        edited = {run.args[0][0] for run in runs if isinstance(run, partial) and run.func in (app.edit, app.add)}
        assert {field.name for field in fields(Site) if field.struct is not None} <= edited
