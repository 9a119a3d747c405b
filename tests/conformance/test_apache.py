"""Apache httpd answers every row of the tables as the tables say, and made-up requests as our rules do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import pytest

from proxy_core.config.model import Site
from tests.conformance.apache import apache
from tests.conformance.echo import upstreams
from tests.semantics.askers import Asked, Asker, rules_asker
from tests.semantics.table import ASKED, DOWN, ELECTIONS, LOCATIONS, SITES, UPSTREAMS, addressed, on_ports

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[Mapping[str, int]]:
    with upstreams(UPSTREAMS, DOWN) as ports:
        yield ports


@pytest.fixture(scope="module")
def sites(ports: Mapping[str, int]) -> dict[str, Site]:
    return {name: on_ports(site, ports) for name, site in SITES.items()}


@pytest.fixture(scope="module")
def ask(sites: Mapping[str, Site]) -> Iterator[Asker]:
    with apache(sites) as ask:
        yield ask


@pytest.mark.parametrize(("site", "target", "answer"), ASKED)
def test_apache_answers_as_the_table_says(ask: Asker, site: str, target: str, answer: str) -> None:
    assert ask(Asked(site, target)).outcome == answer


@pytest.mark.parametrize("name", ELECTIONS)
def test_apache_takes_turns_as_the_table_says(ask: Asker, name: str) -> None:
    expected = ELECTIONS[name][1].split()
    assert [ask(Asked(f"elect-{name}", "/")).outcome.split()[0] for _ in expected] == expected


@pytest.mark.parametrize(("site", "sent", "seen"), LOCATIONS)
def test_apache_maps_a_location_as_the_table_says(
    ask: Asker, ports: Mapping[str, int], site: str, sent: str, seen: str
) -> None:
    target = SITES[site].routes[-1].path + "/x"
    assert ask(Asked(site, target, addressed(sent, ports))).location == addressed(seen, ports)


PIECES = (
    *("/", "/", "/", "//", "/./", "/../", "/%2e/", "/%2E%2e/", "/.%2e/", ".", "..", "%2e", "%2f", "%00", "%25", "%zz"),
    *("a", "b", "index", "inde%78", "service", "%73ervice", "app", "deep", "er", "x", "X", "with%20space", "%e9"),
    *(";v=1", "~", "%7e", "+", "%2B", "\\", "%5c", "\xe9", "?", "?q=/../", "%", "[", "%252e"),
)


@pytest.mark.parametrize("site", ["whole", "service", "order", "slashes"])
def test_apache_and_our_rules_agree_on_made_up_targets(
    ask: Asker, sites: Mapping[str, Site], ports: Mapping[str, int], site: str
) -> None:
    ours, random = rules_asker(sites, ports), Random(site)
    targets = ["/" + "".join(random.choices(PIECES, k=random.randint(1, 9))) for _ in range(250)]
    assert [(target, ask(Asked(site, target)).outcome) for target in targets] == [
        (target, ours(Asked(site, target)).outcome) for target in targets
    ]
