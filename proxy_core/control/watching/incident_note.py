"""The incident note: what was wrong, since when, and which edits were made, as text that a ticket takes.

It is a handful of files: README.md, a diff for each edit, charts as SVG, the failing requests as HAR. All of it is made
of plain data: what was found, generations, ten-second steps, finished requests. What is secret is masked; text from
outside is made printable and cannot become markup of another kind. Pure: no clock, no disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple

from msgspec import Struct

from proxy_core.balance.latency_histogram import percentiles
from proxy_core.control.view import Generation, MemberLoad
from proxy_core.control.watching import effects, trouble_words
from proxy_core.control.watching.har import har_text
from proxy_core.control.watching.log_records import Record, public
from proxy_core.control.watching.troubles import Trouble
from proxy_core.printable import printable, printable_lines
from proxy_core.runtime.last_hour import STEP, CellCounts, TenSeconds, merged
from proxy_core.secret_values import masked

MOST_ROWS = 20
"""Rows of a table."""
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 150, 56, 20
"""Of a chart, in pixels: with room for its axes."""


class NoteFacts(Struct, frozen=True, kw_only=True):
    """What a note is made of."""

    file: str
    """The site file."""
    at: float
    """Until when it tells, in seconds since the epoch."""
    since: float
    """From when on it tells."""
    troubles: tuple[Trouble, ...]
    """What is wrong."""
    generations: tuple[Generation, ...]
    """All that are kept, oldest first."""
    lines: Mapping[int, str]
    """The ctl line that does the same, by generation."""
    steps: Sequence[TenSeconds]
    """The last hour."""
    members: tuple[MemberLoad, ...]
    """Now."""
    failing: Sequence[Record]
    """Requests that ended with 5xx or were cut, oldest first."""


def files(facts: NoteFacts) -> dict[str, str]:
    """The texts of the note by their names."""
    steps = [each for each in facts.steps if facts.since < each.at <= facts.at]
    edits = [each for each in facts.generations if facts.since <= each.at <= facts.at and each.number > 1]
    found = {"README.md": _readme(facts, steps, edits)}
    found |= {f"g{each.number}.diff": _plain(each.diff) for each in edits if each.diff}
    marks = [(each.at, f"g{each.number}") for each in edits]
    found["failing.har"] = har_text(facts.failing)
    for name, values in _measures(steps).items():
        found[f"{name.split()[0]}.svg"] = chart(Series(name, values), facts.since, facts.at, marks)
    return found


def _readme(facts: NoteFacts, steps: Sequence[TenSeconds], edits: Sequence[Generation]) -> str:
    wrong = [f"- **{_line(trouble_words.sentence(each, facts.generations))}**" for each in facts.troubles]
    parts = [
        f"# {_line(facts.file)}, {_clock(facts.since, day=True)} to {_clock(facts.at)}",
        "## What is wrong",
        "\n".join(wrong or ["Nothing stands out of the numbers now."]),
        "## Edits",
        "\n\n".join(_edit(facts, each) for each in edits) or "None in this time.",
        "## Members",
        _table(("member", "state", "requests", "5xx", "p95"), _members(facts, steps)),
        "## Paths by errors",
        _table(("path", "requests", "5xx", "4xx", "p95"), _shapes(steps)),
        "## Failing requests",
        _table(("at", "status", "request", "member", "ms", "cause"), map(_request, facts.failing[-MOST_ROWS:])),
        "All that are kept are in [failing.har](failing.har).",
        "## Charts",
        "\n".join(f"![{name}]({name.split()[0]}.svg)" for name in _measures(steps)),
    ]
    return "\n\n".join(parts) + "\n"


def _edit(facts: NoteFacts, edit: Generation) -> str:
    lines = [f"**{_clock(edit.at)}, g{edit.number}, {_line(edit.author)}**: {_line(edit.sentence)}"]
    lines.append(f"- effect: {effects.sentence(edit.effect, edit.number) or 'not known'}")
    if line := facts.lines.get(edit.number):
        lines.append(f"- the same by hand: `{_code(line)}`")
    if edit.diff:
        lines.append(f"- [g{edit.number}.diff](g{edit.number}.diff)")
    return "\n".join(lines)


def _part(cell: CellCounts) -> str:
    return f"{100 * cell.errors / cell.requests:.1f}"


def _p95(cell: CellCounts) -> str:
    return f"{percentiles([cell.durations()])[1] * 1000:.0f}"


def _members(facts: NoteFacts, steps: Sequence[TenSeconds]) -> Iterator[tuple[str, ...]]:
    cells = _grouped(("/".join(key.member), cell) for step in steps for key, cell in step.cells if key.member)
    for load in facts.members:
        found = cells.get(f"{load.balancer}/{load.member}")
        state = load.ill or (load.status if load.status != "enabled" else load.health)
        name = f"{load.balancer}/{load.member}" if load.balancer else load.member
        yield (name, state, *(_counts(found) if found is not None else ("0", "", "")))


def _shapes(steps: Sequence[TenSeconds]) -> Iterator[tuple[str, ...]]:
    cells = _grouped((key.shape, cell) for step in steps for key, cell in step.cells)
    worst = sorted(cells.items(), key=lambda each: (-each[1].errors, -each[1].status_4xx, -each[1].requests))
    for shape, cell in worst[:MOST_ROWS]:
        requests, errors, p95 = _counts(cell)
        yield shape, requests, errors, f"{100 * cell.status_4xx / cell.requests:.1f} %", p95


def _grouped(cells: Iterable[tuple[str, CellCounts]]) -> dict[str, CellCounts]:
    groups: dict[str, list[CellCounts]] = {}
    for key, cell in cells:
        groups.setdefault(key, []).append(cell)
    return {key: merged(found) for key, found in groups.items()}


def _counts(cell: CellCounts) -> tuple[str, str, str]:
    return f"{cell.requests:,.0f}", f"{_part(cell)} %", f"{_p95(cell)} ms"


def _request(seen: Record) -> tuple[str, ...]:
    record = public(seen)
    whom = f"{record.balancer}/{record.member}" if record.balancer else record.member
    asked = f"{record.method} {record.host}{record.target}"
    return _clock(record.at), str(record.status), asked, whom, f"{record.total * 1000:.0f}", record.cause


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) if lines else "None."


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    """A text from outside in a line of Markdown: masked, printable, and no markup."""
    return escape(printable(masked(text)), quote=False).replace("`", "'").replace("[", "\\[").replace("*", "\\*")


def _code(text: str) -> str:
    return printable(masked(text)).replace("`", "'")


def _plain(text: str) -> str:
    return printable_lines("\n".join(map(masked, text.split("\n"))))


def _clock(at: float, day: bool = False) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z" if day else "%H:%M:%S")


# ---- charts


class Series(NamedTuple):
    """Something that was measured: its name with its unit, and (time, value) pairs, oldest first."""

    name: str
    values: Sequence[tuple[float, float]]


def _measures(steps: Sequence[TenSeconds]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {"requests a second": [], "errors a second": [], "p95 in ms": []}
    for step in steps:
        whole = merged(cell for _, cell in step.cells)
        found["requests a second"].append((step.at, whole.requests / STEP))
        found["errors a second"].append((step.at, whole.errors / STEP))
        if whole.requests:
            found["p95 in ms"].append((step.at, percentiles([whole.durations()])[1] * 1000))
    return found


def chart(series: Series, begin: float, end: float, marks: Iterable[tuple[float, str]]) -> str:
    """A line over time as SVG, with a mark for each edit; a title says what it is to who cannot see it."""
    top = max((value for _, value in series.values), default=0.0) or 1.0
    span = max(end - begin, 1.0)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT) * (at - begin) / span

    def y(value: float) -> float:
        return 16 + (HEIGHT - BOTTOM - 16) * (1 - value / top)

    points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in series.values)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><title>{escape(series.name)}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="4" y="12">{escape(series.name)}</text>',
        f'<text x="{LEFT - 4}" y="{y(top) + 4:.0f}" text-anchor="end">{top:.4g}</text>',
        f'<text x="{LEFT - 4}" y="{y(0):.0f}" text-anchor="end">0</text>',
        f'<path d="M{LEFT} 16V{y(0):.0f}H{WIDTH}" fill="none" stroke="#999"/>',
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>',
    ]
    for part in range(5):
        at = begin + span * part / 4
        anchor = "start" if part == 0 else "end" if part == 4 else "middle"
        lines.append(f'<text x="{x(at):.0f}" y="{HEIGHT - 4}" text-anchor="{anchor}">{_clock(at)}</text>')
    for at, name in marks:
        lines.append(f'<path d="M{x(at):.1f} 16V{y(0):.0f}" stroke="#c30" stroke-dasharray="3 2"/>')
        lines.append(f'<text x="{x(at) + 2:.1f}" y="24" fill="#c30">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
