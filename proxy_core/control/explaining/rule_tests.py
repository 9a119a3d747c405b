"""Rule tests: the rows of [[tests]], each asked as ``rproxy explain`` asks it, and held against what it expects.

Nothing is sent to members and nothing is counted. Services of [forward_auth] are not asked: what they guard is told as
what it waits for, and comes out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from proxy_core.config.model import RuleTest
from proxy_core.control.explaining.explain import explain
from proxy_core.control.question import Explanation, Question
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.rule_set import RuleSet


class Otherwise(Struct, frozen=True):
    """One thing that a test expects and does not get; both as text, "" for none."""

    name: str
    expected: str
    got: str


class TestOutcome(Struct, frozen=True):
    """What came of a row of [[tests]]."""

    id: str
    request: str
    otherwise: tuple[Otherwise, ...]
    """What is not as expected, nothing for a test that holds."""
    sentence: str
    """What becomes of the request, in words."""


async def tested(rules: RuleSet, outside: Outside) -> list[TestOutcome]:
    """Every test of the site, in its order."""
    return [await _tested(rules, outside, row) for row in rules.site.tests]


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
