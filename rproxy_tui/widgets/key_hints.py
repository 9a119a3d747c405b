"""The last row: which keys work here, and for a moment what the last command did.

Hints come from the bindings that are active, so they are never out of date and show remapped keys. A row that is too
narrow leaves out the last hints, not letters. The outcome of a command takes the row's place for some seconds: where
one looks for the next key, and without covering anything, as a toast would.
"""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.timer import Timer

from rproxy_tui.widgets.line import Line

NOTICE_SECONDS = 8.0
ALWAYS = ("help", "quit")


class KeyHints(Line):
    """Hints, or the notice that ``say`` was given last."""

    _notice: Timer | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def on_resize(self, _event: Resize) -> None:
        self._hint()

    def _changed(self, _screen: Screen[object]) -> None:
        self.call_after_refresh(self._hint)

    def say(self, notice: Content) -> None:
        """Show an outcome for some seconds instead of the hints."""
        if self._notice is not None:
            self._notice.stop()
        self._notice = self.set_timer(NOTICE_SECONDS, self._hush)
        self.show(notice)

    def _hush(self) -> None:
        self._notice = None
        self._hint()

    def _hint(self) -> None:
        if self._notice is not None or not self.is_attached:
            return
        shown = [active.binding for active in self.screen.active_bindings.values() if active.enabled]
        self.show(hints([(each, self.app.get_key_display(each)) for each in shown if each.show], self.size.width))


def hints(bindings: list[tuple[Binding, str]], width: int) -> Content:
    """``key what`` for each binding, the console's own keys last; one hint for keys that do the same.

    Where there is no room for all, those of ``ALWAYS`` stay: who is lost needs them most.
    """
    first: dict[str, tuple[Binding, str]] = {}
    for binding, key in bindings:
        if binding.description:
            first.setdefault(binding.action, (binding, key))
    shown = [
        (
            binding.id in ALWAYS,
            Content.assemble(" ", (key, "bold $text-accent"), " ", (binding.description, "$text-muted"), " "),
        )
        for binding, key in first.values()
    ]
    spare = width - sum(hint.cell_length for always, hint in shown if always)
    row = Content("")
    for always, hint in shown:
        if not always:
            if hint.cell_length > spare:
                continue
            spare -= hint.cell_length
        row = row + hint
    return row
