"""What happened: two looks at the engine, compared, and worded for people and programs.

Pure. Nothing is told by whoever it happens to: the engine is looked at once a second (``Sight``), and what is between
two looks comes of their difference. So the data path pays nothing, what comes and goes within a second is told by its
counters or not at all, and no crowd of clients can make more than so many lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.model import Log
from proxy_core.control.editing.pending import GUARD, Pending
from proxy_core.control.view import Generation, ListenerState, MemberLoad, Saved
from proxy_core.control.watching import trouble_words
from proxy_core.control.watching.troubles import Trouble
from proxy_core.errors import Problem, Severity
from proxy_core.runtime.forward_auth import ServiceState
from proxy_core.runtime.maps.source import MapState

Level = Literal["info", "warning", "error"]

EVERY = 10.0
"""Seconds in which what one limit did is summed into one line."""
_NUMBER = re.compile(r"\d+")


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    level: Level
    """How bad it is."""
    kind: str
    """What it is, for programs: "member_down"."""
    text: str
    """The same as a sentence."""
    facts: Mapping[str, str | int] = {}
    """What it is about, for programs."""
    trace: str = ""
    """Where in the program it was, in lines; "" where that is not known."""
    about: str = ""
    """What goes on and off and may do so very often (``floods``); "" for what is told each time."""


class Sight(Struct, frozen=True, kw_only=True):
    """All that events are made of, at one moment. The defaults are those of an engine that has not begun."""

    at: float = 0.0
    """Seconds since the epoch."""
    settings: Log = Log()
    """[log] of the site in force."""
    saved: Saved = "saved"
    """How the file on disk stands to what is in force."""
    generations: tuple[Generation, ...] = ()
    """The newest of what was applied, oldest first."""
    loaded_at: float = 0.0
    """When a site was last taken, in seconds since the epoch."""
    reloads: Mapping[str, int] = {}
    """How often the file on disk was looked at for a reason, by what came of it: applied, refused."""
    refused: tuple[Problem, ...] = ()
    """Why the file on disk is not taken, or ours is not saved."""
    faults: tuple[Problem, ...] = ()
    """What does not work now, but for the file and members."""
    remarks: tuple[Problem, ...] = ()
    """What is worth a look: warnings of the site, mistakes of ours."""
    members: tuple[MemberLoad, ...] = ()
    """As in Snapshot."""
    listeners: tuple[ListenerState, ...] = ()
    """As in Snapshot."""
    maps: tuple[MapState, ...] = ()
    """The maps in force."""
    services: tuple[ServiceState, ...] = ()
    """The services of [forward_auth]; what is wrong with one is among the faults."""
    limited: Mapping[str, int] = {}
    """As in Snapshot."""
    troubles: tuple[Trouble, ...] = ()
    """As in Snapshot."""
    unwritten: int = 0
    """Requests that the access log lost."""
    pending: Pending | None = None
    """As in Snapshot."""
    unrecorded: Mapping[str, int] = {}
    """What the recording lost, by table."""

    @property
    def generation(self) -> int:
        return self.generations[-1].number if self.generations else 0


Told = dict[str, tuple[float, int]]
"""Of each limit: when it was last told, and how often it had been reached by then."""


def events(before: Sight, now: Sight) -> Iterator[Event]:
    """What happened between two looks, but for limits (``reached``)."""
    yield from _config(before, now)
    yield from _problems(before, now)
    yield from _listeners(before.listeners, now.listeners)
    yield from _members(before.members, now.members)
    yield from _maps(before.maps, now.maps)
    yield from _troubles(before, now)


# ---- the site file


def _config(before: Sight, now: Sight) -> Iterator[Event]:
    known = {(each.number, each.at) for each in before.generations}
    new = [each for each in now.generations if (each.number, each.at) not in known]
    for each in new if before.generations else new[-1:]:
        yield Event(
            level="warning" if each.author == GUARD else "info",
            kind="config_applied",
            text=f"generation {each.number} is in force: {each.sentence} ({each.author})",
            facts={"generation": each.number, "author": each.author, "sentence": each.sentence},
        )
    facts: dict[str, str | int] = {"generation": now.generation}
    yield from _waiting(before.pending, now.pending, now.generation)
    if now.refused and now.refused != before.refused:
        unsaved = now.saved == "failed"
        kind = "config_unsaved" if unsaved else "config_refused"
        if not unsaved:
            text = f"the site file on disk is not taken; the running site stays (generation {now.generation})"
            yield Event(level="error", kind=kind, text=text, facts=facts)
        yield from (_problem(problem, f"{kind}_why" if not unsaved else kind) for problem in now.refused)
    elif before.refused and not now.refused and not new:
        text = "the site file is saved again"
        if before.saved == "drift":
            text = f"the site file on disk is again the one in force (generation {now.generation})"
        yield Event(level="info", kind="config_settled", text=text, facts=facts)


def _waiting(was: Pending | None, now: Pending | None, generation: int) -> Iterator[Event]:
    """A change that waits to be confirmed, and one that was. One that is taken back is a generation of its own."""
    if now is not None and (was is None or was.generation != now.generation):
        text = f"generation {now.generation} takes itself back in {now.until - now.at:.0f} s unless it is confirmed"
        yield Event(
            level="info", kind="config_pending", text=f"{text}, and at once where {now.words}",
            facts={"generation": now.generation, "author": now.author, "seconds": round(now.until - now.at)},
        )  # fmt: skip
    elif was is not None and now is None and generation == was.generation:
        text = f"generation {was.generation} is confirmed: {was.sentence}"
        yield Event(level="info", kind="config_confirmed", text=text, facts={"generation": was.generation})


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


# ---- problems


def _problem(problem: Problem, kind: str = "problem") -> Event:
    address = ".".join(problem.address)
    named: dict[str, str | int] = {"file": problem.file, "line": problem.line, "column": problem.column}
    facts = {key: value for key, value in {**named, "address": address}.items() if value}
    return Event(level=problem.severity, kind=kind, text=_words(problem), facts=facts)


def _words(problem: Problem) -> str:
    """Where it is and what it is. The level is told beside it, and who has no file to look at knows it by its words."""
    return str(replace(problem, severity="error", address=()))


def _problems(before: Sight, now: Sight) -> Iterator[Event]:
    old, new = _lasting(before.faults), _lasting(now.faults)
    said = {(each.address, each.what) for each in before.remarks}
    fresh = (each for key, each in new.items() if key not in old and (each.address, each.what) not in said)
    yield from (replace(_problem(each), about=each.what) for each in fresh)
    over = (each.what for key, each in old.items() if key not in new)
    yield from (Event(level="info", kind="problem_over", text=f"no longer: {what}", about=what) for what in over)
    known = {(each.address, each.what) for each in (*before.remarks, *now.faults)}
    yield from (_problem(problem) for problem in now.remarks if (problem.address, problem.what) not in known)


def _lasting(problems: Iterable[Problem]) -> dict[tuple[Severity, tuple[str, ...], str], Problem]:
    """By what stays the same while their numbers change: how many requests are lost is no news each second."""
    return {(each.severity, each.address, _NUMBER.sub("", each.what)): each for each in problems}


# ---- listeners


def _listeners(before: tuple[ListenerState, ...], now: tuple[ListenerState, ...]) -> Iterator[Event]:
    old, new = _by_place(before), _by_place(now)
    for key, each in new.items():
        was = old.get(key)
        if was is None:
            yield _of_listener(each, "listener_opened", f"accepts on {each.url}")
        elif each.draining and not was.draining:
            left = _count(each.connections, "connection")
            yield _of_listener(each, "listener_draining", f"on {each.url} drains: {left} left")
        if was is not None and each.renewed != was.renewed:
            ends = datetime.fromtimestamp(each.expires, UTC)
            text = f"took its changed certificates; the first ends on {ends:%d %B %Y, %H:%M} UTC"
            yield _of_listener(each, "certificates_renewed", text)
    for key, each in old.items():
        if key not in new:
            yield _of_listener(each, "listener_closed", f"on {each.url} is closed")


def _by_place(listeners: tuple[ListenerState, ...]) -> dict[tuple[str, str, bool], ListenerState]:
    """One that drains gives its place away to one that takes it over."""
    return {(each.name, each.url, each.tls): each for each in sorted(listeners, key=lambda each: not each.draining)}


def _of_listener(listener: ListenerState, kind: str, text: str) -> Event:
    facts = {"listener": listener.name, "url": listener.url}
    return Event(level="info", kind=kind, text=f"listener {listener.name} {text}", facts=facts)


# ---- members


def _members(before: tuple[MemberLoad, ...], now: tuple[MemberLoad, ...]) -> Iterator[Event]:
    old = {(each.balancer, each.member): each for each in before}
    for each in now:
        was = old.get((each.balancer, each.member))
        yield from (_of_member(each, *told) for told in _health(was, each))
        if was is not None and each.drained and not was.drained:
            yield _of_member(each, "info", "member_drained", "is drained: it is safe to stop")
        trouble, earlier = _trouble(each), _trouble(was)
        if trouble and not earlier and each.health != "unresolved":
            yield _of_member(each, "warning", "member_name_failed", f"cannot be looked up: {trouble}")
        elif earlier and not trouble:
            yield _of_member(each, "info", "member_name_found", "is found by its name again")


def _trouble(load: MemberLoad | None) -> str:
    return load.name.trouble if load is not None and load.name is not None else ""


def _health(was: MemberLoad | None, now: MemberLoad) -> Iterator[tuple[Level, str, str]]:
    """Level, kind and words of what became of a member. A check that turned is told where nothing follows of it."""
    if was is not None and now.ejections > was.ejections:
        yield "warning", "member_ejected", f"is ejected{_for(now.retry_in)}: too many of its answers were bad"
    elif not now.well and (was is None or was.health != now.health):
        result = now.check.result if now.check is not None else ""
        match now.health:
            case "failing":
                yield "warning", "member_down", f"is down, its checks fail: {result}"
            case "ejected":
                yield "warning", "member_ejected", f"is ejected{_for(now.retry_in)}"
            case "unresolved":
                yield "warning", "member_down", f"is down: {_trouble(now)}"
            case _:
                left = f"; it is left alone{_for(now.retry_in)}" if now.retry_in else ""
                yield "warning", "member_down", f"is down: {now.last_error}{left}"
    elif now.well and was is not None and not was.well:
        yield "info", "member_up", "is up again" if now.health == "up" else "is not held to be down any more"
    elif now.check is not None and now.check.at and (was is None or was.check is None or not was.check.at):
        yield "info", "member_checked", f"was checked first: {now.check.result}"
    elif now.check is not None and was is not None and was.check is not None and now.check.passed != was.check.passed:
        outcome = "passed a check" if now.check.passed else "failed a check"
        yield "info", "member_checked", f"{outcome}: {now.check.result}"


def _for(seconds: float) -> str:
    return f" for {ceil(seconds)} s" if seconds > 0 else ""


def _of_member(load: MemberLoad, level: Level, kind: str, text: str) -> Event:
    name = f"member {load.balancer}/{load.member}" if load.balancer else f"upstream {load.member}"
    facts = {"balancer": load.balancer, "member": load.member, "url": load.url}
    return Event(level=level, kind=kind, text=f"{name} {text}", facts=facts, about=name)


# ---- maps


def _maps(before: tuple[MapState, ...], now: tuple[MapState, ...]) -> Iterator[Event]:
    """What a map does wrong is among the faults."""
    old = {(each.name, each.reads): each for each in before}
    for each in now:
        was = old.get((each.name, each.reads))
        if was is not None and each.changed_at != was.changed_at and was.changed_at:
            entries = f": {_count(each.entries, 'entry', 'entries')}" if each.entries >= 0 else ""
            text = f"map {each.name} has changed and was read anew{entries}"
            facts = {"map": each.name, "reads": each.reads}
            yield Event(level="info", kind="map_changed", text=text, facts=facts, about=f"map {each.name}")


# ---- what the numbers say


def _troubles(before: Sight, now: Sight) -> Iterator[Event]:
    old, new = ({each.subject: each for each in sight.troubles} for sight in (before, now))
    for subject, trouble in new.items():
        if subject not in old:
            yield _of_trouble(trouble, "warning", "trouble", trouble_words.sentence(trouble, now.generations))
    for subject, trouble in old.items():
        if subject not in new:
            text = f"{trouble_words.who(trouble)} is as usual again, after {(now.at - trouble.since) / 60:.0f} min"
            yield _of_trouble(trouble, "info", "trouble_over", text)


def _of_trouble(trouble: Trouble, level: Level, kind: str, text: str) -> Event:
    facts: dict[str, str | int] = {trouble.subject.kind: trouble_words.who(trouble)}
    if trouble.generation:
        facts["generation"] = trouble.generation
    return Event(level=level, kind=kind, text=text, facts=facts, about=f"trouble of {trouble_words.who(trouble)}")


# ---- limits


def reached(told: Told, now: Sight) -> tuple[list[Event], Told]:
    """The limits that turned clients away, each summed over ``EVERY`` seconds, and what is told by now of them."""
    counts = {(f"limit {name}", "limit", name): count for name, count in now.limited.items()}
    for each in now.listeners:
        key = (f"the entrance of listener {each.name}", "listener", each.name)
        counts[key] = counts.get(key, 0) + each.turned_away
    found: list[Event] = []
    left = dict(told)
    for (name, fact, value), count in counts.items():
        at, known = told.get(name, (0.0, 0))
        if count < known:  # a listener of this name is new
            left[name] = at, count
        elif count > known and now.at - at >= EVERY:
            since = f" in {now.at - at:.0f} s" if at and now.at - at < 2 * EVERY else ""
            text = f"{name} turned away {count - known}{since}, {count} since the start"
            facts: dict[str, str | int] = {fact: value, "count": count - known, "total": count}
            level: Level = "info" if value == "deny" else "warning"
            found.append(Event(level=level, kind="limit_reached", text=text, facts=facts))
            left[name] = now.at, count
    return found, left
