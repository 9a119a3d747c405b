"""What goes from one process to the next: whole, in its version, and counted once."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import pytest
from msgspec import Raw, json

from proxy_core.balance.latency_histogram import BUCKETS
from proxy_core.balance.member_state import Beat, Checked, MemberKey, MemberState, UpstreamKey
from proxy_core.config.model import UpstreamTls
from proxy_core.control.editing.commands import Applied, Change, Refused, Set
from proxy_core.control.engine import Engine
from proxy_core.control.upgrading import successor
from proxy_core.control.upgrading.handed_state import (
    COUNTED,
    VERSION,
    Envelope,
    Inheritance,
    State,
    add,
    gained,
    opened,
    restored,
    sealed,
    state_of,
)
from proxy_core.control.upgrading.handing_over import NotUpgraded
from proxy_core.control.upgrading.predecessor import CalledOff, Predecessor
from proxy_core.control.upgrading.successor import Word, upgraded
from proxy_core.rules.rule_state import RuleState
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.route_tally import CodedTally, Tally
from proxy_core.serve.client_limits import Admission
from tests.control.harness import get, member, serving, site_with

A, ROUTE = MemberKey("b", "a"), ("routes", "r")


def known() -> tuple[Registry, Recorder, Admission]:
    """A process that has served a while."""
    state = MemberState(
        A, upstream=UpstreamKey("https", "h", 443, UpstreamTls(verify=False)), lbstatus=-3, elected=7, answered=6,
        seconds=1.5, beat=Beat(1, 2, 3.0), check=Checked(passed=False, result="no"), error_at=4.0, last_error="gone",
        ejected_until=9.0, ejections=2, busy=3,
    )  # fmt: skip
    state.histogram[5] = state.classes[2] = 7
    registry = Registry({A: state}, {ROUTE: RuleState(ROUTE, hits=4, last_hit=2.0)}, {"b": ("byrequests", (("a", 1),))})
    recorder = Recorder(
        newest=9,
        spent=2.0,
        routes={ROUTE: Tally(requests=9, closed={4: 8}, fresh={4: 1})},
        coded={"br": CodedTally(1, 100, 10)},
    )
    recorder.classes[2] = recorder.histogram[5] = 9
    admission = Admission(recorder)
    admission.reached["deny"] = 2
    return registry, recorder, admission


def sent(registry: Registry, recorder: Recorder, admission: Admission) -> State:
    """The state, as the next process reads it."""
    line = sealed(state_of(registry, recorder, admission, [("http", 1), ("http", 2)]), "/c.sock")
    envelope, state, why = opened(line)
    assert (envelope.version, envelope.control, why) == (VERSION, "/c.sock", "")
    assert state is not None
    return state


def test_a_member_is_the_same_in_the_next_process_but_for_what_it_is_busy_with() -> None:
    registry, recorder, admission = known()
    state = sent(registry, recorder, admission)
    new, _ = restored(state)
    before, after = registry.members[A], new.members[A]
    for each in fields(MemberState):
        assert getattr(after, each.name) == (0 if each.name == "busy" else getattr(before, each.name)), each.name
    assert {key: (each.hits, each.last_hit) for key, each in new.rules.items()} == {ROUTE: (4, 2.0)}
    assert new.shares == registry.shares
    assert state.turned_away == {"http": 3}


def test_totals_go_on_and_the_first_second_has_nothing_of_them() -> None:
    registry, recorder, admission = known()
    new, counted = restored(sent(registry, recorder, admission))
    assert (counted.newest, counted.spent, counted.classes, counted.histogram) == (
        9, 2.0, recorder.classes, recorder.histogram,
    )  # fmt: skip
    assert counted.routes[ROUTE].histogram == {4: 9}
    counted.tick(1.0, new.members.values(), 1)
    (second,) = counted.seconds
    assert (second.requests, second.members, second.routes) == (0, {}, {})


def test_what_both_count_afterwards_is_counted_once() -> None:
    registry, recorder, admission = known()
    before = sent(registry, recorder, admission)
    new, counted = restored(sent(registry, recorder, admission))
    let_in = Admission(counted)
    let_in.go_on(before.reached, before.rates)
    for each, recording, door in ((registry, recorder, admission), (new, counted, let_in)):
        state = each.members[A]
        state.elected += 1
        state.histogram[5] += 1
        state.classes[2] += 1
        state.seconds += 0.5
        each.rules[ROUTE].hits += 1
        recording.classes[2] += 1
        recording.routes[ROUTE].requests += 1
        recording.coded.setdefault("br", CodedTally()).add(100, 10)
        recording.coded.setdefault("gzip", CodedTally()).add(1, 2)
        recording.routes[ROUTE].fresh[4] = recording.routes[ROUTE].fresh.get(4, 0) + 1
        recording.routes.setdefault(("routes", f"of {len(door.reached)}"), Tally()).sent += 5
        door.reached["deny"] += 1
    line = json.encode(Word(counted=gained(before, state_of(registry, recorder, admission, []))))
    more = json.decode(line, type=Word).counted
    assert more is not None
    add(more, new, counted, let_in)
    after = new.members[A]
    assert (after.elected, after.answered, after.histogram[5], after.classes[2], after.seconds) == (9, 6, 9, 9, 2.5)
    assert after.error_at == 4.0
    assert new.rules[ROUTE].hits == 6
    assert counted.coded == {"br": CodedTally(3, 300, 30), "gzip": CodedTally(2, 2, 4)}
    assert (counted.classes[2], counted.routes[ROUTE].requests, counted.routes[ROUTE].histogram) == (11, 11, {4: 11})
    assert let_in.reached["deny"] == 4


def test_what_the_next_process_does_not_know_is_let_go() -> None:
    registry, recorder, admission = known()
    nobody = Registry()
    add(sent(registry, recorder, admission), nobody, Recorder(), admission)
    assert (nobody.members, nobody.rules) == ({}, {})


def test_each_counter_of_a_member_is_one_of_its_fields() -> None:
    assert set(COUNTED) <= {each.name for each in fields(MemberState)}
    assert len(MemberState(A).histogram) == BUCKETS


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (json.encode(Envelope(version=VERSION + 1, state=Raw(b"{}"))), f"version {VERSION + 1}"),
        (json.encode(Envelope(version=VERSION, state=Raw(b'{"newest":"x"}'))), "is not understood"),
        (json.encode(Envelope(version=VERSION, state=Raw(b"[]"))), "is not understood"),
    ],
)
def test_a_state_that_is_not_known_is_none_and_says_why(line: bytes, why: str) -> None:
    _, state, said = opened(line)
    assert state is None
    assert why in said


def test_fields_that_join_a_version_hurt_nobody() -> None:
    raw = Raw(b'{"newest":3,"of_tomorrow":[1],"members":[{"key":["b","a"],"elected":2,"of_tomorrow":1}]}')
    _, state, why = opened(json.encode(Envelope(version=VERSION, state=raw)))
    assert state is not None, why
    assert (state.newest, state.members[0].elected) == (3, 2)


# ---- the new process


async def asked(*lines: bytes) -> tuple[Predecessor, tuple[State, str]]:
    """What becomes of an old process that says this and ends."""
    ours, theirs = socket.socketpair()
    with ours:
        for line in lines:
            ours.send(line)
        ours.shutdown(socket.SHUT_WR)
        theirs.setblocking(False)
        made = Predecessor(Inheritance())
        async with asyncio.timeout(10):
            said = await made.ask(theirs)
        await made.failed([])
        return made, said


@pytest.mark.parametrize("line", [b"nonsense\n", b"{}\n", json.encode(Envelope(version=99, state=Raw(b"{}"))) + b"\n"])
async def test_a_process_that_does_not_understand_the_old_one_begins_cold_and_says_so(line: bytes) -> None:
    made, (state, _) = await asked(line)
    assert state == State()
    assert made.cold is not None
    assert "begin anew" in made.cold.todo


async def test_a_process_that_is_called_off_before_it_knows_anything_does_not_serve() -> None:
    with pytest.raises(CalledOff):
        await asked()


# ---- the old process


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with member() as port:
        file = tmp_path / "site.toml"
        file.write_text(site_with(port))
        async with serving(file) as (made, _):
            yield made


SAYS = "import os, socket, sys, time; s = socket.socket(fileno=1 + int(os.environ['LISTEN_FDS'])); "
"""A program that speaks to the old process: the lock comes last, the channel before it."""
BAD = {
    "it ends": ("pass", "ended before it served"),
    "it is silent": ("time.sleep(60)", "did not serve within 2 s"),
    "it asks and is silent": ("s.send(b'{\"asks\":true}\\n'); time.sleep(60)", "did not serve within 2 s"),
    "it talks nonsense": ("s.send(b'hello\\n'); time.sleep(60)", "is not understood"),
    "it says why not": ('s.send(b\'{"failed":"no key"}\\n\'); time.sleep(60)', "cannot serve: no key"),
}


@pytest.mark.parametrize("how", BAD)
async def test_a_new_process_that_does_not_serve_is_ended_and_the_old_one_goes_on(
    engine: Engine, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    does, why = BAD[how]
    monkeypatch.setattr(successor, "program", lambda: [sys.executable, "-I", "-S", "-c", SAYS + does])
    monkeypatch.setattr(successor, "READY_WITHIN", 2.0)
    with pytest.raises(NotUpgraded, match=why):
        await upgraded(engine.handing_over, None, {})
    assert (await get(engine.snapshot().listeners[0].port))[0] == 200
    edit = Change(edits=(Set(("site", "timeout"), 7.0),), sentence="s")
    assert isinstance(await engine.submit(edit), Applied), "edits are taken again"


async def test_a_program_that_is_not_there_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successor, "program", lambda: ["/nowhere/rproxy", "site.toml"])
    with pytest.raises(NotUpgraded, match="/nowhere/rproxy: No such file"):
        await upgraded(engine.handing_over, None, {})


async def test_nothing_is_edited_while_another_process_reads_the_site(engine: Engine) -> None:
    await engine.handing_over.lend()
    edit = Change(edits=(Set(("site", "timeout"), 7.0),), sentence="s")
    refused = await engine.submit(edit)
    assert isinstance(refused, Refused)
    assert "an upgrade is under way" in refused.problems[0].what
    await asyncio.sleep(1.5)  # the engine's clock does not take the pen back
    assert isinstance(await engine.submit(edit), Refused)
    engine.handing_over.take_back()
    assert isinstance(await engine.submit(edit), Applied)


@pytest.mark.parametrize(("pid", "first"), [(1, "rproxy"), (7, "tini"), (7, "docker-init")])
async def test_where_the_container_ends_with_the_process_it_says_what_to_do_instead(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, pid: int, first: str
) -> None:
    monkeypatch.setattr(successor.os, "getpid", lambda: pid)
    monkeypatch.setattr(successor, "_first_process", lambda: first)
    with pytest.raises(NotUpgraded, match=r"ends with this process: start a container of the new image"):
        await upgraded(engine.handing_over, None, {})


async def test_a_site_that_is_not_on_disk_is_not_left_to_another_process(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.handing_over.editor.saver.drifted(())
    with pytest.raises(NotUpgraded, match="is not the file on disk"):
        await upgraded(engine.handing_over, None, {})
