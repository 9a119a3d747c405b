"""Keys that work on every page.

Each binding has an id: ``[console] keys = { undo = "ctrl+z" }`` in the site file gives it another key, through
Textual's keymap. No key may suspend the process: a stopped process serves nobody. A page adds its own bindings,
also with ids, in its class.
"""

from __future__ import annotations

from textual.binding import Binding

PAGES = {
    "1": "dashboard", "2": "traffic", "3": "routes", "4": "balancers", "5": "rewrites", "6": "maps", "7": "history",
}  # fmt: skip
"""The pages' keys and ids in the order of the tabs."""

SHARED: list[Binding | tuple[str, str] | tuple[str, str, str]] = [
    Binding("u", "undo", "Undo", id="undo", tooltip="take the last change back"),
    Binding("U", "redo", "Redo", id="redo", show=False, tooltip="do again what was undone last"),
    Binding("p", "problems", "Problems", id="problems", show=False, tooltip="list what is wrong and what to do"),
    Binding("y", "keep", "Keep it", id="keep", priority=True, tooltip="keep the change that waits to be confirmed"),
    Binding("n", "take_back", "Take it back", id="take_back", priority=True, tooltip="take that change back now"),
    Binding(
        "y",
        "copy_ctl",
        "Copy ctl line",
        id="copy_ctl",
        show=False,
        tooltip="copy the rproxy ctl line of the last change",
    ),
    Binding("left_square_bracket", "screen.time(-10)", "Back", show=False, id="time.back", tooltip="show 10 s earlier"),
    Binding("right_square_bracket", "screen.time(10)", "On", show=False, id="time.on", tooltip="show 10 s later"),
    Binding(
        "left_curly_bracket", "screen.time(-300)", "Far back", show=False, id="time.far_back", tooltip="5 min earlier"
    ),
    Binding("right_curly_bracket", "screen.time(300)", "Far on", show=False, id="time.far_on", tooltip="5 min later"),
    Binding("0", "screen.now", "Now", show=False, id="time.now", tooltip="show what is now"),
    Binding("f3", "rule_tests", "Tests", id="rule_tests", show=False, tooltip="what comes of [[tests]]"),
    Binding(
        "exclamation_mark", "note", "Note", id="note", show=False, tooltip="write a note of the last hour, for a ticket"
    ),
    Binding("W", "explain", "Why", id="explain", show=False, tooltip="tell where a request would go, and why"),
    Binding("question_mark", "help", "Help", id="help", tooltip="this page"),
    Binding("colon,ctrl+p", "command_palette", "Commands", id="palette", tooltip="find a command"),
    Binding("q,ctrl+c,ctrl+q", "leave", "Quit", id="quit", tooltip="leave the console"),
    *(Binding(key, f"page('{key}')", name.title(), id=name, show=False) for key, name in PAGES.items()),
]
