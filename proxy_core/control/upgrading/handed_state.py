"""What one process leaves to the next: counters, health, turns, and how fast clients asked.

The site file, its history and its bans are on disk, so they need no handing over; the right to write them does (the
lock beside the journal). The rest is ``State``, as JSON in an ``Envelope`` that says its version. A version that is
not known is no error: the next process begins cold, which costs numbers and no request. Fields may join a version;
where one changes its meaning, the version goes up.

Times are CLOCK_MONOTONIC, which processes of one machine share. The state is sent before the next process serves; what
is counted after that in the old one is sent when it ends (``gained``) and added, so that no count is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.rules.rule_state import RuleKey, RuleState
from proxy_core.runtime.last_hour import LastHour, TenSeconds
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry, Shares
from proxy_core.runtime.route_tally import CodedTally, Tally
from proxy_core.serve.client_limits import Admission
from proxy_core.serve.listening_sockets import InheritedSockets

VERSION: Final = 2
COUNTED: Final = (
    "elected", "answered", "errors", "retries", "sent", "received", "classes", "seconds", "histogram", "ejections",
)  # fmt: skip
"""What a MemberState counts. The rest of it is its condition."""
TALLIED: Final = ("requests", "sent", "received", "seconds", "classes", "fresh")
CODED: Final = ("answers", "plain", "coded")


class Envelope(Struct, frozen=True, kw_only=True):
    """What every version can read."""

    version: int
    control: str = ""
    """The path of the control socket."""
    state: Raw
    """A State, where the version is known."""


class State(Struct, frozen=True, kw_only=True):
    """All that is left to the next process, or what has joined it since."""

    newest: int = 0
    """The number of the last finished request."""
    classes: list[int] = []
    """As in Recorder."""
    histogram: list[int] = []
    """As in Recorder."""
    spent: float = 0.0
    """As in Recorder."""
    routes: list[tuple[RuleKey, Tally]] = []
    """As in Recorder."""
    coded: list[tuple[str, CodedTally]] = []
    """As in Recorder."""
    hour: list[TenSeconds] = []
    """As in LastHour."""
    members: list[MemberState] = []
    """As in Registry."""
    rules: list[tuple[RuleKey, RuleState]] = []
    """As in Registry."""
    shares: dict[str, Shares] = {}
    """As in Registry."""
    retired_members: list[tuple[MemberKey, float]] = []
    """As in Registry."""
    retired_rules: list[tuple[RuleKey, float]] = []
    """As in Registry."""
    reached: dict[str, int] = {}
    """How often each limit was reached."""
    rates: dict[str, float] = {}
    """When the bucket of each client will be full again."""
    turned_away: dict[str, int] = {}
    """Connections that did not get as far as HTTP, by listener."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What an engine begins with."""

    registry: Registry = field(default_factory=Registry)
    """Members and rules."""
    recorder: Recorder = field(default_factory=Recorder)
    """Finished requests, counted."""
    sockets: InheritedSockets = field(default_factory=InheritedSockets)
    """Listen already."""
    lock: int | None = None
    """The descriptor of the lock on the site file, where it is ours already."""
    state: State = field(default_factory=State)
    """What the objects of a server that is not there yet are to get."""


def state_of(
    registry: Registry, recorder: Recorder, admission: Admission, turned_away: Iterable[tuple[str, int]]
) -> State:
    """All that is left to the next process, now."""
    away = Counter[str]()
    for name, count in turned_away:
        away[name] += count
    return State(
        newest=recorder.newest,
        classes=recorder.classes,
        histogram=recorder.histogram,
        spent=recorder.spent,
        routes=[(key, replace(tally, closed={}, fresh=tally.histogram)) for key, tally in recorder.routes.items()],
        coded=[*recorder.coded.items()],
        hour=[*recorder.hour.steps],
        members=[*registry.members.values()],
        rules=[*registry.rules.items()],
        shares=registry.shares,
        retired_members=[*registry.retired_members.items()],
        retired_rules=[*registry.retired_rules.items()],
        reached=admission.reached,
        rates=admission.rates(monotonic()),
        turned_away=away,
    )


def sealed(state: State, control: str) -> bytes:
    """One line for the next process."""
    return json.encode(Envelope(version=VERSION, control=control, state=Raw(json.encode(state)))) + b"\n"


def opened(line: bytes) -> tuple[Envelope, State | None, str]:
    """The envelope, its state, and why there is none. Raises ValueError where it is no envelope."""
    try:
        envelope = json.decode(line, type=Envelope)
    except DecodeError as error:
        raise ValueError(f"what the old process sent is not understood: {error}") from None
    if envelope.version != VERSION:
        return envelope, None, f"the old process hands over version {envelope.version}, and this one knows {VERSION}"
    try:
        return envelope, json.decode(envelope.state, type=State), ""
    except (DecodeError, ValidationError) as error:
        return envelope, None, f"what the old process hands over is not understood: {error}"


def restored(state: State) -> tuple[Registry, Recorder]:
    """What the old process knew, for an engine to begin with. What is busy there is not busy here."""
    members = [replace(each, busy=0) for each in state.members]
    registry = Registry(
        members={each.key: each for each in members},
        rules=dict(state.rules),
        shares=state.shares,
        retired_members=dict(state.retired_members),
        retired_rules=dict(state.retired_rules),
    )
    fresh = Recorder()
    recorder = Recorder(
        newest=state.newest,
        classes=state.classes or fresh.classes,
        histogram=state.histogram or fresh.histogram,
        spent=state.spent,
        routes={key: replace(tally, closed=tally.fresh, fresh={}) for key, tally in state.routes},
        coded=dict(state.coded),
        hour=LastHour(state.hour),
    )
    recorder.begin_second(members)
    return registry, recorder


def gained(before: State, now: State) -> State:
    """What was counted between two states."""
    members = {each.key: each for each in before.members}
    rules, routes, coded = dict(before.rules), dict(before.routes), dict(before.coded)
    return State(
        classes=_sum(now.classes, before.classes, -1),
        histogram=_sum(now.histogram, before.histogram, -1),
        spent=now.spent - before.spent,
        routes=[(key, _less(each, routes.get(key, Tally()), TALLIED)) for key, each in now.routes],
        coded=[(key, _less(each, coded.get(key, CodedTally()), CODED)) for key, each in now.coded],
        members=[_less(each, members.get(each.key, MemberState(each.key)), COUNTED) for each in now.members],
        rules=[(key, _less(each, rules.get(key, RuleState(key)), ("hits",))) for key, each in now.rules],
        reached=_sum(now.reached, before.reached, -1),
        turned_away=_sum(now.turned_away, before.turned_away, -1),
    )


def add(more: State, registry: Registry, recorder: Recorder, admission: Admission) -> None:
    """Count what the old process counted after its state was taken. What nobody knows here any more is let go."""
    recorder.classes[:] = _sum(recorder.classes, more.classes)
    recorder.histogram[:] = _sum(recorder.histogram, more.histogram)
    recorder.spent += more.spent
    admission.reached.update(more.reached)
    for key, tally in more.routes:
        _count(recorder.routes.setdefault(key, Tally()), tally, TALLIED)
    for coding, tallied in more.coded:
        _count(recorder.coded.setdefault(coding, CodedTally()), tallied, CODED)
    for each in more.members:
        if (member := registry.members.get(each.key)) is not None:
            _count(member, each, COUNTED)
    for key, rule in more.rules:
        if (known := registry.rules.get(key)) is not None:
            _count(known, rule, ("hits",))


def _count(known: Any, more: Any, names: Iterable[str]) -> None:
    for name in names:
        now = getattr(known, name)
        total = _sum(now, getattr(more, name))
        if isinstance(now, list):
            now[:] = total
        else:
            setattr(known, name, total)


def _less(now: Any, before: Any, names: Iterable[str]) -> Any:
    """A state or tally that has but what was counted since."""
    bare = {} if isinstance(now, Tally | CodedTally) else {"key": now.key}
    return type(now)(**bare, **{name: _sum(getattr(now, name), getattr(before, name), -1) for name in names})


def _sum(left: Any, right: Any, sign: int = 1) -> Any:
    """Of two numbers, of two lists of numbers, of two tables of numbers."""
    if isinstance(left, dict):
        return {key: left.get(key, 0) + sign * right.get(key, 0) for key in {**left, **right}}
    if isinstance(left, list):
        return [a + sign * b for a, b in zip(left, right or [0] * len(left), strict=True)]
    return left + sign * right
