"""What is wrong, worked out from numbers: since when, how it shows, what it may come from.

A member is held against its peers on the same paths. A rule, a route, a shape of path and the site as a whole are held
against themselves in the ten minutes before. What explains most is told first, and what it explains is told of nobody
else: the requests of a member that is ill speak against no route, and where every route is ill, the site is.

It never cries without evidence. A sign needs enough requests, a difference that matters, one that chance does not make
(evidence.py), and some steps in a row that show it: members that restart by turns, single slow requests and daily waves
are none. Where there is only one peer, it is said: either may be the odd one.

A trouble that was found keeps what it was held against, so that it lasts until it is over, and does not become the
usual state. Pure: steps and generations in, troubles out; the same for the recorded past as for now.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from proxy_core.balance.latency_histogram import percentiles
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.watching import evidence
from proxy_core.control.watching.evidence import Comparison, Count, Odds, against, odds, onset, spread_of, surprise
from proxy_core.control.watching.look_back import WINDOW, Cells, LookBack, look_back, peers_of, together
from proxy_core.control.watching.troubles import SITE, AppliedAt, Kind, Measure, Sign, Subject, Trouble
from proxy_core.runtime.last_hour import STEP, CellCounts, CellKey, TenSeconds, pack

BLOCKS = 10
"""Minutes before, that a thing is held against itself in."""
MINUTES = 60
"""Minutes before, from which it is known how far it varies."""
SURE = 5.0
"""Standard deviations of what is told. A day has about a million questions; chance makes five in less than that."""
SUSPICIOUS = 3.0
"""Standard deviations of what nobody else is blamed for."""
KNOWN = 3
"""Minutes after which it is known how a member always was."""
SEVERE = 0.3
"""The part of slow requests that is told of a member also before that."""
SETTLES = 60.0
"""Seconds in which what was found may still be found better: when it began, what was to be expected."""
COINCIDES = 60.0
"""Seconds after a generation in which what begins is said to come just after it."""


class Effect(NamedTuple):
    """The least that a measure must show: so many requests, such a part of all and more than expected, so many times
    what was expected, in so many steps of the window."""

    counted: int
    part: float
    times: float
    steps: int


EFFECTS: Mapping[Measure, Effect] = {
    "5xx": Effect(5, 0.005, 3.0, 3),
    "4xx": Effect(10, 0.05, 3.0, 3),
    "slow": Effect(8, 0.05, 3.0, 4),
}


Belongs = Callable[[CellKey], bool]


def diagnose(past: LookBack, generations: Sequence[AppliedAt], before: Sequence[Trouble] = ()) -> tuple[Trouble, ...]:
    """All that is wrong at the end of the newest step, worst first. ``before`` is what was found at the step before."""
    return _concluded([*chain.from_iterable(_stages(past, before))], past, generations, before)


def _stages(past: LookBack, before: Sequence[Trouble]) -> Iterator[list[Suspect]]:
    """Who is ill, some at a time."""
    ill = []
    for measure in EFFECTS:
        found = [*_members(measure, past, past.now, _lasting(measure, before))]
        ill += found
        yield [each for each in found if each.sure]
    suspects = {MemberKey(each.subject.home, each.subject.name) for each in ill}
    for measure in EFFECTS:
        yield [*_of_measure(measure, past, before, suspects)]


def _concluded(
    found: Sequence[Suspect], past: LookBack, generations: Sequence[AppliedAt], before: Sequence[Trouble]
) -> tuple[Trouble, ...]:
    signs: dict[Subject, list[Suspect]] = {}
    for each in found:
        signs.setdefault(each.subject, []).append(each)
    known = {trouble.subject: trouble for trouble in before}
    troubles = [_trouble(shown, known.get(subject), past, generations) for subject, shown in signs.items()]
    return tuple(sorted(troubles, key=_weight, reverse=True))


class Suspect(NamedTuple):
    """A subject in which a measure counts more than it may."""

    subject: Subject
    """Who."""
    belongs: Belongs
    """Which cells are of it."""
    seen: Comparison
    """What the measure says of the last minute."""
    sign: Sign
    """The same for people."""
    others: Cells
    """What it was held against."""
    peers: int
    """How many members that are; 0 for itself before."""
    sure: bool = True
    """Otherwise it is but suspected: nobody is told, and nobody else is blamed for it."""


def _lasting(measure: Measure, before: Sequence[Trouble]) -> dict[Subject, Sign]:
    return {each.subject: sign for each in before for sign in each.signs if sign.measure == measure}


def _of_measure(
    measure: Measure, past: LookBack, before: Sequence[Trouble], suspects: Container[MemberKey | None]
) -> Iterator[Suspect]:
    now = [each for each in past.now if each[0].member not in suspects]
    reference = [each for each in past.reference if each[0].member not in suspects]
    lasting = _lasting(measure, before)
    explained: list[Belongs] = []
    count = _count(measure, reference)
    usual = odds(reference, count)
    yardstick = Yardstick(measure, count, usual, past, lasting)

    def ask(kind: Kind, of: Callable[[CellKey], tuple[str, str] | None], cells: Cells) -> Iterator[Suspect]:
        for name in sorted({of(key) or ("", "") for key, _ in cells}):
            if name == ("", ""):
                continue

            def belongs(
                key: CellKey, name: tuple[str, str] = name, others: Sequence[Belongs] = tuple(explained)
            ) -> bool:
                return of(key) == name and key.member not in suspects and not any(other(key) for other in others)

            each = yardstick.ask(Subject(kind, *name), belongs, cells, reference, 0)
            if each is not None and each.sure:
                yield each

    routes = [*ask("route", lambda key: key.route, now)]
    if SITE in lasting or (len(routes) > 1 and len(routes) >= 0.8 * _enough(now, reference)):
        whole = yardstick.ask(SITE, lambda key: key.member not in suspects, now, reference, 0)
        if whole is not None and whole.sure:
            yield whole
            return
    for kind, of in ORDER:
        left = _without(now, explained)
        for each in [*ask(kind, of, left)]:
            explained.append(each.belongs)
            yield each


ORDER: Sequence[tuple[Kind, Callable[[CellKey], tuple[str, str] | None]]] = (
    ("rule", lambda key: key.rule),
    ("route", lambda key: key.route),
    ("shape", lambda key: ("", key.shape)),
)


def _enough(now: Cells, reference: Cells) -> int:
    """How many routes have enough requests to be judged at all."""
    requests: dict[tuple[str, str], list[float]] = {}
    for n, cells in enumerate((now, reference)):
        for key, cell in cells:
            if key.route is not None:
                requests.setdefault(key.route, [0.0, 0.0])[n] += cell.requests
    return sum(min(both) >= evidence.FEWEST for both in requests.values())


def _count(measure: Measure, usual: Cells) -> Count:
    if measure == "slow":
        return evidence.slower_than(evidence.usual_buckets(usual))
    return evidence.errors if measure == "5xx" else evidence.refusals


def _without(cells: Cells, explained: Sequence[Belongs]) -> Cells:
    return [each for each in cells if not any(belongs(each[0]) for belongs in explained)] if explained else cells


def _members(measure: Measure, past: LookBack, now: Cells, lasting: Mapping[Subject, Sign]) -> Iterator[Suspect]:
    """Members that are worse than their peers; the worst is taken out before the others are compared anew."""
    pools: dict[str, set[MemberKey]] = {}
    for key, _ in now:
        if key.member is not None and key.member.balancer:
            pools.setdefault(key.member.balancer, set()).add(key.member)
    for members in pools.values():
        left = set(members)
        while len(left) > 1:
            found = [each for member in left if (each := _member(measure, member, left, past, now, lasting))]
            if not found:
                break
            worst = max(found, key=lambda each: each.seen.counted - each.seen.expected)
            yield worst
            left.remove(MemberKey(worst.subject.home, worst.subject.name))


def _member(
    measure: Measure,
    member: MemberKey,
    pool: set[MemberKey],
    past: LookBack,
    now: Cells,
    lasting: Mapping[Subject, Sign],
) -> Suspect | None:
    peers = peers_of(member, pool, past)
    count = _count(measure, peers)
    yardstick = Yardstick(measure, count, odds(peers, count), past, lasting)
    subject = Subject("member", *member)
    found = yardstick.ask(subject, lambda key: key.member == member, now, peers, len(pool) - 1)
    if found is None or not found.sure or subject in lasting:
        return found
    # One that was always so, an older machine say, is no news.
    always = against([each for each in past.reference if each[0].member == member], count, yardstick.usual)
    if len(past.minutes) < KNOWN:
        news = measure != "slow" or found.seen.part >= SEVERE
    else:
        news = always.requests < evidence.FEWEST or found.seen.part >= 1.5 * always.part
    return found if news else None


class Yardstick(NamedTuple):
    """What is asked of each subject of a measure."""

    measure: Measure
    counts: Count
    usual: Odds
    past: LookBack
    lasting: Mapping[Subject, Sign]

    def ask(self, subject: Subject, belongs: Belongs, now: Cells, others: Cells, peers: int) -> Suspect | None:
        """The subject, if it is ill: found now, or found before and not over."""
        mine = [each for each in now if belongs(each[0])]
        seen = against(mine, self.counts, self.usual)
        known = self.lasting.get(subject)
        end = self.past.steps[-1].at
        sure = self._is_surprising(seen) and self._is_steady(belongs, seen, peers)
        if not sure and known is not None:
            if not self._lasts(seen, known):
                return None
            sign = replace(known, part=seen.part, per_second=seen.counted / (WINDOW * STEP))
            return Suspect(subject, belongs, seen, self._placed(sign, mine), others, peers)
        if not sure and not self._is_suspicious(seen):
            return None
        sign = Sign(
            measure=self.measure,
            part=seen.part,
            expected=seen.expected_part,
            per_second=seen.counted / (WINDOW * STEP),
            since=end,
            found=known.found if known is not None else end,
        )
        if known is not None and end - known.found > SETTLES:
            sign = replace(sign, since=known.since, expected=known.expected)
        else:
            steps = (self._of(step, belongs) for step in reversed(self.past.steps))
            began = onset(steps, max(2.0, seen.counted / seen.expected))
            sign = replace(sign, since=end - began * STEP)
        return Suspect(subject, belongs, seen, self._placed(sign, mine), others, peers, sure)

    def _is_suspicious(self, seen: Comparison) -> bool:
        return seen.counted >= 3 and seen.counted >= 2 * seen.expected and surprise(seen) >= SUSPICIOUS

    def _is_surprising(self, seen: Comparison) -> bool:
        effect = EFFECTS[self.measure]
        return (
            self.usual.requests >= 2 * evidence.FEWEST
            and seen.counted >= effect.counted
            and seen.part - seen.expected_part >= effect.part
            and seen.counted >= effect.times * seen.expected
            and surprise(seen) >= SURE
        )

    def _is_steady(self, belongs: Belongs, seen: Comparison, peers: int) -> bool:
        """Whether some steps in a row show it, not one of them alone, and it does not always vary so much."""
        effect = EFFECTS[self.measure]
        window = [self._of(step, belongs) for step in self.past.steps[-WINDOW:]]
        shown = [step for step in window if step.requests]
        least = (seen.part - seen.expected_part) / 4
        showing = [step.counted >= 1 and step.part - step.expected_part >= least for step in shown]
        if sum(showing) < min(effect.steps, len(shown)) or not any(showing[-2:]):
            return False
        spread = 1.0 if peers else spread_of(self._of(minute, belongs) for minute in self.past.minutes)
        most = max(shown, key=lambda step: step.counted)
        rest = Comparison(*(mine - its for mine, its in zip(seen, most, strict=True)))
        return surprise(seen, spread) >= SURE and surprise(rest) >= SUSPICIOUS

    def _of(self, step: TenSeconds, belongs: Belongs) -> Comparison:
        return against([each for each in step.cells if belongs(each[0])], self.counts, self.usual)

    def _lasts(self, seen: Comparison, known: Sign) -> bool:
        """Whether what was found before is not over: still twice what was expected then, and half of what matters."""
        effect = EFFECTS[self.measure]
        return seen.counted >= 2 and seen.part >= max(2 * known.expected, known.expected + effect.part / 2)

    def _placed(self, sign: Sign, mine: Cells) -> Sign:
        shapes: dict[str, float] = {}
        for key, cell in mine:
            shapes[key.shape] = shapes.get(key.shape, 0.0) + self.counts(key, cell)
        total = sum(shapes.values())
        if len(shapes) < 2 or not total:  # there is no other
            return replace(sign, shape="", shape_part=0.0)
        shape = max(shapes, key=lambda each: shapes[each])
        part = shapes[shape] / total
        return replace(sign, shape=shape if part >= 0.5 else "", shape_part=part if part >= 0.5 else 0.0)


def _trouble(
    signs: Sequence[Suspect], known: Trouble | None, past: LookBack, generations: Sequence[AppliedAt]
) -> Trouble:
    first = signs[0]
    now = [cell for key, cell in past.now if first.belongs(key)]
    trouble = Trouble(
        subject=first.subject,
        signs=tuple(each.sign for each in signs),
        p95=_p95(now),
        p95_expected=_p95(cell for key, cell in first.others if first.peers or first.belongs(key)),
        peers=first.peers,
    )
    if known is not None and past.steps[-1].at - min(sign.found for sign in known.signs) > SETTLES:
        return replace(trouble, p95_expected=known.p95_expected, generation=known.generation)
    return replace(trouble, generation=_just_before(trouble.since, generations))


def _p95(cells: Iterable[CellCounts]) -> float:
    return percentiles(cell.durations() for cell in cells)[1]


def _just_before(since: float, generations: Sequence[AppliedAt]) -> int:
    for generation in reversed(generations[1:]):  # nothing was before the first
        if generation.at <= since + STEP:
            return generation.number if generation.at >= since - COINCIDES else 0
    return 0


def _weight(trouble: Trouble) -> float:
    """How bad it is: what fails counts more than what is refused, and that more than what is slow."""
    worth = {"5xx": 10.0, "4xx": 3.0, "slow": 1.0}
    return max(worth[sign.measure] * sign.per_second for sign in trouble.signs)


class Diagnosis:
    """What is wrong now, looked for after each step."""

    def __init__(self) -> None:
        self.troubles: tuple[Trouble, ...] = ()
        self._minutes: list[TenSeconds] = []
        self._reference: Cells = ()
        self._steps = 0
        self._seen = 0.0

    async def look(self, closed: Sequence[TenSeconds], generations: Sequence[AppliedAt]) -> None:
        """To be called after each second, or at least after each step that is closed; a slice of it takes few
        milliseconds of the loop."""
        if not closed or closed[-1].at == self._seen:
            return
        self._seen = closed[-1].at
        steps = [*closed]
        self._steps += 1
        if self._steps == 2 * WINDOW:
            self._steps -= WINDOW
            minute = together(steps[-2 * WINDOW : -WINDOW])
            for _, cell in minute.cells:
                pack(cell)
            self._minutes = [*self._minutes[1 - MINUTES :], minute]
            self._reference = together(self._minutes[-BLOCKS:]).cells
            await sleep(0)
        past = look_back(steps, self._minutes, self._reference)
        found: list[Suspect] = []
        for stage in _stages(past, self.troubles):
            found += stage
            await sleep(0)
        self.troubles = _concluded(found, past, generations, self.troubles)
