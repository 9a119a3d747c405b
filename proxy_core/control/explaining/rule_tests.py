"""Rule tests: the rows of [[tests]], each asked as ``rproxy explain`` asks it, and held against what it expects.

Nothing is sent to members and nothing is counted. Services of [forward_auth] are not asked: what they guard is told as
what it waits for, and comes out otherwise.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from proxy_core.config.model import RuleTest
from proxy_core.control.explaining.explain import explain
from proxy_core.control.question import Explanation, Otherwise, Question, TestOutcome
from proxy_core.errors import Problem
from proxy_core.printable import printable
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.rule_set import RuleSet


class AskedRules(NamedTuple):
    """Rules, and what they may ask."""

    rules: RuleSet
    outside: Outside


async def tested(rules: RuleSet, outside: Outside) -> tuple[TestOutcome, ...]:
    """Every test of the site, in its order. Whoever waits has a turn between two of them."""
    outcomes = []
    for row in rules.site.tests:
        outcomes.append(await _tested(rules, outside, row))
        await sleep(0)
    return tuple(outcomes)


async def broken(now: AskedRules, before: AskedRules, outcomes: Sequence[TestOutcome]) -> tuple[Problem, ...]:
    """The tests that fail by the rules of ``now``, whose ``outcomes`` are these, and held by those ``before``. A test
    that is new, or was changed, has held nothing yet."""
    known = {replace(row, id="") for row in before.rules.site.tests}
    found = []
    for row, outcome in zip(now.rules.site.tests, outcomes, strict=True):
        if outcome.otherwise and replace(row, id="") in known and not (await _tested(*before, row)).otherwise:
            todo = "correct the rule or the test, or do it by force"
            found.append(_problem(outcome, "held and would fail", todo))
    return tuple(found)


def failing(outcomes: Sequence[TestOutcome]) -> tuple[Problem, ...]:
    """A warning for each test that fails."""
    found = (_problem(each, "fails", "correct the rule or the test") for each in outcomes if each.otherwise)
    return tuple(replace(each, severity="warning") for each in found)


def _problem(outcome: TestOutcome, verb: str, todo: str) -> Problem:
    why = ", ".join(in_words(each) for each in outcome.otherwise)
    return Problem(what=f"test {outcome.id} {verb}: {outcome.request}: {why}", todo=todo, address=("tests", outcome.id))


def in_words(otherwise: Otherwise) -> str:
    return f"{otherwise.name} {otherwise.got or 'none'}, expected {otherwise.expected}"


def spelled(outcomes: Sequence[TestOutcome]) -> str:
    """The outcomes as text for a terminal."""
    lines = []
    for each in outcomes:
        lines.append(f"{'FAILS' if each.otherwise else 'holds'}  {each.id}  {each.request}")
        if each.otherwise:
            lines += [
                f"         {each.name}: {each.got or 'none'}, expected {each.expected}" for each in each.otherwise
            ]
            lines += [f"         {each.sentence}"] if each.sentence else []
    return "\n".join([*map(printable, lines), summary(outcomes)])


def summary(outcomes: Sequence[TestOutcome]) -> str:
    """How many hold, in words."""
    failed = sum(bool(each.otherwise) for each in outcomes)
    if not outcomes:
        return "no test: add [[tests]] rows with a request and what is expected of it"
    return f"{len(outcomes)} tests hold" if not failed else f"{failed} of {len(outcomes)} tests fail"


async def _tested(rules: RuleSet, outside: Outside, row: RuleTest) -> TestOutcome:
    method, _, url = row.request.rpartition(" ")
    question = Question(
        url=url, method=method or "GET", client=row.client, fields=row.fields, listener=row.listener
    )  # fmt: skip
    try:
        explained = await explain(rules, outside, question)
    except ValueError as error:
        return TestOutcome(row.id, row.request, (Otherwise("request", "a URL", str(error)),), "")
    return TestOutcome(row.id, row.request, tuple(_otherwise(row, explained)), explained.sentence)


def _otherwise(row: RuleTest, got: Explanation) -> Iterator[Otherwise]:
    found = {
        "status": str(got.status or ""),
        "location": got.location,
        "pool": got.pool,
        "member": got.member,
        "target": got.target,
        "rule": got.rule[-1] if got.rule else "",
    }
    for name, value in found.items():
        expected = getattr(row, name)
        if expected and str(expected) != value:
            yield Otherwise(name, str(expected), value)
