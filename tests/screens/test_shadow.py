"""The page of copies: a line for each route with a shadow, its differences, and the way to the last such request."""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.control.view import Snapshot
from proxy_core.control.watching.shadow_loads import ShadowGroup, ShadowLoad
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.routes import RoutesPage
from rproxy_tui.screens.shadow import ShownGroup, about, summary
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, text, until
from tests.screens.wire import Serialised

GROUP = ShadowGroup(
    shape="GET /item/{n}", kind="status", count=3, at=0.0, real="200", copy="5\x1b[0m00", record=1
)  # fmt: skip
LOAD = ShadowLoad(
    route="service", pool="new", share=0.05, in_flight=1, requests=1200, same=1197, dropped=2, kinds={"status": 3},
    groups=(GROUP,),
)  # fmt: skip


def test_a_route_is_told_in_a_line_and_a_group_without_what_a_terminal_would_obey() -> None:
    assert (
        summary(LOAD).plain
        == "service  5 % to new: 1,200 copies, 1,197 answered alike, 3 otherwise, 2 dropped, 1 under way"
    )
    lines = [line.plain for line in about(ShownGroup("service", GROUP, "4 s ago"))]
    assert lines[0] == "GET /item/{n}  status, 3 times, the last 4 s ago"
    assert "\x1b" not in "".join(lines)


class Copied(FakeEngine):
    """An engine that says what copies have shown."""

    loads: tuple[ShadowLoad, ...] = ()

    def snapshot(self) -> Snapshot:
        return replace(super().snapshot(), shadows=self.loads)


async def test_a_key_on_routes_shows_how_to_begin_then_the_copies_and_the_request_of_a_difference() -> None:
    fake = Copied()
    fake.advance(5)
    async with console(Serialised(fake), (80, 24), page="3") as pilot:
        assert isinstance(pilot.app, ConsoleApp)
        app = pilot.app
        await until(pilot, lambda: isinstance(app.screen, RoutesPage), "the routes")
        await pilot.press("S")
        await until(pilot, lambda: "No route has a shadow yet" in text(app), "how to begin")
        fake.loads = (LOAD,)
        await until(pilot, lambda: "GET /item/{n}" in text(app), "the difference")
        assert "1,200 copies" in text(app)
        await pilot.press("w")
        await until(pilot, lambda: "request 1 at" in text(app), "the request of the last difference")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, RoutesPage), "the routes")
