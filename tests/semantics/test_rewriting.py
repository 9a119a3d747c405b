"""The compiled rules answer every row of the rewriting table as the table says."""

from __future__ import annotations

import pytest

from tests.semantics.askers import Asked, Asker, rules_asker
from tests.semantics.rewrite_rows import ROWS
from tests.semantics.rewrite_sites import SITES
from tests.semantics.table import DOWN, UPSTREAMS, addressed, on_ports

PORTS = {name: 9000 + number for number, name in enumerate((*UPSTREAMS, DOWN))}


@pytest.fixture(scope="module")
def ask() -> Asker:
    return rules_asker({name: on_ports(site, PORTS) for name, site in SITES.items()}, PORTS)


@pytest.mark.parametrize(("site", "target", "answer", "fields"), ROWS)
def test_a_request_is_rewritten_as_the_table_says(ask: Asker, site, target, answer, fields) -> None:
    assert ask(Asked(site, target, fields=fields)).outcome == addressed(answer, PORTS)
