"""Six lines for whoever sees the console for the first time: what the keys are that one needs in the first minute.

Shown once for each user, which a file in the state folder remembers; any key takes them away. Where nothing can be
remembered they are not shown, for they would stand in the way each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static

from proxy_core.control.view import MemberLoad
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content

SEEN = "console-seen"
"""The file that says that a user has seen it."""


def lines(members: Sequence[MemberLoad]) -> tuple[tuple[str, str], ...]:
    """Keys, and what they are for."""
    count = f"{len(members)} member{'' if len(members) == 1 else 's'}"
    return (
        ("4", f"{count}: + and - shift weight, D drains"),
        ("2", "the log: f filters, enter opens a request"),
        ("w", "why a request went where it went"),
        ("[ ]", "back in time and on, on every page; 0: now"),
        ("u", "takes the last change back; 7 lists all"),
        ("?", "all keys of a page; : finds a command"),
    )


class FirstRunScreen(ModalScreen[None]):
    """The six lines, over the first page."""

    def compose(self) -> ComposeResult:
        snapshot = cast(ConsoleVerbs, self.app).snapshot
        rows = [Content.assemble((f"{key:>4}  ", "bold $text-accent"), what) for key, what in lines(snapshot.members)]
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = "the first time"
            sheet.border_subtitle = "any key begins"
            yield Static(Content("\n").join(rows))

    def on_key(self, event: Key) -> None:
        event.stop()
        self.dismiss()


def first_run(folder: Path) -> FirstRunScreen | None:
    """The screen, for a user who has not seen it yet; from now on it is seen. ``folder`` is the user's state folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / SEEN).touch(exist_ok=False)
    except OSError:  # it is there, or cannot be
        return None
    return FirstRunScreen()
