"""The steps of a computation, counted: what it costs on any machine, however busy that is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from tests.builds import COMPILED


class Steps:
    """Counts the lines of Python that run inside of a ``with``, callbacks of the loop included: ``count``."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> Steps:
        if COMPILED:
            pytest.skip("the lines of compiled modules are not counted")
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        self.count += event == "line"
        return self._trace


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` takes."""
    with Steps() as counted:
        work()
    return counted.count
