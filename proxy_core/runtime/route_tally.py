"""What is counted of the requests of one route, and of answers that were coded: for metrics and pages, kept by a swap,
handed on by an upgrade."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy_core.balance.latency_histogram import Histogram, merged


@dataclass(slots=True)
class Tally:
    """Totals of one route's finished requests. There may be thousands of routes, so histograms hold only what is
    there."""

    requests: int = 0
    """How many there were."""
    sent: int = 0
    """Body bytes to clients."""
    received: int = 0
    """Body bytes from clients."""
    seconds: float = 0.0
    """How long they took together."""
    classes: list[int] = field(default_factory=lambda: [0] * 10)
    """Counts by first digit of the status."""
    closed: Histogram = field(default_factory=dict)
    """Counts by bucket of how long those of closed seconds took."""
    fresh: Histogram = field(default_factory=dict)
    """The same of the second that is not closed."""

    @property
    def histogram(self) -> Histogram:
        """Counts by bucket of how long they took."""
        return merged((self.closed, self.fresh))


@dataclass(slots=True)
class CodedTally:
    """Totals of the answers that were coded in one way."""

    answers: int = 0
    """How many there were."""
    plain: int = 0
    """Bytes of their bodies before."""
    coded: int = 0
    """Bytes of their bodies after."""

    def add(self, plain: int, coded: int) -> None:
        """One more."""
        self.answers += 1
        self.plain += plain
        self.coded += coded
