"""Over the wire, the real Apache httpd and our own server answer every row of the tables as the tables say, and
made-up requests alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

import pytest

from proxy_core.config.model import Site
from tests.conformance.apache import apache
from tests.conformance.rproxy import rproxy
from tests.semantics.askers import Answered, Asked, Asker
from tests.semantics.table import ASKED, DEVIATIONS, ELECTIONS, LOCATIONS, SITES, addressed, on_ports

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def sites(ports: Mapping[str, int]) -> dict[str, Site]:
    return {name: on_ports(site, ports) for name, site in SITES.items()}


@pytest.fixture(scope="module")
def apaches(sites: Mapping[str, Site]) -> Iterator[Asker]:
    with apache(sites) as ask:
        yield ask


@pytest.fixture(scope="module")
def ours(sites: Mapping[str, Site]) -> Iterator[Asker]:
    with rproxy(sites) as ask:
        yield ask


@pytest.fixture(params=["apaches", "ours"])
def ask(request: pytest.FixtureRequest) -> Asker:
    asker: Asker = request.getfixturevalue(request.param)
    return asker


@pytest.mark.parametrize(("site", "target", "answer"), ASKED)
def test_a_request_is_answered_as_the_table_says(ask: Asker, site: str, target: str, answer: str) -> None:
    assert ask(Asked(site, target)).outcome == answer


@pytest.mark.parametrize("name", ELECTIONS)
def test_members_take_turns_as_the_table_says(ask: Asker, name: str) -> None:
    expected = ELECTIONS[name][1].split()
    assert [ask(Asked(f"elect-{name}", "/")).outcome.split()[0] for _ in expected] == expected


@pytest.mark.parametrize(("site", "sent", "seen"), LOCATIONS)
def test_a_location_is_mapped_as_the_table_says(
    ask: Asker, ports: Mapping[str, int], site: str, sent: str, seen: str
) -> None:
    target = SITES[site].routes[-1].path + "/x"
    assert ask(Asked(site, target, addressed(sent, ports))).location == addressed(seen, ports)


@pytest.mark.parametrize(("site", "target", "our_answer", "apaches_answer"), DEVIATIONS)
def test_we_differ_from_apache_where_we_mean_to(
    ours: Asker, apaches: Asker, site: str, target: str, our_answer: str, apaches_answer: str
) -> None:
    assert ours(Asked(site, target)).outcome == our_answer
    assert apaches(Asked(site, target)).outcome == apaches_answer


PIECES = (
    *("/", "/", "/", "//", "/./", "/../", "/%2e/", "/%2E%2e/", "/.%2e/", ".", "..", "%2e", "%2f", "%00", "%25", "%zz"),
    *("a", "b", "index", "inde%78", "service", "%73ervice", "app", "deep", "er", "x", "X", "with%20space", "%e9"),
    *(";v=1", "~", "%7e", "+", "%2B", "\\", "%5c", "\xe9", "?", "?q=/../", "%", "[", "%252e"),
)


def in_ascii(answered: Answered) -> Answered:
    """Apache's answer as ours is meant to be where a query holds bytes above 0x7F (see DEVIATIONS)."""
    outcome = re.sub("[\x80-\xff]", lambda high: f"%{ord(high[0]):02X}", answered.outcome)
    return Answered(outcome, answered.location)


@pytest.mark.parametrize("site", ["whole", "service", "order", "slashes"])
def test_apache_and_we_agree_on_made_up_targets(apaches: Asker, ours: Asker, site: str) -> None:
    random = Random(site)
    targets = ["/" + "".join(random.choices(PIECES, k=random.randint(1, 9))) for _ in range(250)]
    assert [(target, ours(Asked(site, target))) for target in targets] == [
        (target, in_ascii(apaches(Asked(site, target)))) for target in targets
    ]
