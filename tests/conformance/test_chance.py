"""Configurations that nobody thought of: Apache httpd and what ``rproxy import`` makes of them answer alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.chance import Chance, hosting, rewriting
from tests.conformance.importing import asked, both, filled, members

pytestmark = pytest.mark.apache
DIED = ["", ""]
"""What comes of a request that httpd dies of: look-aheads without end take its stack."""


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


def differences(made: Chance, ports: Mapping[str, int]) -> list[object]:
    """Requests with the two answers, and what their host says."""
    found: list[object] = []
    with both(made.case, ports) as (theirs, ours):
        for request in made.case.requests:
            spelled = filled(request, ports, Path())
            mine, apaches = asked(ours["http"], spelled), _of_apache(theirs["http"], spelled)
            if mine != apaches and apaches != DIED and not _climbs(mine, apaches):
                host = request.lower().partition("host: ")[2].partition(":")[0].partition(" ")[0]
                found.append((request, mine, apaches, made.hosts.get(host, made.hosts)))
    return found


_DOTS = re.compile(r"[A-Z]+ [^ ?]*(?:/|%5C)(?:\.|%2E){1,2}(?:/|%5C|\?| )")


def _climbs(mine: list[str], apaches: list[str]) -> bool:
    """Whether we refuse on purpose what httpd sends on: a made path with a segment "." or ".."."""
    return mine[:1] == ["400"] and any(_DOTS.match(line) for line in apaches)


def _of_apache(port: int, request: str) -> list[str]:
    """What httpd answers; it goes round in some rules for longer than anybody waits."""
    try:
        return asked(port, request)
    except TimeoutError:
        return DIED


@pytest.mark.parametrize("seed", [1, 5])
def test_made_up_rules_mean_what_they_mean_to_apache(seed: int, ports: Mapping[str, int]) -> None:
    assert differences(rewriting(seed), ports) == []


@pytest.mark.parametrize("seed", range(8))
def test_made_up_hosts_are_chosen_as_apache_chooses_them(seed: int, ports: Mapping[str, int]) -> None:
    assert differences(hosting(seed), ports) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_made_up_rules_mean_what_they_mean_to_apache(seed: int, ports: Mapping[str, int]) -> None:
    """Nearly: httpd follows look-aheads further, and puts bytes into queries that no target may hold."""
    assert len(differences(rewriting(seed), ports)) <= 10
