"""A screen that is laid out once for a size.

Textual (screen.py) lays a new screen out when it comes up, again for the event that tells it the same size, and a third
time for the classes of its breakpoints, which that event brings. Here the classes are there before anything is
composed, and a size that a screen has already is no news to it.
"""

from __future__ import annotations

from textual.geometry import Size
from textual.screen import Screen, ScreenResultType


class Fitted(Screen[ScreenResultType]):
    """``fit`` is to be called before anything is composed. Among the bases of a dialog it stands behind ModalScreen:
    Textual gives a class the styles of its first base."""

    def fit(self) -> None:
        """Take the classes that the breakpoints give for the size of the terminal."""
        app, size = self.app, self.app.size
        for length, own, common in (
            (size.width, self.HORIZONTAL_BREAKPOINTS, app.HORIZONTAL_BREAKPOINTS),
            (size.height, self.VERTICAL_BREAKPOINTS, app.VERTICAL_BREAKPOINTS),
        ):
            reached = [each for each in (common if own is None else own) or () if each[0] <= length]
            if reached:
                self.add_class(max(reached)[1])

    def _screen_resized(self, size: Size) -> None:  # Textual's name; test_fitted notices if it changes
        if size != self._size:
            super()._screen_resized(size)
