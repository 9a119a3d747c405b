"""Configurations as people write them, put together by chance, answer as httpd does after their import.

A few of them here; ``python -m tests.conformance.recipes`` asks as many as there is time for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.importing import members
from tests.conformance.recipes import differences, mixed

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.mark.parametrize("number", range(16))
def test_what_is_not_told_as_lost_is_answered_as_httpd_answers(number: int, ports: dict[str, int]) -> None:
    losses: list[str] = []
    found = differences(mixed(number), ports, losses)
    assert losses or not found, "\n".join(found)
