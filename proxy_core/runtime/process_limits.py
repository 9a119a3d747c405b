"""What a process that serves asks of its interpreter and its system, once at the start: memory and descriptors."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def settle(young: int = 20_000, walks: int = 50, again: int = 100) -> None:
    """Take what start-up left in memory out of the garbage collector's walks: each walk holds the loop. Next to nothing
    of it is garbage, so no walk looks for some before. So many ``young`` objects make it walk those, at 0.3 to 0.6 µs
    each; after so many such ``walks`` all that were young since, and after so many of these ``again`` all."""
    gc.freeze()
    gc.set_threshold(young, walks, again)


@contextmanager
def giving_way(most: int = 5_000, turn: float = 0.0005) -> Iterator[None]:
    """For long work beside requests, in a thread or in slices. Walks over young objects come sooner, and hold the loop
    for less; those over more come as rarely as before. A thread lets the loop run after so many seconds (``turn``)."""
    young, walks, again = gc.get_threshold()
    interval = sys.getswitchinterval()
    if young > most:
        gc.set_threshold(most, walks * young // most, again)
    sys.setswitchinterval(min(interval, turn))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(young, walks, again)


def open_standard_descriptors() -> None:
    """Let 0, 1 and 2 lead nowhere where they are closed, before a socket gets one of these numbers: libuv ends the
    process when it closes such a one, and whoever writes an error to 2 would write it to a client."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def raise_descriptor_limit() -> int:
    """Allow as many open files as the system lets us; returns how many that are."""
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit if limit != resource.RLIM_INFINITY else 1 << 20
