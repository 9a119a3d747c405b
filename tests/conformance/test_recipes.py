"""Configurations as people write them, put together by chance, answer as httpd does after their import.

A few of them here; ``python -m tests.conformance.recipes`` asks as many as there is time for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_core.apache.report import ReportLine
from tests.conformance import differ
from tests.conformance.importing import case, members
from tests.conformance.recipes import differences, mixed

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.mark.parametrize("number", range(16))
def test_what_is_not_told_as_lost_is_answered_as_httpd_answers(number: int, ports: dict[str, int]) -> None:
    losses: list[ReportLine] = []
    found = differences(mixed(number), ports, losses)
    assert losses or not found, "\n".join(found)


_PARTS = re.split(r"^##### (.+)\n", (Path(__file__).parent / "seen.txt").read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.soak
@pytest.mark.parametrize(("name", "text"), list(zip(_PARTS[::2], _PARTS[1::2], strict=True)), ids=_PARTS[::2])
def test_a_small_configuration_as_people_ask_about_it_means_the_same(
    name: str, text: str, ports: dict[str, int]
) -> None:
    told = differ.differences(case(text), ports)
    assert not told, "\n\n".join([name, *told])
