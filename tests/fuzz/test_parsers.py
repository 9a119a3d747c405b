"""Whatever the input of a parser is, it keeps its promises: each beginning, and what a few scraps make of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS
from tests.fuzz.test_properties import mutated


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_keeps_its_promises(name: str) -> None:
    check, begin = PARSERS[name]
    for raw in begin:
        check(raw)

    @settings(max_examples=40, deadline=None)
    @given(mutated([*begin]) | st.binary(max_size=40))
    def neighbours(raw: bytes) -> None:
        check(raw)

    neighbours()
