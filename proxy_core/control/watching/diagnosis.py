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

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.balance.latency_histogram import percentiles
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.watching import evidence
from proxy_core.control.watching.evidence import Comparison, Count, Odds, against, odds, onset, spread_of, surprise
from proxy_core.runtime.last_hour import STEP, Cell, CellKey, TenSeconds, merged

WINDOW = 6
"""Steps that are "now": a minute."""
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

Measure = Literal["5xx", "4xx", "slow"]
Kind = Literal["site", "member", "rule", "route", "shape"]


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


class Subject(NamedTuple):
    """Who is ill: a member by balancer and name, a rule or route by list and id, a shape by "" and its text."""

    kind: Kind
    home: str
    name: str


SITE = Subject("site", "", "")


class Sign(Struct, frozen=True, kw_only=True):
    """One way in which a trouble shows."""

    measure: Measure
    """What was counted."""
    part: float
    """The part of the last minute's requests that it counts, 0 to 1."""
    expected: float
    """The part that was to be expected."""
    per_second: float
    """How many of them there are."""
    since: float
    """When it began, to a step, in seconds since the epoch."""
    found: float
    """When it was found, in seconds since the epoch."""
    shape: str = ""
    """The shape of path that most of them have, "" where there is no such."""
    shape_part: float = 0.0
    """The part of them that have it, 0 to 1."""


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that is wrong."""

    subject: Subject
    """Who is ill."""
    signs: tuple[Sign, ...]
    """How it shows, the surest first."""
    p95: float
    """Seconds within which nearly all its requests of the last minute were over; -1 for none."""
    p95_expected: float
    """The same of its peers, or of itself before; -1 for not known."""
    peers: int = 0
    """Members that it was held against; 0 where it was held against itself. One may be the odd one itself."""
    generation: int = 0
    """The one that came into force just before it began; 0 for none."""

    @property
    def since(self) -> float:
        return min(sign.since for sign in self.signs)


class Applied(NamedTuple):
    """A generation that came into force, and when (seconds since the epoch)."""

    number: int
    at: float


Cells = Sequence[tuple[CellKey, Cell]]
Belongs = Callable[[CellKey], bool]


class Past(NamedTuple):
    """What is looked at: the newest steps (oldest first), and whole minutes that lie before the last of them."""

    steps: Sequence[TenSeconds]
    minutes: Sequence[TenSeconds]


def together(steps: Sequence[TenSeconds]) -> TenSeconds:
    """Steps as one, cell by cell."""
    cells: dict[CellKey, list[Cell]] = {}
    for step in steps:
        for key, cell in step.cells:
            cells.setdefault(key, []).append(cell)
    return TenSeconds(steps[-1].at, tuple((key, merged(same)) for key, same in cells.items()))


def diagnose(past: Past, generations: Sequence[Applied], before: Sequence[Trouble] = ()) -> tuple[Trouble, ...]:
    """All that is wrong at the end of the newest step, worst first. ``before`` is what was found at the step before."""
    ill = [*_all_members(past, before)]
    found: dict[Subject, list[Found]] = {}
    for each in (each for each in ill if each.sure):
        found.setdefault(each.subject, []).append(each)
    suspects = {MemberKey(each.subject.home, each.subject.name) for each in ill}
    for measure in EFFECTS:
        for each in _of_measure(measure, past, before, suspects):
            found.setdefault(each.subject, []).append(each)
    known = {trouble.subject: trouble for trouble in before}
    troubles = [_trouble(signs, known.get(subject), past, generations) for subject, signs in found.items()]
    return tuple(sorted(troubles, key=_weight, reverse=True))


class Found(NamedTuple):
    """A subject in which a measure counts more than it may."""

    subject: Subject
    belongs: Belongs
    seen: Comparison
    sign: Sign
    others: Cells
    """What it was held against."""
    peers: int
    sure: bool = True
    """Otherwise it is but suspected: nobody is told, and nobody else is blamed for it."""


def _lasting(measure: Measure, before: Sequence[Trouble]) -> dict[Subject, Sign]:
    return {each.subject: sign for each in before for sign in each.signs if sign.measure == measure}


def _all_members(past: Past, before: Sequence[Trouble]) -> Iterator[Found]:
    now = [each for step in past.steps[-WINDOW:] for each in step.cells]
    for measure in EFFECTS:
        yield from _members(measure, past, now, _lasting(measure, before))


def _of_measure(
    measure: Measure, past: Past, before: Sequence[Trouble], suspects: Container[MemberKey | None]
) -> Iterator[Found]:
    now = [each for step in past.steps[-WINDOW:] for each in step.cells if each[0].member not in suspects]
    reference = [each for minute in past.minutes[-BLOCKS:] for each in minute.cells if each[0].member not in suspects]
    lasting = _lasting(measure, before)
    explained: list[Belongs] = []
    count = _count(measure, reference)
    usual = odds(reference, count)
    question = Question(measure, count, usual, past, lasting)

    def ask(kind: Kind, of: Callable[[CellKey], tuple[str, str] | None], cells: Cells) -> Iterator[Found]:
        for name in sorted({of(key) or ("", "") for key, _ in cells}):
            if name == ("", ""):
                continue

            def belongs(
                key: CellKey, name: tuple[str, str] = name, others: Sequence[Belongs] = tuple(explained)
            ) -> bool:
                return of(key) == name and key.member not in suspects and not any(other(key) for other in others)

            each = question.ask(Subject(kind, *name), belongs, cells, reference, 0)
            if each is not None and each.sure:
                yield each

    routes = [*ask("route", lambda key: key.route, now)]
    if SITE in lasting or (len(routes) > 1 and len(routes) >= 0.8 * _enough(now, reference)):
        whole = question.ask(SITE, lambda key: key.member not in suspects, now, reference, 0)
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


def _members(measure: Measure, past: Past, now: Cells, lasting: Mapping[Subject, Sign]) -> Iterator[Found]:
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
    measure: Measure, member: MemberKey, pool: set[MemberKey], past: Past, now: Cells, lasting: Mapping[Subject, Sign]
) -> Found | None:
    peers = [each for each in now if each[0].member in pool and each[0].member != member]
    count = _count(measure, peers)
    question = Question(measure, count, odds(peers, count), past, lasting)
    subject = Subject("member", *member)
    found = question.ask(subject, lambda key: key.member == member, now, peers, len(pool) - 1)
    if found is None or not found.sure or subject in lasting:
        return found
    # One that was always so, an older machine say, is no news.
    always = against(
        [each for minute in past.minutes for each in minute.cells if each[0].member == member], count, question.usual
    )
    if len(past.minutes) < KNOWN:
        news = measure != "slow" or found.seen.part >= SEVERE
    else:
        news = always.requests < evidence.FEWEST or found.seen.part >= 1.5 * always.part
    return found if news else None


class Question(NamedTuple):
    """What is asked of each subject of a measure."""

    measure: Measure
    count: Count
    usual: Odds
    past: Past
    lasting: Mapping[Subject, Sign]

    def ask(self, subject: Subject, belongs: Belongs, now: Cells, others: Cells, peers: int) -> Found | None:
        """The subject, if it is ill: found now, or found before and not over."""
        mine = [each for each in now if belongs(each[0])]
        seen = against(mine, self.count, self.usual)
        known = self.lasting.get(subject)
        end = self.past.steps[-1].at
        sure = self._is_surprising(seen) and self._is_steady(belongs, seen, peers)
        if not sure and known is not None:
            if not self._lasts(seen, known):
                return None
            sign = replace(known, part=seen.part, per_second=seen.counted / (WINDOW * STEP))
            return Found(subject, belongs, seen, self._placed(sign, mine), others, peers)
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
        return Found(subject, belongs, seen, self._placed(sign, mine), others, peers, sure)

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
        return against([each for each in step.cells if belongs(each[0])], self.count, self.usual)

    def _lasts(self, seen: Comparison, known: Sign) -> bool:
        """Whether what was found before is not over: still twice what was expected then, and half of what matters."""
        effect = EFFECTS[self.measure]
        return seen.counted >= 2 and seen.part >= max(2 * known.expected, known.expected + effect.part / 2)

    def _placed(self, sign: Sign, mine: Cells) -> Sign:
        shapes: dict[str, float] = {}
        for key, cell in mine:
            shapes[key.shape] = shapes.get(key.shape, 0.0) + self.count(key, cell)
        total = sum(shapes.values())
        if len(shapes) < 2 or not total:
            return replace(sign, shape=next(iter(shapes), "") if len(shapes) == 1 else "", shape_part=1.0)
        shape = max(shapes, key=lambda each: shapes[each])
        part = shapes[shape] / total
        return replace(sign, shape=shape if part >= 0.5 else "", shape_part=part if part >= 0.5 else 0.0)


def _trouble(signs: Sequence[Found], known: Trouble | None, past: Past, generations: Sequence[Applied]) -> Trouble:
    first = signs[0]
    now = [cell for step in past.steps[-WINDOW:] for key, cell in step.cells if first.belongs(key)]
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


def _p95(cells: Iterable[Cell]) -> float:
    return percentiles(cell.durations() for cell in cells)[1]


def _just_before(since: float, generations: Sequence[Applied]) -> int:
    for generation in reversed(generations):
        if generation.at <= since + STEP:
            return generation.number if generation.at >= since - COINCIDES else 0
    return 0


def _weight(trouble: Trouble) -> float:
    """How bad it is: what fails counts more than what is refused, and that more than what is slow."""
    worth = {"5xx": 10.0, "4xx": 3.0, "slow": 1.0}
    return max(worth[sign.measure] * sign.per_second for sign in trouble.signs)


class Diagnosis:
    """What is wrong now, looked for after each step; and what was, for each step of the hour."""

    def __init__(self) -> None:
        self.minutes: list[TenSeconds] = []
        self._since_minute = 0
        self.troubles: tuple[Trouble, ...] = ()

    def look(self, steps: Sequence[TenSeconds], generations: Sequence[Applied]) -> tuple[Trouble, ...]:
        """To be called once for each step that is closed."""
        self._since_minute += 1
        if self._since_minute == 2 * WINDOW:
            self._since_minute -= WINDOW
            older = [*islice(steps, max(0, len(steps) - 2 * WINDOW), max(0, len(steps) - WINDOW))]
            self.minutes = [*self.minutes[1 - MINUTES :], together(older)]
        self.troubles = diagnose(Past([*steps], self.minutes), generations, self.troubles)
        return self.troubles
