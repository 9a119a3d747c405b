"""Mistakes on purpose: which functions are called, and a call of one of them that raises. ``where`` says which calls
count."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Where = Callable[[types.FrameType], bool]


class Injected(Exception):
    pass


@contextmanager
def seeing(seen: set[types.CodeType], where: Where) -> Iterator[None]:
    """The functions that are called."""

    def hook(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and where(frame):
            seen.add(frame.f_code)

    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def breaking(code: types.CodeType, where: Where) -> Iterator[list[bool]]:
    """The next call of this function raises."""
    done: list[bool] = []

    def hook(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is code and not done and where(frame):
            done.append(True)
            raise Injected(code.co_qualname)

    sys.setprofile(hook)
    try:
        yield done
    finally:
        sys.setprofile(None)
