"""A clock that a test moves on, so that nobody waits for what takes a minute, and nothing rests on a quiet machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from tests.e2e.harness import Running

STEP = 1.0
"""Seconds between two sweeps over deadlines; one that comes much later would be put down to a loop that stood still."""


class Clock:
    """The clocks of every module of the proxy that has one by name, ahead of the true ones by what has ``passed``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        for name, module in [*sys.modules.items()]:
            for true in (time.monotonic, time.time):
                if name.startswith("proxy_core.") and getattr(module, true.__name__, None) is true:
                    monkeypatch.setattr(module, true.__name__, self._ahead(true))

    def _ahead(self, true: Callable[[], float]) -> Callable[[], float]:
        return lambda: true() + self.passed

    def passes(self, seconds: float, proxy: Running) -> None:
        """So much time goes by at once, and ``proxy`` does what falls due in it. Waits of asyncio's own are not in it:
        connecting, and answers of maps and programs."""
        end = self.passed + seconds
        while self.passed < end:
            self.passed = min(self.passed + STEP, end)
            assert proxy.server._sweeper is not None
            proxy.server._sweeper.cancel()
            proxy.server._sweep()
