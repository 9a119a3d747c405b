"""The governor: painting by the clock stays under its share of a core, whatever a picture costs."""

from __future__ import annotations

import pytest

from rproxy_tui.governor import LONGEST_REST, SHARE, Governor
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled


def run(governor: Governor, seconds: float, hertz: float, price: float) -> tuple[int, float]:
    """A clock of 1 kHz over a page that costs ``price`` seconds a picture: pictures, and the time they took."""
    now, pictures, spent = 0.0, 0, 0.0
    while now < seconds:
        if governor.due(now, hertz):
            governor.shown(now)
            now += price
            governor.painted(price, now)
            pictures, spent = pictures + 1, spent + price
        now += 0.001
    return pictures, spent / now


@pytest.mark.parametrize("hertz", [2.0, 5.0, 10.0])
def test_a_cheap_page_is_shown_as_often_as_it_wants(hertz: float) -> None:
    pictures, _ = run(Governor(), 10, hertz, price=0.001)
    assert pictures == pytest.approx(hertz * 10, rel=0.08)


@pytest.mark.parametrize("price", [0.02, 0.05, 0.1])
def test_a_dear_page_is_held_under_the_share(price: float) -> None:
    pictures, part = run(Governor(), 20, 10.0, price)
    assert part <= SHARE
    assert pictures >= 20 * SHARE / price * 0.8, "and not starved either"


def test_a_page_that_is_dear_beyond_reason_is_still_shown_now_and_then() -> None:
    pictures, _ = run(Governor(), 30, 5.0, price=1.0)
    assert pictures >= 30 / (LONGEST_REST + 1.1)


def test_it_recovers_as_soon_as_painting_is_cheap_again() -> None:
    governor = Governor()
    run(governor, 5, 5.0, price=0.1)
    governor.painted(0.001, 10.0)
    assert governor.due(10.2, 5.0)


def test_cost_is_the_part_of_the_time_that_was_painted() -> None:
    governor = Governor()
    for second in range(1, 5):
        governor.painted(0.05, float(second))
    assert governor.cost == pytest.approx(0.05)


async def test_what_pages_paint_is_measured() -> None:
    """Also notices when Textual renames what Page overrides to measure it."""
    async with console(FakeEngine()) as pilot:
        governor = pilot.app.governor  # type: ignore[attr-defined]
        spent = governor._spent
        pilot.app.screen.refresh(layout=True)
        await settled(pilot)
        assert governor._spent > spent or governor.cost > 0
        depths: list[int] = []
        real = pilot.app.screen._compositor.render_update
        pilot.app.screen._compositor.render_update = lambda *a, **k: (  # type: ignore[method-assign]
            depths.append(governor._depth),
            real(*a, **k),
        )[1]
        pilot.app.screen.refresh()
        await settled(pilot)
        assert depths
        assert min(depths) >= 1, "painting that nobody measured"
