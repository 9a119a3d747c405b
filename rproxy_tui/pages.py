"""The table of pages, in the order of their keys."""

from __future__ import annotations

from rproxy_tui.page import Page
from rproxy_tui.screens.balancers import Balancers
from rproxy_tui.screens.dashboard import Dashboard
from rproxy_tui.screens.history import History
from rproxy_tui.screens.routes import Routes
from rproxy_tui.screens.traffic import Traffic

PAGES: dict[str, type[Page]] = {
    "1": Dashboard,
    "2": Traffic,
    "3": Routes,
    "4": Balancers,
    "7": History,
}
