"""What ``rproxy import`` makes of a configuration means what the real Apache httpd makes of it, request by request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from proxy_core.apache.importer import import_file
from tests.conformance.importing import CASES, Both, asked, both, filled, members

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest, ports: dict[str, int]) -> Iterator[tuple[str, Both]]:
    name: str = request.param
    with both(CASES[name], ports) as asked_at:
        yield name, asked_at


ROWS = [
    pytest.param(name, number, id=f"{name}-{number}-{request.partition(' | ')[0]}")
    for name, case in CASES.items()
    for number, request in enumerate(case.requests)
]


@pytest.mark.parametrize(("servers", "number"), ROWS, indirect=["servers"])
def test_the_import_answers_as_apache_does(servers: tuple[str, Both], number: int, ports: Mapping[str, int]) -> None:
    name, (theirs, ours) = servers
    case = CASES[name]
    request = filled(case.requests[number], ports, Path())
    mine, apaches = asked(ours["http"], request), asked(theirs["http"], request)
    assert (mine != apaches) == (number in case.differs), (mine, apaches)


def test_debians_own_configuration_comes_in_whole() -> None:
    found = import_file(Path("/etc/apache2/apache2.conf"), {}, False)
    assert [(loss.text, loss.why) for loss in found.report.losses] == []
    assert found.report.problems == ()
    assert len(found.report.entries) > 100
