"""Long work beside requests has the interpreter give way sooner, and leaves it as it was, whatever came of the work."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

from proxy_core.runtime.process_limits import giving_way


def test_walks_are_shorter_and_threads_give_way_sooner_for_as_long_as_the_work_takes() -> None:
    before = gc.get_threshold(), sys.getswitchinterval()
    try:
        gc.set_threshold(20_000, 50, 100)
        sys.setswitchinterval(0.005)
        with suppress(ValueError), giving_way():
            assert gc.get_threshold() == (5_000, 200, 100)
            assert sys.getswitchinterval() < 0.001
            raise ValueError
        assert gc.get_threshold() == (20_000, 50, 100)
        assert abs(sys.getswitchinterval() - 0.005) < 1e-6
        gc.set_threshold(700, 10, 10)
        with giving_way():
            assert gc.get_threshold() == (700, 10, 10)
    finally:
        gc.set_threshold(*before[0])
        sys.setswitchinterval(before[1])
