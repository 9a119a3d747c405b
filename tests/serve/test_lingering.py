"""How a client connection is closed: the last answer arrives, and nobody takes half an answer for a whole one."""

from __future__ import annotations

import asyncio

import pytest

from proxy_core.serve import lingering
from proxy_core.serve.deadlines import LINGER_SECONDS, SEND_SECONDS
from proxy_core.serve.lingering import Lingering

NOW = 1000.0


class Wire(asyncio.Transport):
    """A transport that keeps what is done to it, in order."""

    def __init__(self, unsent: int = 0, half: bool = True) -> None:
        super().__init__()
        self.unsent = unsent
        self.half = half
        self.done: list[str] = []

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return self.half

    def is_closing(self) -> bool:
        return "close" in self.done or "abort" in self.done

    def write_eof(self) -> None:
        self.done.append("write_eof")

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def resume_reading(self) -> None:
        self.done.append("resume_reading")


def connected(wire: Wire, half_closed: bool = False) -> Lingering:
    made = Lingering()
    made.transport = wire
    made.closing, made.half_closed, made.paused = False, half_closed, True
    made.deadline = 0.0
    return made


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "monotonic", lambda: NOW)


def test_our_side_is_closed_and_what_still_comes_is_read_for_a_while() -> None:
    wire = Wire()
    connection = connected(wire)
    connection.linger()
    assert wire.done == ["write_eof", "resume_reading"]
    assert (connection.closing, connection.deadline) == (True, NOW + LINGER_SECONDS)
    connection.linger()
    assert wire.done == ["write_eof", "resume_reading"], "its end has begun"
    connection.lingered()
    assert wire.done[-1] == "abort"


@pytest.mark.parametrize(("half_closed", "half"), [(True, True), (False, False)])
def test_where_nothing_more_can_come_or_one_side_cannot_be_closed_it_is_closed_whole(
    half_closed: bool, half: bool
) -> None:
    wire = Wire(half=half)
    connected(wire, half_closed).linger()
    assert wire.done == ["close"]


def test_a_client_that_says_no_more_and_has_left_nothing_unread_is_closed_at_once() -> None:
    wire = Wire()
    connected(wire).linger(heard_all=True)
    assert wire.done == ["close"]


def test_a_client_that_takes_its_last_answer_slowly_is_waited_for_and_one_that_takes_none_is_not() -> None:
    wire = Wire(unsent=100)
    connection = connected(wire)
    connection.linger()
    assert connection.deadline == NOW + SEND_SECONDS
    wire.unsent = 50
    connection.deadline = 0.0
    connection.lingered()
    assert (connection.deadline, "abort" in wire.done) == (NOW + SEND_SECONDS, False)
    connection.lingered()
    assert wire.done[-1] == "abort"


def test_what_is_cut_is_reset_at_once() -> None:
    wire = Wire(unsent=100)
    connection = connected(wire)
    connection.cut()
    assert (wire.done, connection.closing) == (["abort"], True)
