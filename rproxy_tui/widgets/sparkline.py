"""Small pictures of numbers in one line of text: sparklines and bars.

Pure functions from numbers to block characters, which common fonts have. A picture that moves with time is cut into
columns at absolute times, never counted back from now: a column once drawn then only walks to the left and does not
change its height from second to second.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

BLOCKS = " ▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"


def columns(values: Sequence[float], width: int, span: int, end: int) -> list[float]:
    """The greatest value of each column, when ``span`` seconds are drawn in ``width`` columns, oldest first.

    ``values`` holds one number for each second, and the last one belongs to the second ``end``; seconds before the
    first are -1, as are columns that nothing was measured in.
    """
    each = max(1, -(-span // max(1, width)))
    last = end // each
    drawn = [-1.0] * width
    for back, value in enumerate(reversed(values)):
        column = width - 1 - (last - (end - back) // each)
        if column < 0:
            break
        if value > drawn[column]:
            drawn[column] = value
    return drawn


def sparkline(values: Sequence[float], width: int, end: int, span: int = 60) -> str:
    """``width`` block characters, scaled to the greatest value; a second with nothing in it is blank."""
    drawn = columns(values, width, span, end)
    top = max(drawn, default=0)
    if top <= 0:
        return " " * width
    return "".join(BLOCKS[ceil(value * 8 / top)] if value > 0 else " " for value in drawn)


def bar(fraction: float, width: int, mark: float | None = None) -> str:
    """``fraction`` (0 to 1) of ``width`` cells filled, to an eighth of a cell; ``mark`` sets a line at a fraction."""
    eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    cells = list(("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width))
    if mark is not None:
        cells[min(int(mark * width), width - 1)] = "┃"
    return "".join(cells)
