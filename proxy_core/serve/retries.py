"""Retries: when a request may be sent again, and how many of all requests may.

A request is sent again only where doing it twice does no harm (RFC 9110 §9.2.2) and no byte of an answer came. The
budget is a token bucket that requests fill, so that trouble upstream does not multiply the load (Finagle's RetryBudget,
Envoy's retry_budget).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proxy_core.http.hop_by_hop import IDEMPOTENT

RETRIES: Final = 2
"""How often one request may be sent again because its connection closed before any byte of an answer: once to the same
member, and once to another."""
RETRY_RATIO: Final = 0.2
"""Part of a retry that each request earns for all of them, up to RETRY_CREDIT."""
RETRY_CREDIT: Final = 20.0


@dataclass(slots=True)
class RetryBudget:
    """``credit``: how many requests may be sent again before new requests have earned more."""

    credit: float = RETRY_CREDIT

    def earn(self) -> None:
        """A request has come."""
        self.credit = min(self.credit + RETRY_RATIO, RETRY_CREDIT)

    def spend(self) -> bool:
        """Whether one more request may be sent again; if so, that is paid for."""
        if self.credit < 1:
            return False
        self.credit -= 1
        return True


def repeatable(method: bytes, length: int) -> bool:
    """Whether doing a request twice does no harm; ``length`` is that of its body."""
    return length == 0 and method in IDEMPOTENT
