"""The compiled rules answer every row of the tables as the tables say."""

from __future__ import annotations

import pytest

from tests.semantics.askers import Asked, Asker, rules_asker
from tests.semantics.table import ASKED, DOWN, ELECTIONS, LOCATIONS, SITES, UPSTREAMS, addressed, on_ports

PORTS = {name: 9000 + number for number, name in enumerate((*UPSTREAMS, DOWN))}


@pytest.fixture(scope="module")
def ask() -> Asker:
    return rules_asker({name: on_ports(site, PORTS) for name, site in SITES.items()}, PORTS)


@pytest.mark.parametrize(("site", "target", "answer"), ASKED)
def test_a_request_is_answered_as_the_table_says(ask: Asker, site: str, target: str, answer: str) -> None:
    assert ask(Asked(site, target)).outcome == answer


@pytest.mark.parametrize("name", ELECTIONS)
def test_members_take_turns_as_the_table_says(ask: Asker, name: str) -> None:
    expected = ELECTIONS[name][1].split()
    assert [ask(Asked(f"elect-{name}", "/")).outcome.split()[0] for _ in expected] == expected


@pytest.mark.parametrize(("site", "sent", "seen"), LOCATIONS)
def test_a_location_is_mapped_as_the_table_says(ask: Asker, site: str, sent: str, seen: str) -> None:
    target = SITES[site].routes[-1].path + "/x"
    assert ask(Asked(site, target, addressed(sent, PORTS))).location == addressed(seen, PORTS)
