"""One page of the console: the frame that every page shares, and what it may ask of the console.

A page pulls: the console's clock hands it a Snapshot at ``hertz`` while it is on screen, and it asks the engine for
more if it needs more. ``pull`` runs in the loop that serves requests, so it must be cheap: compare, keep, refresh what
changed. A page never changes anything but through ``console.do``, ``edit`` and ``add``; these may ask the person, so
an action that awaits them is decorated with ``@work`` (textual.work): it then runs beside the message loop, which
would otherwise wait for itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from proxy_core.control.view import EngineView, Snapshot
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.fitted import Fitted
from rproxy_tui.widgets.frame import Banner, KeyHints, Masthead, StatusLine, banner, masthead, vital_signs, waiting


class Page(Fitted[None]):
    """A subclass gives ``heading``, ``key`` and ``body()``; its help is the Markdown file beside its module. ``pull``
    is called at ``hertz``, and once when the page comes on screen."""

    heading: ClassVar[str] = ""
    key: ClassVar[str] = ""
    hertz: ClassVar[float] = 5.0

    @property
    def help_text(self) -> str:
        """What the page is for, in Markdown."""
        file = sys.modules[type(self).__module__].__file__
        return Path(file or "").with_suffix(".md").read_text()

    @property
    def console(self) -> ConsoleVerbs:
        """The app, as a page knows it."""
        return cast(ConsoleVerbs, self.app)

    @property
    def engine(self) -> EngineView:
        return self.console.engine

    def compose(self) -> ComposeResult:
        """The frame round the body; subclasses write ``body``."""
        self.fit()
        yield Masthead()
        yield Banner()
        with Vertical(classes="body"):
            yield from self.body()
        yield StatusLine()
        yield KeyHints()

    def body(self) -> ComposeResult:
        """What is between the rows on top and the two at the bottom."""
        yield from ()

    def pull(self, snapshot: Snapshot) -> None:
        """Show this moment. Must be cheap, and must not await."""

    def go_to(self, name: str) -> None:
        """Put the cursor on the row or table of that name, where the page has such."""

    def action_back(self) -> None:
        """Leave a page that stands on another."""
        self.app.pop_screen()

    def action_time(self, seconds: float) -> None:
        """Show another moment, so many seconds later."""
        self.console.time.move(seconds, self.engine.snapshot().at)
        self.console.tick()

    def action_now(self) -> None:
        self.console.time.at = None
        self.console.tick()

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.console.tick)

    def show_frame(self, snapshot: Snapshot) -> None:
        """The rows round the body: what is now (``snapshot``), and the vital signs of the moment that is shown."""
        console, width = self.console, self.app.size.width
        file = Path(console.state.file).name
        self.query_one(Masthead).show(masthead(self.key, file, snapshot, console.read_only, width))
        moment = console.time.words(snapshot.at)
        signs = vital_signs(console.snapshot, console.governor.cost, width, console.link, moment)
        self.query_one(StatusLine).show(signs)
        pending = snapshot.pending
        trouble = (
            waiting(pending, snapshot.at, width)
            if pending is not None
            else banner(snapshot.saved, file, console.problems, width)
        )
        self.query_one(Banner).show(trouble)
        self.query_one(Banner).display = bool(trouble.plain)

    # What painting costs (see governor.py). Both names are Textual's; test_governor notices if they change.

    def _compositor_refresh(self) -> None:
        if self.console.stalled:  # nobody would see it; the whole screen is painted when the terminal reads again
            return
        with self.console.governor.painting():
            super()._compositor_refresh()

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        with self.console.governor.painting():
            super()._refresh_layout(size, scroll)
