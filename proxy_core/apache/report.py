"""What became of each directive: mapped, safely ignored, or not supported, with its place and the reason.

The report is for people, who want the losses first and the rest as numbers, and for programs, as JSON. A directive
counts as not supported when any part of what it says is lost, so that "whole" means whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from msgspec import Struct, json

from proxy_core.errors import Address, Problem

Outcome = Literal["mapped", "ignored", "unsupported"]


class ReportLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one directive."""

    outcome: Outcome
    """Mapped, ignored, or not supported where any part of it is lost."""
    directive: str
    """Its name, as written."""
    text: str
    """The whole of it, a section's first line."""
    file: str
    """The file that it stands in."""
    line: int
    """Its line, counted from 1."""
    why: str = ""
    """Why it is ignored, or what is lost and what to do about it."""


class Report(Struct, frozen=True, kw_only=True):
    """All of them in the order in which they were read, and what could not be read at all."""

    entries: tuple[ReportLine, ...]
    problems: tuple[Problem, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)

    @property
    def losses(self) -> list[ReportLine]:
        return [entry for entry in self.entries if entry.outcome == "unsupported"]


def summary(report: Report) -> str:
    """One sentence of numbers."""
    return (
        f"{len(report.entries)} directives: {report.count('mapped')} mapped, {report.count('ignored')} safely ignored, "
        f"{report.count('unsupported')} not supported"
    )


def spelled(report: Report) -> str:
    """The report for people."""
    parts = [str(problem) for problem in report.problems]
    parts += [f"{loss.file}:{loss.line}: {loss.text}\n    {loss.why}" for loss in report.losses]
    ignored = Counter((entry.directive, entry.why) for entry in report.entries if entry.outcome == "ignored")
    if ignored:
        parts.append("safely ignored:")
        parts += [f"    {name}{f' ({count} times)' * (count > 1)}: {why}" for (name, why), count in ignored.items()]
    return "\n".join([*parts, summary(report)])


def as_json(report: Report) -> str:
    """The report for programs: the numbers, then every directive."""
    numbers = {outcome: report.count(outcome) for outcome in ("mapped", "ignored", "unsupported")}
    whole = {"counts": numbers, "directives": report.entries, "problems": report.problems}
    return json.format(json.encode(whole), indent=2).decode()


Lose = Callable[[Address, str], None]
"""Told the address of what is lost, and why."""
