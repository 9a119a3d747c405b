"""What the tests against the real Apache share: the upstreams that the tables name, each telling what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.conformance.echo import upstreams
from tests.semantics.table import DOWN, UPSTREAMS


@pytest.fixture(scope="session")
def ports() -> Iterator[Mapping[str, int]]:
    with upstreams(UPSTREAMS, DOWN) as ports:
        yield ports
