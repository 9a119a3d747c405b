"""The table of pages. A page that is written takes the place of its blank."""

from __future__ import annotations

from rproxy_tui.page import Page
from rproxy_tui.screens.dashboard import Dashboard
from rproxy_tui.screens.history import History
from rproxy_tui.screens.routes import Routes
from rproxy_tui.screens.traffic import Traffic


def blank(page_heading: str, page_key: str) -> type[Page]:
    class Blank(Page):
        heading = page_heading
        key = page_key

    return Blank


PAGES: dict[str, type[Page]] = {
    "1": Dashboard,
    "2": Traffic,
    "3": Routes,
    "4": blank("Balancers", "4"),
    "7": History,
}
