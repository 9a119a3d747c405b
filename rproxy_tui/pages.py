"""The table of pages, in the order of their keys."""

from __future__ import annotations

from rproxy_tui.page import Page
from rproxy_tui.screens.balancers import BalancersPage
from rproxy_tui.screens.dashboard import DashboardPage
from rproxy_tui.screens.history import HistoryPage
from rproxy_tui.screens.maps import MapsPage
from rproxy_tui.screens.rewrites import RewritesPage
from rproxy_tui.screens.routes import RoutesPage
from rproxy_tui.screens.traffic import TrafficPage

PAGES: dict[str, type[Page]] = {
    page.key: page
    for page in (DashboardPage, TrafficPage, RoutesPage, BalancersPage, RewritesPage, MapsPage, HistoryPage)
}

PAGE_OF = {"routes": "3", "balancers": "4", "rewrites": "5", "maps": "6"}
"""The page that shows the rows or tables of a name."""
