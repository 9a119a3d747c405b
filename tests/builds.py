"""Which build is tested: the checkout, or the compiled wheel, as whoever runs the suites against it says."""

from __future__ import annotations

import os
from types import FunctionType

import pytest

COMPILED = os.environ.get("RPROXY_COMPILED") == "1"


def replaceable(what: object) -> None:
    """Skip the test where what is compiled would call this itself, and never what a test puts in its place."""
    if COMPILED and not isinstance(what, FunctionType):
        pytest.skip("compiled: nothing takes its place")
