"""The governor holds what painting costs under a share of the loop that serves requests.

Its rule is a rest: after painting for ``t`` seconds the clock may not ask for the next picture before ``t / SHARE``
seconds have gone by. A console that is cheap never notices; one that is dear is shown less often, at once and for as
long as it stays dear. What a person's keys paint is never held back, but it is counted, so the clock waits for them.
The same figures give the status line what the console costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rproxy_tui.cooperative import step_clock

SHARE = 0.08
"""The part of the loop's time that painting by the clock may take."""
LONGEST_REST = 2.0
"""Seconds after which a picture is due whatever it costs, so that the console never looks dead."""
WINDOW = 2.0
"""Seconds over which ``cost`` is averaged."""


class Governor:
    """``cost`` is the part (0–1) of the loop's time that painting took lately."""

    def __init__(self, now: float = 0.0) -> None:
        self.cost = 0.0
        self._rest_until = now
        self._shown = 0.0
        self._spent = 0.0
        self._since = now
        self._depth = 0

    def due(self, now: float, hertz: float) -> bool:
        """Whether it is time for the next picture of a page that wants ``hertz`` of them a second."""
        return now >= self._rest_until and now >= self._shown + 0.95 / hertz

    def shown(self, now: float) -> None:
        """A picture was asked for at ``now``."""
        self._shown = now

    def painted(self, seconds: float, now: float) -> None:
        """Painting took ``seconds`` and ended at ``now``."""
        self._rest_until = now + min(seconds / SHARE, LONGEST_REST)
        self._spent += seconds
        if now - self._since >= WINDOW:
            self.cost = self._spent / (now - self._since)
            self._spent, self._since = 0.0, now

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Measure what happens inside, less what is served in its midst; painting within painting is counted once."""
        self._depth += 1
        began = step_clock()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.painted(step_clock() - began, perf_counter())
