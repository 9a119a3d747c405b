"""The last hour at steps of ten seconds: who did what, where, and how it ended.

A step holds cells. A cell counts the requests of one kind: to one member, by one route and one rewrite rule, of one
shape. What a member, a route, a rule or a shape did is the sum of its cells, so whoever looks for what is wrong can
hold like against like: a member against its peers on the same paths, a path against itself before an edit.

Adding is part of settling what is finished, in batches. Where so many requests come that a batch is full within a
fraction of a second, each of those that went well stands for several and the others are not looked at; what went wrong
is always counted, one by one. Bounded: a step has at most MOST cells, behind which all shapes are the rest; a closed
cell keeps its histogram packed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.msgpack import Decoder, encode

from proxy_core.balance.latency_histogram import Histogram, bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.rules.rule_state import RuleKey, RuleState
from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange
from proxy_core.runtime.path_shapes import shape_of

STEP = 10
"""Seconds of a step."""
STEPS = 360
"""How many closed steps are kept: an hour."""
MOST = 64
"""Cells of a step that have a shape of their own."""
REST = "…"
"""The shape of what has none of its own."""
SHAPES = 4096
"""Targets whose shape is remembered."""

_counts = Decoder(dict[int, int])


class CellKey(NamedTuple):
    """What the requests of a cell have in common; None and "" for none."""

    member: MemberKey | None
    route: RuleKey | None
    rule: RuleKey | None
    """The rewrite rule that decided, else the last that matched."""
    shape: str


class CellCounts(Struct):
    """How the requests of one kind ended."""

    requests: float = 0
    """How many there were."""
    errors: int = 0
    """Those with a status of 5xx, and those whose answer was cut."""
    left: int = 0
    """Those whose client left before the answer."""
    status_4xx: int = 0
    """Those with a status of 4xx, but for these."""
    histogram: bytes | Histogram = field(default_factory=dict)
    """Their durations by bucket; packed once the step is closed."""

    def ended(self, status: int, cut: int, weight: int = 1) -> None:
        """So many ended so; ``cut`` is the status of what cut the answer."""
        if status >= 500 or cut >= 500:
            self.errors += weight
        elif CLIENT_LEFT in (status, cut):
            self.left += weight
        elif status >= 400:
            self.status_4xx += weight

    def durations(self) -> Histogram:
        """The histogram, unpacked."""
        return _counts.decode(self.histogram) if isinstance(self.histogram, bytes) else self.histogram


class TenSeconds(Struct, frozen=True):
    """A step that is over. ``at`` is the epoch time of its end."""

    at: float
    cells: tuple[tuple[CellKey, CellCounts], ...]


_Open = tuple[MemberKey | None, RuleState | None, RuleState | None, str]


class LastHour:
    """The closed steps, oldest first, and the one that is filled."""

    def __init__(self, steps: Iterable[TenSeconds] = ()) -> None:
        self.steps = deque(steps, maxlen=STEPS)
        self._open: dict[_Open, CellCounts] = {}
        self._shapes: dict[tuple[bytes, bytes], str] = {}

    def add(self, finished: Sequence[Exchange], weight: int) -> None:
        """Count these; of those that went well each ``weight``-th is counted, for all of them."""
        for exchange in islice(finished, 0, None, weight):
            if exchange.status < 400 and not exchange.cut:
                self._count(exchange, weight)
        for exchange in finished:
            if exchange.status >= 400 or exchange.cut:
                self._count(exchange, 1)

    def _count(self, exchange: Exchange, weight: int) -> None:
        member, route = exchange.member, exchange.route
        line = (exchange.view.method, exchange.view.target)
        shape = self._shapes.get(line)
        if shape is None:
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            shape = self._shapes[line] = shape_of(*line)
        key = (
            member.key if member is not None else None,
            route.state if route is not None else None,
            exchange.rule,
            shape,
        )
        cell = self._open.get(key)
        if cell is None:
            if len(self._open) >= MOST:
                key = (*key[:3], REST) if len(self._open) < 2 * MOST else (None, None, None, REST)
            cell = self._open.setdefault(key, CellCounts())
        cell.requests += weight
        cell.ended(exchange.status, exchange.cut)
        histogram = cell.histogram
        assert isinstance(histogram, dict)
        bucket = bucket_of(exchange.finished - exchange.started)
        histogram[bucket] = histogram.get(bucket, 0) + weight

    def close(self, at: float) -> None:
        """The step that ended at epoch time ``at`` is over."""
        cells, self._open = self._open, {}
        for cell in cells.values():
            pack(cell)
        self.steps.append(TenSeconds(at, tuple((_key(key), cell) for key, cell in cells.items())))


def _key(key: _Open) -> CellKey:
    member, route, rule, shape = key
    return CellKey(member, route.key if route else None, rule.key if rule else None, shape)


def pack(cell: CellCounts) -> None:
    """To be kept for an hour: a histogram of bytes takes a tenth of one that is a dictionary."""
    cell.histogram = encode(cell.histogram)


def merged(cells: Iterable[CellCounts]) -> CellCounts:
    """What all of them count."""
    total, histogram = CellCounts(), dict[int, int]()
    for cell in cells:
        total.requests += cell.requests
        total.errors += cell.errors
        total.left += cell.left
        total.status_4xx += cell.status_4xx
        for bucket, count in cell.durations().items():
            histogram[bucket] = histogram.get(bucket, 0) + count
    total.histogram = histogram
    return total
