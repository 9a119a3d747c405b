"""A body that is coded on its way: who is paused and when, and that its end comes whatever else is going on."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from proxy_core.runtime.recent_requests import Recorder
from proxy_core.serve import coded_body
from proxy_core.serve.coded_body import CodedBody, quick
from tests.builds import COMPILED
from tests.waiting import until

pytestmark = pytest.mark.skipif(COMPILED, reason="compiled: nothing takes the place of a request in flight")

MUCH = b"much of it " * 20_000


@dataclass
class Connection:
    """Says whether it is read from."""

    paused: bool = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


@dataclass
class Flight:
    """A request whose client remembers what it got."""

    written: list[bytes] = field(default_factory=list)
    over: bool = False
    broken: str = ""
    blocked: bool = False

    def __post_init__(self) -> None:
        self.client = SimpleNamespace(write=self.written.append, blocked=self.blocked)
        self.exchange = SimpleNamespace(sent=0, notes=None)
        self.state = SimpleNamespace(recorder=Recorder())

    def done(self, now: float) -> None:
        self.over = True

    def broke(self, where: str, error: Exception) -> None:
        self.over, self.broken = True, str(error)

    @property
    def got(self) -> bytes:
        return gzip.decompress(b"".join(self.written).removeprefix(b"head"))


class Waits:
    """A coder that is not through before it is told to be."""

    def __init__(self, level: int) -> None:
        self.go = Event()
        self._coder = coded_body.CODERS["gzip"](level)

    def code(self, data: bytes) -> bytes:
        self.go.wait(5)
        return self._coder.code(data)

    def last(self, data: bytes) -> bytes:
        self.go.wait(5)
        return self._coder.last(data)


def body(flight: Flight, connection: Connection) -> Any:
    made: Any = CodedBody(flight, connection, "gzip", 1)  # type: ignore[arg-type]
    made.begin(b"head", False, b"")
    return made


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Event:
    coder = Waits(1)
    monkeypatch.setattr(coded_body, "coder", lambda coding, level: coder)
    return coder.go


@pytest.mark.parametrize("blocked", [False, True])
async def test_a_member_is_not_read_from_while_much_is_coded_nor_while_its_client_has_enough(
    slow: Event, blocked: bool
) -> None:
    flight, connection = Flight(blocked=blocked), Connection()
    coded = body(flight, connection)
    coded.feed(MUCH)
    await until(lambda: connection.paused)
    connection.resume()  # as where the client reads again
    coded.feed(b"more")
    assert connection.paused
    assert b"".join(flight.written) == b"head"
    slow.set()
    await until(lambda: len(flight.written) > 2)
    assert connection.paused is blocked
    coded.end()
    await until(lambda: flight.over)
    assert flight.got == MUCH + b"more"


async def test_the_end_comes_after_what_is_being_coded(slow: Event) -> None:
    flight = Flight()
    coded = body(flight, Connection())
    coded.feed(MUCH)
    await until(lambda: bool(flight.written))
    coded.end()
    assert not flight.over
    slow.set()
    await until(lambda: flight.over)
    assert flight.got == MUCH


async def test_a_little_of_one_turn_is_one_piece_and_waits_for_nothing() -> None:
    flight = Flight()
    coded = body(flight, Connection())
    coded.feed(b"a")
    coded.feed(b"b")
    assert flight.written == []
    await until(lambda: bool(flight.written))
    assert len(flight.written) == 1
    coded.end()
    assert flight.got == b"ab"


async def test_nothing_is_written_for_a_request_that_is_over(slow: Event) -> None:
    flight = Flight()
    coded = body(flight, Connection())
    coded.feed(MUCH)
    await until(lambda: bool(flight.written))
    flight.over = True
    slow.set()
    await until(lambda: coded._task is None)
    assert flight.written == [b"head"]


async def test_a_coder_that_fails_costs_its_own_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: bytes) -> bytes:
        raise ValueError("no")

    failing = SimpleNamespace(code=fails, last=fails)
    monkeypatch.setattr(coded_body, "coder", lambda coding, level: failing)
    for data in (b"a", MUCH):
        flight = Flight()
        body(flight, Connection()).feed(data)
        await until(lambda flight=flight: flight.over)
        assert flight.broken == "no"


def test_slow_levels_have_less_done_on_the_loop() -> None:
    assert quick("br", 11) == quick("zstd", 9) < quick("gzip", 3) == quick("zstd", 3)
