"""The compiled rules choose hosts and inherit rules as the table says."""

from __future__ import annotations

import pytest

from tests.semantics.askers import Asked, rules_asker
from tests.semantics.host_table import ROWS, SITE
from tests.semantics.table import DOWN, UPSTREAMS, on_ports

PORTS = {name: 9000 + number for number, name in enumerate((*UPSTREAMS, DOWN))}


@pytest.mark.parametrize(("host", "target", "answer"), ROWS)
def test_a_host_is_chosen_and_inherits_as_the_table_says(host: str, target: str, answer: str) -> None:
    assert rules_asker({host: on_ports(SITE, PORTS)}, PORTS)(Asked(host, target)).outcome == answer
