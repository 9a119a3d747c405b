"""What ``rproxy import`` makes of a configuration means what the real Apache httpd makes of it, request by request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy_core.apache.importer import import_file
from tests.conformance.importing import CASES, Both, asked, both, filled, members
from tests.programs import program

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.fixture(scope="module")
def at(ports: dict[str, int]) -> Iterator[Callable[[str], Both]]:
    """What starts both servers of a case and tells where they are. They stay until another case is asked for: not a
    parametrized fixture, which pytest sets up anew for each row."""
    with ExitStack() as stack:
        running: dict[str, Both] = {}

        def servers(name: str) -> Both:
            if name not in running:
                stack.close()
                running.clear()
                running[name] = stack.enter_context(both(CASES[name], ports))
            return running[name]

        yield servers


ROWS = [
    pytest.param(name, number, id=f"{name}-{number}-{request.partition(' | ')[0]}")
    for name, case in CASES.items()
    for number, request in enumerate(case.requests)
]


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_the_import_answers_as_apache_does(
    at: Callable[[str], Both], name: str, number: int, ports: Mapping[str, int]
) -> None:
    theirs, ours = at(name)
    case = CASES[name]
    request = filled(case.requests[number], ports, Path())
    mine, apaches = asked(ours["http"], request), asked(theirs["http"], request)
    assert (mine != apaches) == (number in case.differs), (mine, apaches)


def test_debians_own_configuration_comes_in_whole() -> None:
    program("apache2")
    found = import_file(Path("/etc/apache2/apache2.conf"), {}, False)
    assert [(loss.text, loss.why) for loss in found.report.losses] == []
    assert found.report.problems == ()
    assert len(found.report.entries) > 100
