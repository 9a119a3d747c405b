"""The kept results as a picture: ``python -m benchmarks plot`` draws docs/performance.svg.

A small panel for each row: its ratios to Apache and to nginx over the commits that were measured, the oldest first. The
line across is 1, where both cost the same. The picture is written by hand: nothing is needed for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from math import log10
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.cpu import ratios
from benchmarks.machine import ROOT
from benchmarks.results import KEPT
from benchmarks.rows import ROWS

PICTURE = ROOT / "docs" / "performance.svg"
COLOURS = {"apache": "#c2410c", "nginx": "#15803d"}
COLUMNS, WIDTH, HEIGHT, MARGIN, GAP = 4, 190, 90, 10, 46
LOW, HIGH = 0.2, 20.0
"""Ratios that a panel shows, on a logarithmic scale; what is beyond stands at its edge, with its number beside it."""


class Point(NamedTuple):
    commit: str
    ratio: float


def series(results: Iterable[dict[str, Any]]) -> dict[str, dict[str, list[Point]]]:
    """By row and other proxy, the median ratio of each result that has both, in the order of their dates."""
    found: dict[str, dict[str, list[Point]]] = {}
    for result in sorted((one for one in results if one["what"] == "cpu"), key=lambda one: str(one["date"])):
        for row, figures in result["rows"].items():
            for other in COLOURS:
                if row in ROWS and figures.get(other):
                    point = Point(result["commit"], median(ratios(figures, other)))
                    found.setdefault(row, {}).setdefault(other, []).append(point)
    return {row: found[row] for row in ROWS if row in found}


def picture(found: dict[str, dict[str, list[Point]]]) -> str:
    lines = -(-len(found) // COLUMNS)
    width, height = COLUMNS * (WIDTH + MARGIN) + MARGIN, 30 + lines * (HEIGHT + GAP)
    legend = "".join(
        f'<text x="{MARGIN + 170 * number}" y="18" fill="{colour}">rproxy / {other}</text>'
        for number, (other, colour) in enumerate(COLOURS.items())
    )
    panels = []
    for number, (row, others) in enumerate(found.items()):
        line, column = divmod(number, COLUMNS)
        place = f"{MARGIN + column * (WIDTH + MARGIN)},{44 + line * (HEIGHT + GAP)}"
        panels.append(f'<g transform="translate({place})">{_panel(row, others)}</g>\n')
    drawn = "".join(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="11">\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n{legend}\n{drawn}</svg>\n'
    )


def _panel(row: str, others: dict[str, list[Point]]) -> str:
    one = _y(1.0)
    drawn = [
        f"<title>{escape(ROWS[row].says)}</title>",
        f'<text x="0" y="-4" font-weight="bold">{row}</text>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d4d4d4"/>',
        f'<line x1="0" x2="{WIDTH}" y1="{one:.1f}" y2="{one:.1f}" stroke="#d4d4d4" stroke-dasharray="3 3"/>',
    ]
    for other, points in others.items():
        colour, last = COLOURS[other], points[-1].ratio
        places = [(_x(number, len(points)), _y(point.ratio)) for number, point in enumerate(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
        drawn.append(f'<text x="{WIDTH - 34}" y="{places[-1][1] + 4:.1f}" fill="{colour}">{last:.2f}</text>')
    commits = [point.commit for point in max(others.values(), key=len)]
    names = commits[0] if len(commits) == 1 else f"{commits[0]} … {commits[-1]}"
    drawn.append(f'<text x="0" y="{HEIGHT + 12}" fill="#737373" font-size="9">{escape(names)}</text>')
    return "\n".join(drawn)


def _x(number: int, count: int) -> float:
    return 8 + number * (WIDTH - 52) / max(count - 1, 1)


def _y(ratio: float) -> float:
    share = (log10(min(max(ratio, LOW), HIGH)) - log10(LOW)) / (log10(HIGH) - log10(LOW))
    return HEIGHT * (1 - share)


def draw(folder: Path = KEPT, to: Path = PICTURE) -> str:
    results = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    found = series(results)
    if not found:
        raise SystemExit(f"no result of cpu is in {folder}: python -m benchmarks cpu --keep makes one")
    to.write_text(picture(found))
    return f"{len(found)} rows of {len(results)} results are drawn in {to}"
