"""When a request may be sent again, and how many of all requests may."""

from __future__ import annotations

import pytest

from proxy_core.serve.request_fields import CHUNKED
from proxy_core.serve.retries import RETRY_CREDIT, RetryBudget, repeatable


@pytest.mark.parametrize(
    ("method", "length", "harmless"),
    [
        (b"GET", 0, True),
        (b"HEAD", 0, True),
        (b"PUT", 0, True),
        (b"DELETE", 0, True),
        (b"POST", 0, False),
        (b"PATCH", 0, False),
        (b"CONNECT", 0, False),
        (b"GET", 1, False),
        (b"PUT", 10, False),
        (b"PUT", CHUNKED, False),
    ],
)
def test_what_has_a_body_or_is_not_idempotent_is_not_sent_again(method: bytes, length: int, harmless: bool) -> None:
    assert repeatable(method, length) is harmless


def spent(budget: RetryBudget) -> int:
    """How many requests may be sent again in a row."""
    count = 0
    while budget.spend():
        count += 1
    return count


def test_five_requests_earn_one_that_may_be_sent_again() -> None:
    budget = RetryBudget(0.0)
    assert spent(budget) == 0
    for _ in range(11):
        budget.earn()
    assert spent(budget) == 2


def test_the_budget_is_full_from_the_start_and_holds_no_more() -> None:
    assert spent(RetryBudget()) == RETRY_CREDIT
    budget = RetryBudget()
    for _ in range(100):
        budget.earn()
    assert spent(budget) == RETRY_CREDIT
