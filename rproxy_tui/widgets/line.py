"""One row of text that is painted only when it changes.

The frame's rows (masthead, vital signs, key hints) share it. Text is a list of parts so that a row that is too narrow
gives up what matters least instead of being cut at the end: see ``fit``.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a row. ``forms`` go from the fullest to the shortest (which may be empty: the part can be left
    out); among parts the one with the lowest ``worth`` gives way first."""

    worth: int
    forms: tuple[Content, ...]


def fit(parts: list[Part], width: int, gap: str = "  ") -> Content:
    """The fullest row of ``parts`` that is not wider than ``width`` cells, or the shortest there is."""
    chosen = [0] * len(parts)

    def row() -> Content:
        return Content(gap).join(part.forms[n] for part, n in zip(parts, chosen, strict=True) if part.forms[n].plain)

    while (line := row()).cell_length > width:
        shrinkable = [n for n, part in enumerate(parts) if chosen[n] < len(part.forms) - 1]
        if not shrinkable:
            break
        chosen[min(shrinkable, key=lambda n: parts[n].worth)] += 1
    return line


def heading(text: str) -> Content:
    """The line above a block of text."""
    return Content.styled(text, "bold $text-accent")


class Line(Widget):
    """A row; ``show`` paints it anew when the text differs."""

    ALLOW_SELECT = False

    content = Content("")

    def show(self, content: Content) -> None:
        if content != self.content:
            self.content = content
            self.refresh()

    def render(self) -> Content:
        return self.content
