"""Apache httpd answers every row of the rewriting table as the table says, and made-up requests as our rules do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

import pytest

from proxy_core.config.model import Site
from tests.conformance.rewriting import hosts_apache, rewriting_apache
from tests.semantics import host_table
from tests.semantics.askers import Asked, Asker, rules_asker
from tests.semantics.rewrite_rows import ROWS
from tests.semantics.rewrite_sites import SITES
from tests.semantics.table import addressed, on_ports

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def sites(ports: Mapping[str, int]) -> dict[str, Site]:
    return {name: on_ports(site, ports) for name, site in SITES.items()}


@pytest.fixture(scope="module")
def ask(sites: Mapping[str, Site]) -> Iterator[Asker]:
    with rewriting_apache(sites) as ask:
        yield ask


@pytest.mark.parametrize(("site", "target", "answer", "fields"), ROWS)
def test_apache_rewrites_as_the_table_says(ask: Asker, ports, site, target, answer, fields) -> None:
    assert ask(Asked(site, target, fields=fields)).outcome == addressed(answer, ports)


PIECES = (
    *("/", "/", "//", "/./", "/../", "%2e", "a", "b", "x", "%20", "%25", "%3f", "%26", "%00", "%2f", "+", "~", "%5b"),
    *("\xc3\xa9", "%e9", "?", "?a=1", "&", "=", "%zz", ";", "'", "%0a", "%2525", "$1", "%1", "|", "\\", "%22"),
)


@pytest.mark.parametrize("site", SITES)
def test_apache_and_our_rules_agree_on_made_up_targets(ask: Asker, sites, ports, site: str) -> None:
    ours, random = rules_asker(sites, ports), Random(site)
    beginnings = [target.partition("?")[0] for name, target, _, _ in ROWS if name == site]
    targets = [random.choice(beginnings) + "".join(random.choices(PIECES, k=random.randint(0, 4))) for _ in range(100)]
    asked = [Asked(site, target) for target in targets]
    theirs = [(each.target, _HIGH_BYTE.sub(_escaped, ask(each).outcome)) for each in asked]
    assert theirs == [(each.target, ours(each).outcome) for each in asked]


_HIGH_BYTE = re.compile("[\x80-\xff]")
"""What httpd sends on in a query as it came, and we as an escape."""


def _escaped(byte: re.Match[str]) -> str:
    return f"%{ord(byte[0]):02X}"


@pytest.fixture(scope="module")
def ask_hosts(ports: Mapping[str, int]) -> Iterator[Asker]:
    with hosts_apache(on_ports(host_table.SITE, ports)) as ask:
        yield ask


@pytest.mark.parametrize(("host", "target", "answer"), host_table.ROWS)
def test_apache_chooses_hosts_and_inherits_as_the_table_says(ask_hosts: Asker, host, target, answer) -> None:
    assert ask_hosts(Asked(host, target)).outcome == answer
