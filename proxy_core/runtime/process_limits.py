"""What a process that serves asks of its interpreter and its system, once at the start: memory and descriptors."""

from __future__ import annotations

import gc
import resource
from contextlib import suppress


def settle() -> None:
    """Take what start-up left in memory out of the garbage collector's walks: each walk holds the loop."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def raise_descriptor_limit() -> int:
    """Allow as many open files as the system lets us; returns how many that are."""
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit if limit != resource.RLIM_INFINITY else 1 << 20
