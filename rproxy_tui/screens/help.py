"""Help: every key that works on the page, and what the page is for.

The table is made from the bindings in force, so it shows remapped keys and cannot be out of date. The last column is
the id by which ``[console] keys`` gives a binding another key.
"""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Markdown, Static

from rproxy_tui.content import Content

Row = tuple[str, str, str]
MARGIN = 4
"""Cells of the sheet's width that its border and padding take."""


def key_table(screen: Screen[object]) -> tuple[list[Row], list[Row]]:
    """Keys, what they do, and the id: those of the page, and those that work everywhere."""
    of_page: dict[str, Row] = {}
    everywhere: dict[str, Row] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or not binding.id:  # those of Textual's own screens have no id
            continue
        rows = everywhere if isinstance(active.node, App) else of_page
        key = screen.app.get_key_display(binding)
        if row := rows.get(binding.action):
            rows[binding.action] = (f"{row[0]} {key}", *row[1:])
        else:
            rows[binding.action] = (key, binding.tooltip or binding.description, binding.id or "")
    return list(of_page.values()), list(everywhere.values())


class HelpScreen(ModalScreen[None]):
    """The help of the screen that it is opened over."""

    BINDINGS = [
        Binding("escape,question_mark,q", "dismiss", "Close", id="help.close"),
        Binding("down,j", "scroll(1)", show=False, id="help.down"),
        Binding("up,k", "scroll(-1)", show=False, id="help.up"),
        Binding("pagedown,space", "scroll(10)", show=False, id="help.page-down"),
        Binding("pageup", "scroll(-10)", show=False, id="help.page-up"),
    ]

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._text: str = getattr(about, "help_text", "")
        self._heading: str = getattr(about, "heading", "") or "help"
        self._here, self._everywhere = key_table(about)

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self._heading
            sheet.border_subtitle = "esc closes"
            with VerticalScroll(can_focus=False):
                for heading, rows in (("Keys of this page", self._here), ("Keys everywhere", self._everywhere)):
                    if rows:
                        yield Static(table(heading, rows, int(self.app.size.width * 0.9) - MARGIN), classes="keys")
                if self._text:
                    yield Markdown(self._text)

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def table(heading: str, rows: list[Row], width: int) -> Content:
    """Three aligned columns under a heading; an id that has no room in ``width`` cells stands below what the key
    does."""
    keys, words = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [Content.styled(heading, "bold")]
    for key, what, name in rows:
        beside = keys + words + len(name) + 4 <= width
        text = f"{what:{words}}  " if beside else f"{what}\n{'':{keys + 2}}"
        lines.append(Content.assemble((f"{key:>{keys}}  ", "bold $text-accent"), text, (name, "$text-muted")))
    return Content("\n").join(lines)
