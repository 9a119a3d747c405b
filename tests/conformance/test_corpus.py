"""Whole configurations, one theme each: what ``rproxy import`` makes of them answers as the real Apache httpd does.

A case runs as one test, in the order of its requests, for they share members and turns. What is answered in another
way on purpose stands behind a line that says why. ``python -m tests.conformance.differ FILE`` shows the differences.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.differ import differences
from tests.conformance.importing import case, members
from tests.conformance.made_up import THEMES

pytestmark = pytest.mark.apache

FILES = sorted((Path(__file__).parent / "corpus").glob("*.conf"))


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_configuration_means_what_it_means_to_apache(file: Path, ports: dict[str, int]) -> None:
    told = differences(case(file.read_text()), ports)
    assert not told, "\n\n".join(told)


@pytest.mark.soak
@pytest.mark.parametrize("theme", THEMES)
def test_configurations_that_dice_make_up_mean_the_same(theme: str, ports: dict[str, int]) -> None:
    for seed in range(12):
        told = differences(case(THEMES[theme](random.Random(seed))), ports)
        assert not told, "\n\n".join([f"{theme}, seed {seed}", *told])
