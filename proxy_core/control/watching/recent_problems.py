"""What went wrong while serving and was nobody's answer: shown for a while, told once, its trace logged.

A mistake of ours in a request, in a protocol's callback or in one of the engine's own clocks ends here. It must never
print by itself: a console may have the terminal. What is repeated with every request is told and logged once, as long
as it is shown.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from time import monotonic
from typing import Any

from proxy_core.errors import Problem

SHOWN = 600.0
"""Seconds for which a notice stays among the problems after it came last."""
MOST = 50

_logger = logging.getLogger(__name__)


class RecentProblems:
    """``log`` is told of each problem that is not shown already."""

    def __init__(self, log: Callable[[Problem], None]) -> None:
        self._log = log
        self._shown: dict[str, tuple[float, Problem]] = {}

    def add(self, problem: Problem, error: BaseException | None = None) -> None:
        """Show ``problem``, and log the trace of the ``error`` that it tells of."""
        already = {shown.what for shown in self.current()}
        self._shown.pop(problem.what, None)
        self._shown[problem.what] = (monotonic() + SHOWN, problem)
        if problem.what in already:
            return
        if len(self._shown) > MOST:
            del self._shown[next(iter(self._shown))]
        self._log(problem)
        if error is not None:
            _logger.error("%s", problem.what, exc_info=error)

    def current(self) -> list[Problem]:
        """What is shown now, oldest first."""
        now = monotonic()
        self._shown = {what: entry for what, entry in self._shown.items() if entry[0] > now}
        return [problem for _, problem in self._shown.values()]

    def crashed(self, where: str, error: BaseException, outcome: str) -> None:
        """A mistake of ours; ``outcome`` says what became of it."""
        self.add(Problem(what=f"{where} failed: {in_a_line(error)}", todo=f"{outcome}; please report this"), error)

    def from_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what a callback raised, and no code of ours caught."""
        error = context.get("exception")
        what = str(context.get("message") or "the event loop failed")
        if error is None:
            self.add(Problem(what=what, todo="serving goes on; please report this"))
        else:
            self.crashed(what[:1].lower() + what[1:].removesuffix("."), error, "serving goes on")


def in_a_line(error: BaseException) -> str:
    """An exception in a line: its kind, its words, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
