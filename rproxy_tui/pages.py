"""The table of pages, in the order of their keys."""

from __future__ import annotations

from rproxy_tui.page import Page
from rproxy_tui.screens.balancers import Balancers
from rproxy_tui.screens.dashboard import Dashboard
from rproxy_tui.screens.history import History
from rproxy_tui.screens.maps import Maps
from rproxy_tui.screens.rewrites import Rewrites
from rproxy_tui.screens.routes import Routes
from rproxy_tui.screens.traffic import Traffic

PAGES: dict[str, type[Page]] = {
    "1": Dashboard,
    "2": Traffic,
    "3": Routes,
    "4": Balancers,
    "5": Rewrites,
    "6": Maps,
    "7": History,
}

PAGE_OF = {"routes": "3", "balancers": "4", "rewrites": "5", "maps": "6"}
"""The page that shows the rows or tables of a name."""
