"""A table drawn by hand, for what changes many times a second.

Textual's DataTable costs a quarter of a core for twenty moving rows. This one uses the Line API: only visible rows are
drawn, a row becomes a Strip once for each state that it is shown in, nothing asks for a layout, and no style is
dim text (Textual works that out cell by cell). What is visible is worked out by ``Window``, which knows no terminal, so
that its rules can be tested as such.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rproxy_tui.words import cells, clip, pad

Row = TypeVar("Row")
Cell = tuple[tuple[str, str], ...]
"""Pieces of text with the name of their style ("" = as the row); together never wider than asked for."""

STYLES = ("muted", "good", "warning", "error", "accent", "found", "heading")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table, whatever its rows are."""

    title: str
    """Its heading."""
    width: int
    """How many cells it takes at least."""
    cell: Callable[[Row, int], Cell]
    """What it shows of a row in a width."""
    priority: int = 0
    """The greatest is left out first where the width does not suffice; 0 stays."""
    right: bool = False
    """Whether it is aligned to the right."""
    grow: int = 0
    """Its part of what is left over, in proportion to the others'."""
    most: int = 1000
    """How many cells it takes at most."""
    order: Callable[[Row], float] | None = None
    """The number that rows are sorted by, the greatest first; None for its text."""


def fitted(columns: Sequence[Column[Row]], width: int) -> tuple[tuple[Column[Row], int], ...]:
    """The columns that fit into ``width`` cells with a space between them, each with its own width."""
    kept = list(columns)
    while len(kept) > 1 and sum(column.width + 1 for column in kept) - 1 > width:
        least = max(kept, key=lambda column: column.priority)
        if not least.priority:
            break
        kept.remove(least)
    widths = {column.title: column.width for column in kept}
    spare = max(0, width - sum(widths.values()) - len(kept) + 1)
    growing = sorted((column for column in kept if column.grow), key=lambda column: column.most - column.width)
    for number, column in enumerate(growing):
        share = spare * column.grow // sum(other.grow for other in growing[number:])
        share = min(share, column.most - column.width)
        widths[column.title] += share
        spare -= share
    return tuple((column, widths[column.title]) for column in kept)


@dataclass(slots=True)
class Window:
    """Which rows of a list are visible and which one the cursor is on. ``height`` is the number of visible rows."""

    count: int = 0
    height: int = 1
    top: int = 0
    cursor: int = 0

    def fit(self) -> None:
        """Bring cursor and top back into the list, and the cursor into sight."""
        self.cursor = max(0, min(self.cursor, self.count - 1))
        self.top = min(self.top, self.cursor)
        self.top = max(self.top, self.cursor - self.height + 1)
        self.top = max(0, min(self.top, self.count - self.height))

    def move(self, delta: int) -> None:
        self.cursor += delta
        self.fit()

    def scroll(self, delta: int) -> None:
        """Move what is visible, and the cursor only when it would leave sight."""
        self.top = max(0, min(self.top + delta, self.count - self.height))
        self.cursor = max(self.top, min(self.cursor, self.top + self.height - 1))


def marked(cell: Cell, sought: str) -> Cell:
    """The cell with what is searched for (in lower case) in the style ``found``."""
    pieces: list[tuple[str, str]] = []
    for text, style in cell:
        lower, start = text.lower(), 0
        while len(lower) == len(text) and (found := lower.find(sought, start)) >= 0:
            pieces += [(text[start:found], style), (text[found : found + len(sought)], "found")]
            start = found + len(sought)
        pieces.append((text[start:], style))
    return tuple(piece for piece in pieces if piece[0]) or cell


class LineTable(Widget, Generic[Row]):
    """A subclass gives ``columns``, ``count`` and ``row``, and calls ``changed`` when they moved on. A row that should
    be drawn anew has another ``version``."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", *(f"table--{name}" for name in STYLES)}
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="page_down"),
        Binding("home,g", "first", "First", show=False, id="first"),
        Binding("end,G", "last", "Last", show=False, id="last"),
    ]
    columns: Sequence[Column[Row]] = ()

    class Moved(Message):
        """The cursor is on another row, or other rows are in sight."""

    class Chosen(Message):
        """Enter, or a click on the row under the cursor."""

    empty = ""
    """What to do about it, when there are no rows."""
    sought = ""
    """What is marked wherever it appears, in lower case."""

    def __init__(self, *, selectable: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.can_focus = selectable
        self.selectable = selectable
        self.window = Window()
        self._fitted: tuple[tuple[Column[Row], int], ...] = ()
        self._looks: dict[str, Style] = {}
        self._strips: dict[Hashable, Strip] = {}
        self._drawn: list[Strip] = []
        self._size_drawn = Size(0, 0)

    # what a subclass gives

    @property
    def count(self) -> int:
        """How many rows there are."""
        return 0

    def row(self, at: int) -> Row:
        """The row at a place, from 0."""
        raise NotImplementedError

    def version(self, row: Row) -> Hashable:
        """What the picture of a row depends on, apart from width and theme."""
        return row

    def moved(self) -> None:
        """The person has moved the cursor."""
        self.post_message(self.Moved())

    def heading(self, column: Column[Row]) -> str:
        """What stands above a column."""
        return column.title

    def sort_by(self, title: str) -> None:
        """The heading of a column was clicked."""

    # drawing

    def changed(self) -> None:
        """Draw what has changed since the last time, line by line."""
        before = self._drawn
        self._draw()
        if len(before) != len(self._drawn):
            self.refresh()
            return
        differ = [y for y, strip in enumerate(self._drawn) if strip is not before[y]]
        if differ:
            self.refresh(Region(0, differ[0], self.size.width, differ[-1] - differ[0] + 1))

    def redraw(self) -> None:
        """Forget every picture: the theme or what is searched for has changed."""
        self._looks = {}
        self._drawn = []
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        if not self._drawn or self._size_drawn != self.size:
            self._draw()
        strips = self._drawn[crop.y : crop.bottom]
        for line_filter in self.get_line_filters():
            background = self.background_colors[1]
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        if crop.column_span != (0, self.size.width):
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def _draw(self) -> None:
        width, height = self.size
        if not self._looks or self._size_drawn.width != width:
            self._look_up(width)
        self._size_drawn = self.size
        window, count, strips = self.window, self.count, self._strips
        window.count, window.height = count, max(1, height - 1)
        window.fit()
        if len(strips) > 4 * max(100, height):
            strips.clear()
        drawn = [self._strip(None)]
        cursor = window.cursor if self.selectable and self.has_focus else -1
        for index in range(window.top, min(window.top + height - 1, count)):
            row = self.row(index)
            drawn.append(self._under_cursor(row) if index == cursor else self._strip(row))
        if not count:
            drawn += [self._text(line, "muted") for line in self._empty_lines(width)]
        self._drawn = (drawn + [self._text("", "")] * (height - len(drawn)))[:height]

    def _look_up(self, width: int) -> None:
        """Take the theme's styles and the columns that fit."""
        self._looks = {name: self.get_component_rich_style(f"table--{name}") for name in STYLES}
        self._looks[""] = self.rich_style
        under = self.get_component_rich_style("table--cursor")
        self._looks["cursor"] = Style(bgcolor=under.bgcolor, bold=under.bold, reverse=under.reverse)
        self._fitted = fitted(self.columns, width)
        self._strips.clear()

    def _strip(self, row: Row | None) -> Strip:
        """The picture of a row, of the headings for None."""
        key = self.version(row) if row is not None else None
        strip = self._strips.get(key)
        if strip is not None:
            return strip
        looks, left = self._looks, self.size.width
        segments: list[Segment] = []
        for column, width in self._fitted:
            cell: Cell = ((clip(self.heading(column), width), "heading"),) if row is None else column.cell(row, width)
            if self.sought and row is not None:
                cell = marked(cell, self.sought)
            left -= width + 1
            space = " " if left >= 0 else ""
            if len(cell) == 1 and cell[0][1] != "found":
                text, style = cell[0]
                segments.append(Segment(pad(text, width, column.right) + space, looks[style]))
                continue
            gap = " " * (width - sum(cells(text) for text, _ in cell))
            before, after = (gap, space) if column.right else ("", gap + space)
            segments += [Segment(text, looks[style]) for text, style in ((before, ""), *cell, (after, "")) if text]
        if left > 0:
            segments.append(Segment(" " * left, looks[""]))
        strip = Strip(segments, self.size.width) if left >= -1 else self._text("", "")
        self._strips[key] = strip
        return strip

    def _under_cursor(self, row: Row) -> Strip:
        key = ("cursor", self.version(row))
        strip = self._strips.get(key)
        if strip is None:
            look, plain = self._looks["cursor"], self._looks[""]
            strip = Strip([Segment(text, (style or plain) + look) for text, style, _ in self._strip(row)])
            self._strips[key] = strip
        return strip

    def _text(self, text: str, style: str) -> Strip:
        """A line of its own."""
        key, width = ("text", text, style), self.size.width
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = Strip([Segment(pad(clip(text, width), width), self._looks[style])], width)
        return strip

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 1 + (self.count or len(self._empty_lines(width)))

    def _empty_lines(self, width: int) -> list[str]:
        """What an empty table says, in lines of that width."""
        return [line for sentence in self.empty.splitlines() for line in wrap(sentence, max(1, width)) or [""]]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    def on_focus(self) -> None:
        self.changed()

    def on_blur(self) -> None:
        self.changed()

    # moving

    def action_move(self, delta: int) -> None:
        self.window.move(delta)
        self.moved()
        self.changed()

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self.window.height - 1))

    def action_first(self) -> None:
        self.action_move(-self.window.count)

    def action_last(self) -> None:
        self.action_move(self.window.count)

    def action_choose(self) -> None:
        if self.window.count:
            self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        index = self.window.top + event.y - 1
        if event.y == 0:
            self._click_heading(event.x)
        if self.selectable and event.y > 0 and index < self.window.count:
            again = index == self.window.cursor and self.has_focus
            self.action_move(index - self.window.cursor)
            if again:
                self.action_choose()

    def _click_heading(self, x: int) -> None:
        end = 0
        for column, width in self._fitted:
            end += width + 1
            if x < end:
                return self.sort_by(column.title)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, -3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 3)

    def _wheel(self, event: events.MouseEvent, delta: int) -> None:
        if not self.selectable:
            return
        event.stop()
        self.window.scroll(delta)
        self.moved()
        self.changed()
