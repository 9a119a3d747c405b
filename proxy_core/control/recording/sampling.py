"""Which of the finished requests are recorded, and for how many others each of them stands.

Errors, answers that were cut, and slow requests always are, and stand for themselves. Of the others ``rate`` a second
are, chosen by chance: taking every n-th would take one member's requests alone where members take turns. The weights
of what is chosen add up to what was there, so that counts of a recording can be scaled. Pure but for the dice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange
from proxy_core.runtime.failed_requests import SLOW, failed, is_slow


class Sampled(NamedTuple):
    """A finished request, and how many it stands for."""

    exchange: Exchange
    weight: int


def stands_out(exchange: Exchange) -> bool:
    """Whether a request is worth keeping by itself: what the recorder keeps for longer too."""
    return failed(exchange.status, exchange.cut) or is_slow(exchange.status, exchange.finished - exchange.started)


class Sampler:
    """Chooses, batch by batch. ``rate``: requests a second."""

    def __init__(self, rate: float, choose: Callable[[Sequence[Exchange], int], list[Exchange]] = random.sample):
        self._rate, self._choose = rate, choose
        self._room = rate

    def chosen(self, finished: Sequence[Exchange], seconds: float) -> list[Sampled]:
        """Those of ``finished`` that are recorded, in their order; ``seconds`` have gone by since the last batch. At
        least one stands for those that went well."""
        room = self._room = min(self._rate, self._room + self._rate * seconds)
        outstanding = {
            each.number
            for each in finished
            if (each.status >= CLIENT_LEFT or each.cut or each.finished - each.started >= SLOW) and stands_out(each)
        }  # the cheap question first: nearly all have gone well
        well = [exchange for exchange in finished if exchange.number not in outstanding] if outstanding else finished
        count = min(len(well), max(1, int(room)))
        self._room = room - count
        if count == len(well):
            return [Sampled(exchange, 1) for exchange in finished]
        weight, more = divmod(len(well), count)
        found = [Sampled(exchange, weight + (n < more)) for n, exchange in enumerate(self._choose(well, count))]
        found += [Sampled(exchange, 1) for exchange in finished if exchange.number in outstanding]
        return sorted(found, key=lambda kept: kept.exchange.number)
