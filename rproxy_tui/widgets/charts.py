"""Pictures of numbers: sparklines and bars in a line of text, and charts of the last two minutes.

Numbers become block characters, which common fonts have, by pure functions. A picture that moves with time is cut into
columns at absolute times, never counted back from now: a column once drawn then only walks to the left and does not
change its height from second to second. A chart is painted once a second, when a second is closed, and its scale goes
in round steps. What an edit did to the traffic is seen by the mark under it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from math import ceil, floor, log10

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from proxy_core.control.view import Second
from rproxy_tui.words import pad

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


SPAN = 120
"""Seconds that a chart shows."""


def ceiling(value: float) -> float:
    """The top of the scale: the next of 1, 2, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def bars(drawn: Sequence[float], height: int) -> list[str]:
    """Rows of block characters, the top one first; what is above zero shows at least an eighth."""
    top = ceiling(max(drawn, default=0.0))
    eighths = [max(1, round(value / top * height * 8)) if value > 0 else 0 for value in drawn]
    return ["".join(BLOCKS[min(8, max(0, level - 8 * row))] for level in eighths) for row in range(height - 1, -1, -1)]


def axis(seconds: Sequence[Second], width: int) -> str:
    """The line under the bars: ``▲12`` where generation 12 was applied (``12▲`` at the right end), ``─`` elsewhere. A
    mark that has no room for its number before the next one stands alone: two numbers never become another one."""
    cells, free = ["─"] * width, width
    if seconds:
        marks = columns([float(second.generation) for second in seconds], width, SPAN, int(seconds[-1].at))
        for place in range(width - 1, -1, -1):
            if marks[place] > 0:
                label = f"▲{marks[place]:.0f}"
                if place + len(label) > free:
                    last = free == width and len(label) < width
                    place, label = (width - len(label), label[1:] + label[0]) if last else (place, "▲")
                if place < free:
                    cells[place : place + len(label)] = label
                    free = place - (label[0] != "▲")
    return "".join(cells)


class Chart(Widget):
    """``read`` takes the number out of a second (-1: not measured) and ``say`` words it for the title."""

    COMPONENT_CLASSES = {"chart--title", "chart--number", "chart--bars", "chart--axis", "chart--edit"}
    ALLOW_SELECT = False

    def __init__(
        self, title: str, read: Callable[[Second], float], say: Callable[[float], str], *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._title, self._read, self._say = title, read, say
        self._seconds: tuple[Second, ...] = ()
        self._strips: list[Strip] = []

    def show(self, seconds: tuple[Second, ...]) -> None:
        """Draw these seconds, oldest first, unless they are drawn already."""
        if seconds[-1:] != self._seconds[-1:] or not self._strips:
            self._seconds = seconds
            self._strips = []
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = []

    def on_resize(self) -> None:
        self._strips = []

    def render_lines(self, crop: Region) -> list[Strip]:
        if len(self._strips) != self.size.height:
            self._strips = self._draw()
        strips, background = self._strips[crop.y : crop.bottom], self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def _draw(self) -> list[Strip]:
        width, height = self.size
        look = self.get_component_rich_style
        values = [self._read(second) for second in self._seconds]
        end = int(self._seconds[-1].at) if self._seconds else 0
        numbers = f"{self._say(values[-1])}  peak {self._say(max(values))}" if values else ""
        room = max(0, width - len(numbers))
        rows = [[(pad(self._title[:room], room), "chart--title"), (numbers, "chart--number")]]
        rows += [[(row, "chart--bars")] for row in bars(columns(values, width, SPAN, end), max(1, height - 2))]
        rows.append(
            [(run, f"chart--{'axis' if run[0] == '─' else 'edit'}") for run in _runs(axis(self._seconds, width))]
        )
        return [Strip([Segment(text, look(style)) for text, style in row], width) for row in rows[:height]]


def _runs(line: str) -> list[str]:
    """An axis cut where line and label meet."""
    return ["".join(run) for _, run in groupby(line, lambda character: character == "─")]
