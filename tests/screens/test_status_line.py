"""The rows round every page: right at every width, and in words."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from proxy_core.control.door.link import Link
from proxy_core.control.view import Percentiles, Saved
from proxy_core.errors import Problem
from rproxy_tui.widgets.frame import Part, banner, fit, masthead, milliseconds, vital_signs
from tests.screens.fake import FakeEngine


def snapshot(**changes: object):  # type: ignore[no-untyped-def]
    engine = FakeEngine()
    engine.advance(5)
    return msgspec.structs.replace(engine.snapshot(), **changes)


parts = st.lists(
    st.builds(
        lambda worth, forms: Part(worth, tuple(Content(form) for form in sorted(forms, key=len, reverse=True))),
        st.integers(0, 9),
        st.lists(st.text("abc", max_size=12), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


@given(parts, st.integers(1, 80))
def test_a_row_fits_whenever_its_shortest_forms_do(row: list[Part], width: int) -> None:
    shortest = Content("  ").join(part.forms[-1] for part in row if part.forms[-1].plain)
    assert fit(row, width).cell_length <= max(width, shortest.cell_length)


def test_what_matters_least_gives_way_first() -> None:
    row = [Part(1, (Content("least"), Content(""))), Part(9, (Content("most"), Content("")))]
    assert fit(row, 11).plain == "least  most"
    assert fit(row, 10).plain == "most"


@pytest.mark.parametrize(("width", "present", "absent"), [
    (60, ["req/s", "5xx/s", "p99", "● 5", "▼ 1", "▲ 1"], ["console", "p50"]),
    (80, ["req/s", "5xx/s", "p99", "up", "draining", "down"], ["console"]),
    (160, ["req/s", "in flight", "4xx/s", "5xx/s", "p50", "p95", "p99", "ms late", "console", "6 %"], []),
])  # fmt: skip
def test_vital_signs_drop_by_worth(width: int, present: list[str], absent: list[str]) -> None:
    text = vital_signs(snapshot(), 0.06, width).plain
    assert len(text) <= width
    for words in present:
        assert words in text
    for words in absent:
        assert words not in text


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("lost", ["", "no answer for 5 s from /run/rproxy/shop.sock"])
def test_vital_signs_fit_where_the_line_to_a_service_stands_among_them(width: int, lost: str) -> None:
    row = vital_signs(snapshot(), 0.06, width, Link(delay=0.2, lost=lost, pid=1)).plain
    assert len(row) <= width
    assert "no answer" in row if lost else width < 80 or "200 ms" in row


CALM = snapshot(rate=1.0, rate_5xx=0.0, latency=Percentiles(-1, -1, -1))


@given(st.floats(0, 99_999), st.floats(0, 99.9), st.floats(-1, 99))
def test_the_row_does_not_jitter_when_figures_change(rate: float, errors: float, p99: float) -> None:
    busy = msgspec.structs.replace(CALM, rate=rate, rate_5xx=errors, latency=Percentiles(-1, -1, p99))
    one, two = (vital_signs(each, 0.0, 200).plain for each in (CALM, busy))
    assert one.index("5xx/s") == two.index("5xx/s")
    assert one.index("p99") == two.index("p99")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "    –"), (0.00042, "  0.4"), (0.0123, "   12"), (1.5, " 1500"), (0.0099, "  9.9")]
)
def test_milliseconds_have_three_digits_at_most_and_five_cells(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


@pytest.mark.parametrize(
    ("saved", "words"),
    [("saved", "saved"), ("unsaved", "unsaved"), ("failed", "not saved"), ("drift", "changed on disk")],
)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_how_the_site_is_saved_is_said_in_words_at_every_width(saved: Saved, words: str, width: int) -> None:
    text = masthead("2", "a-rather-long-name-of-a-site.toml", snapshot(saved=saved), False, width).plain
    assert words in text
    assert "2 Traffic" in text
    assert len(text) <= width


def test_a_read_only_console_says_so() -> None:
    assert "read-only" in masthead("1", "site.toml", snapshot(), True, 60).plain


def test_the_banner_is_empty_when_nothing_is_wrong_and_shows_errors_before_warnings() -> None:
    warning = Problem(what="a shadow", severity="warning")
    error = Problem(what="port 80 is taken")
    assert not banner("saved", "site.toml", (), 80).plain
    assert "✗ port 80 is taken" in banner("saved", "site.toml", (warning, error), 80).plain
    assert "p: all 2" in banner("saved", "site.toml", (warning, error), 80).plain
    assert "take theirs, or keep ours" in banner("drift", "site.toml", (error,), 80).plain
    assert len(banner("saved", "site.toml", (Problem(what="x" * 200),), 60).plain) <= 60
