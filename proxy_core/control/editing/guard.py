"""The guard of a change that waits to be confirmed: takes it back when its time is over, or when it does harm.

The bounds come of the minute before the change, the evidence of what was finished since; both are pure. A bound is
crossed when there is more than it allows, and more than chance makes of what was usual: a single error, or one slow
request in the night, takes nothing back. Where there was hardly any traffic before, nothing is known of its speed, and
5xx alone is looked at.

The guard runs beside the editor in the process that serves. So it holds when the console that made the change is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from proxy_core.balance.latency_histogram import bucket_of, merged, percentiles
from proxy_core.control.editing.commands import Applied, Command, Considered, Refused, Result
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.pending import GuardBounds, Pending
from proxy_core.control.watching.evidence import Comparison, surprise
from proxy_core.errors import Problem
from proxy_core.runtime.recent_requests import ClosedSecond, Recorder

BEFORE: Final = 60
"""Seconds before a change that its bounds come of."""
LOOKED_AT: Final = 10
"""Seconds since the change that are looked at, the newest; more where they hold few requests."""
FEWEST: Final = 50
"""Requests that are few."""
KNOWN: Final = 40
"""Requests from which it is known how long they take."""
COUNTED: Final = 5
"""Errors, or slow requests, that are never chance."""
SURE: Final = 4.0
"""Standard deviations from which nothing is chance."""
RARE: Final = 0.005
"""The part that is never thought to be less, or the first error would be a miracle."""
AGAIN: Final = 1.0
"""Seconds after which a change that could not be taken back is tried again."""


def bounds(before: Sequence[ClosedSecond]) -> GuardBounds:
    """What a change may do to the numbers that were before it: three times the part of errors, and two in a hundred
    more; twice the time, and 50 ms more."""
    requests, errors = _counted(before)
    part = errors / requests if requests >= KNOWN else 0.0
    p95 = percentiles(each.histogram for each in before)[1] if requests >= KNOWN else -1.0
    most = max(2 * p95, p95 + 0.05) if p95 >= 0 else -1.0
    return GuardBounds(
        requests=requests,
        errors=min(max(3 * part, part + 0.02), (1 + part) / 2) if requests >= KNOWN else 0.05,
        errors_before=part,
        p95=most,
        p95_before=p95,
        slow_before=_slower(before, most) / requests if most >= 0 else 0.0,
    )


def crossed(limits: GuardBounds, since: Sequence[ClosedSecond]) -> str:
    """The evidence that what was finished since a change crosses its bounds, in words; "" for none."""
    looked_at = _newest(since)
    requests, errors = _counted(looked_at)
    if _too_many(errors, limits.errors_before, requests) and errors >= limits.errors * requests:
        return f"5xx {_part(errors / requests)} of {requests:,} requests, and the bound is {_part(limits.errors)}"
    slow = _slower(looked_at, limits.p95) if limits.p95 >= 0 else 0
    if _too_many(slow, limits.slow_before, requests) and slow > 0.05 * requests:
        p95 = percentiles(each.histogram for each in looked_at)[1]
        return f"p95 {_ms(p95)} of {requests:,} requests, and the bound is {_ms(limits.p95)}"
    return ""


def in_words(limits: GuardBounds) -> str:
    """The bounds, and what they come of."""
    errors = f"5xx above {_part(limits.errors)}"
    if limits.p95 < 0:
        return f"{errors}; too few requests before it to say what is slow"
    before = f"{_part(limits.errors_before)} and {_ms(limits.p95_before)} in the minute before"
    return f"{errors} or p95 above {_ms(limits.p95)} ({before})"


def _counted(seconds: Iterable[ClosedSecond]) -> tuple[int, int]:
    requests = errors = 0
    for each in seconds:
        requests += each.requests
        errors += each.classes[5]
    return requests, errors


def _slower(seconds: Iterable[ClosedSecond], than: float) -> int:
    bucket = bucket_of(than)
    return sum(count for at, count in merged(each.histogram for each in seconds).items() if at > bucket)


def _newest(since: Sequence[ClosedSecond]) -> Sequence[ClosedSecond]:
    found, requests = 0, 0
    for each in reversed(since):
        if found >= LOOKED_AT and requests >= FEWEST:
            break
        found, requests = found + 1, requests + each.requests
    return since[len(since) - found :]


def _too_many(counted: int, usual: float, requests: int) -> bool:
    expected = max(usual, RARE) * requests
    return counted >= COUNTED and surprise(Comparison(counted, expected, requests)) >= SURE


def _part(part: float) -> str:
    return f"{100 * part:.1f} %"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


class ChangeGuard:
    """Watches over the change that waits, if there is one. ``problem`` says why one could not be taken back."""

    def __init__(self, editor: Editor, recorder: Recorder) -> None:
        self.pending: Pending | None = None
        self.problem: Problem | None = None
        self._editor, self._recorder = editor, recorder
        self._due = 0.0
        self._again = 0.0

    async def submit(self, command: Command, author: str, on: int) -> Result:
        """As the editor does it; what is to be confirmed is watched from then on, and the answer says its bounds."""
        limits = bounds([*self._recorder.seconds][-BEFORE:])
        result = await self._editor.submit(command, author, on)
        entry = self._editor.history.unconfirmed
        if entry is None:
            self.pending = self.problem = None
        elif isinstance(result, Applied) and isinstance(command, Considered) and command.confirm:
            self._due = time.monotonic() + entry.confirm
            self.pending = Pending(
                generation=entry.number, sentence=entry.sentence, author=author, at=entry.at,
                until=entry.at + entry.confirm, bounds=limits, words=in_words(limits),
            )  # fmt: skip
            return replace(result, pending=self.pending)
        return result

    async def look(self) -> None:
        """Take the change back where that is due; to be called several times a second."""
        pending, now = self.pending, time.monotonic()
        if pending is None or now < self._again:
            return
        if now >= self._due:
            why = f"it was not confirmed within {pending.until - pending.at:.0f} s"
        elif not (why := crossed(pending.bounds, self._since(pending.at))):
            return
        result = await self._editor.take_back(pending.generation, why)
        if isinstance(result, Refused):
            self._again = now + AGAIN
            what = f"generation {pending.generation} cannot be taken back ({why}): {result.problems[0].what}"
            self.problem = Problem(what=what, todo=f"it is tried again each second; {result.problems[0].todo}")
        elif self.pending is pending:
            self.pending = self.problem = None

    def _since(self, at: float) -> list[ClosedSecond]:
        """The seconds that began after a moment."""
        return [each for each in self._recorder.seconds if each.at - 1.0 >= at]
