"""Names are asked for beside the requests, and a name server in trouble takes no member away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

import pytest

from proxy_core.balance.member_state import UpstreamKey
from proxy_core.runtime.upstreams.connector import Unreachable, Upstreams
from proxy_core.runtime.upstreams.resolver import Resolver, Unresolved
from tests.e2e.harness import answers, until, upstream
from tests.ports import free_port

Script = Callable[[str], list[str]]


class Names:
    """A name service for tests. ``found`` is what it answers, an OSError or a list; ``hold`` keeps askers waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: list[str] | OSError) -> None:
        self.found = found
        self.asked = 0
        self.hold: asyncio.Event | None = None
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._answer)

    async def _answer(self, host: str, port: object, **_: object) -> list[object]:
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.found, OSError):
            raise self.found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.found]


GONE = socket.gaierror(-2, "Name or service not known")


async def test_numbers_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, GONE)
    assert await Resolver().addresses("127.0.0.1") == ("127.0.0.1",)
    assert await Resolver().addresses("[::1]") == ("::1",)
    assert not names.asked


async def test_all_who_want_a_new_name_share_one_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    names, resolver = Names(monkeypatch, ["192.0.2.1", "192.0.2.2", "192.0.2.1"]), Resolver()
    found = await asyncio.gather(*(resolver.addresses("a.example") for _ in range(50)))
    assert set(found) == {("192.0.2.1", "192.0.2.2")}
    assert names.asked == 1


async def test_who_gives_up_waiting_does_not_take_the_answer_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    names, resolver = Names(monkeypatch, ["192.0.2.1"]), Resolver()
    names.hold = asyncio.Event()
    impatient = asyncio.create_task(resolver.addresses("a.example"))
    patient = asyncio.create_task(resolver.addresses("a.example"))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    names.hold.set()
    assert await patient == ("192.0.2.1",)


async def test_a_known_name_is_never_waited_for_while_it_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    names, resolver = Names(monkeypatch, ["192.0.2.1"]), Resolver()
    await resolver.addresses("a.example")
    names.hold, names.found = asyncio.Event(), ["192.0.2.9"]
    resolver.refresh({"a.example"}, 10, monotonic() + 11)
    resolver.refresh({"a.example"}, 10, monotonic() + 12)
    await asyncio.sleep(0)
    assert names.asked == 2
    assert await resolver.addresses("a.example") == ("192.0.2.1",)
    names.hold.set()
    await until(lambda: resolver.names["a.example"].addresses == ("192.0.2.9",))


async def test_fresh_names_are_left_alone_and_forgotten_when_nobody_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    names, resolver = Names(monkeypatch, ["192.0.2.1"]), Resolver()
    await resolver.addresses("a.example")
    resolver.refresh({"a.example"}, 10, monotonic() + 9)
    assert names.asked == 1
    resolver.refresh(set(), 10, monotonic())
    assert not resolver.names


async def test_the_last_good_address_is_kept_and_the_trouble_said(monkeypatch: pytest.MonkeyPatch) -> None:
    names, resolver = Names(monkeypatch, ["192.0.2.1"]), Resolver()
    await resolver.addresses("a.example")
    names.found = GONE
    resolver.refresh({"a.example"}, 10, monotonic() + 11)
    await until(lambda: resolver.names["a.example"].trouble)
    assert await resolver.addresses("a.example") == ("192.0.2.1",)
    assert "a.example has no address" in resolver.names["a.example"].trouble
    names.found = ["192.0.2.2"]
    resolver.refresh({"a.example"}, 10, monotonic() + 22)
    await until(lambda: not resolver.names["a.example"].trouble)
    assert await resolver.addresses("a.example") == ("192.0.2.2",)


async def test_a_name_without_address_fails_at_once_and_is_looked_for_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, resolver = Names(monkeypatch, GONE), Resolver()
    for _ in range(5):
        with pytest.raises(Unresolved, match=r"a\.example has no address: Name or service not known"):
            await resolver.addresses("a.example")
    assert names.asked == 1
    names.found = ["192.0.2.1"]
    resolver.refresh({"a.example"}, 30, monotonic() + 1.1)
    await until(lambda: resolver.names["a.example"].addresses)
    assert await resolver.addresses("a.example") == ("192.0.2.1",)


async def test_every_address_is_tried_until_one_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(answers(b"")) as there:
        Names(monkeypatch, ["127.0.0.9", "127.0.0.8", "127.0.0.1"])
        upstreams = Upstreams(65536)
        found = await upstreams.connect(UpstreamKey("http", "a.example", there.port), 5)
        assert found.transport.get_extra_info("peername")[0] == "127.0.0.1"
        found.drop()
        upstreams.close()


async def test_when_every_address_refuses_the_words_name_the_member(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, ["127.0.0.9", "127.0.0.8"])
    upstreams, port = Upstreams(65536), free_port()
    with pytest.raises(Unreachable, match=f"^a.example:{port} refused the connection$") as caught:
        await upstreams.connect(UpstreamKey("http", "a.example", port), 5)
    assert caught.value.status == 503
    assert not caught.value.unresolved


async def test_connections_to_an_address_that_a_name_has_left_do_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(answers(b"")) as there:
        names, upstreams = Names(monkeypatch, ["127.0.0.1"]), Upstreams(65536)
        key = UpstreamKey("http", "a.example", there.port)
        upstreams.give_back(await upstreams.connect(key, 5), monotonic())
        upstreams.resolver.refresh({"a.example"}, 10, monotonic() + 11)
        await until(lambda: names.asked == 2)
        assert len(upstreams.idle[key]) == 1
        names.found = ["127.0.0.2"]
        upstreams.resolver.refresh({"a.example"}, 10, monotonic() + 22)
        await until(lambda: not upstreams.idle[key])
        upstreams.close()
