"""One page of the console: the frame that every page shares, and what it may ask of the console.

A page pulls: the console's clock hands it a Snapshot at ``hertz`` while it is on screen, and it asks the engine for
more if it needs more. ``pull`` runs in the loop that serves requests, so it must be cheap: compare, keep, refresh what
changed. A page never changes anything but through ``console.do``, ``edit`` and ``add``; these may ask the person, so
an action that awaits them is decorated with ``@work`` (textual.work): it then runs beside the message loop, which
would otherwise wait for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from proxy_core.control.view import EngineView, Snapshot
from rproxy_tui.widgets.key_hints import KeyHints
from rproxy_tui.widgets.status_line import Masthead, StatusLine

if TYPE_CHECKING:
    from rproxy_tui.app import ConsoleApp


class Page(Screen[None]):
    """A subclass gives ``heading``, ``key``, ``help_text`` (Markdown) and ``body()``; ``pull`` is called at
    ``hertz``, and once when the page comes on screen."""

    heading: ClassVar[str] = ""
    key: ClassVar[str] = ""
    hertz: ClassVar[float] = 5.0
    help_text: ClassVar[str] = ""

    @property
    def console(self) -> ConsoleApp:
        """The app, typed."""
        return cast("ConsoleApp", self.app)

    @property
    def engine(self) -> EngineView:
        return self.console.engine

    def compose(self) -> ComposeResult:
        """The frame round the body; subclasses write ``body``."""
        yield Masthead()
        with Vertical(classes="body"):
            yield from self.body()
        yield StatusLine()
        yield KeyHints()

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.console.tick)

    def body(self) -> ComposeResult:
        """What is between the two lines on top and the two at the bottom."""
        yield from ()

    def pull(self, snapshot: Snapshot) -> None:
        """Show this moment. Must be cheap, and must not await."""
