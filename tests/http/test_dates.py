"""Dates of fields are those of the standard library, whatever the second."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.http.dates import http_date


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_spelled_as_the_standard_library_spells_it(second: int) -> None:
    assert http_date(second) == formatdate(second, usegmt=True)
