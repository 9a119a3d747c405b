"""Look at the console by hand, on made-up traffic: ``python -m tests.screens.look``."""

from __future__ import annotations

from rproxy_tui.app import ConsoleApp
from tests.screens.fake import FakeEngine

if __name__ == "__main__":
    ConsoleApp(FakeEngine(live=True)).run()
