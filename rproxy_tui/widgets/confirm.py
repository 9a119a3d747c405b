"""A question before something that hurts.

The blast radius is in the question or its detail ("14 in flight; the others go from 38 % to 57 %"), written by the
caller; the safe answer has the focus, so that a second Enter by habit does no harm. ``y`` and ``n`` answer too.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Choice(ModalScreen[str]):
    """Ends with the key of the chosen answer, "" for none. ``answers`` are (key, label); the last is the safe one."""

    BINDINGS = [
        Binding("escape", "choose('')", "Cancel", id="choice.cancel"),
        Binding("left,up,h", "app.focus_previous", show=False, id="choice.previous"),
        Binding("right,down,l", "app.focus_next", show=False, id="choice.next"),
    ]

    def __init__(self, question: str, detail: str, answers: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._question, self._detail, self._answers = question, detail, answers
        for key, _label in answers:
            self._bindings.bind(key, f"choose('{key}')", show=False)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="question", markup=False)
            if self._detail:
                yield Static(self._detail, classes="detail", markup=False)
            with Horizontal(classes="answers") if len(self._answers) <= 2 else Vertical(classes="answers"):
                for key, label in self._answers:
                    yield Button(f"{label} ({key})", id=f"answer-{key}", compact=True)

    def on_mount(self) -> None:
        self.query(Button).last().focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_choose((event.button.id or "").removeprefix("answer-"))

    def action_choose(self, key: str) -> None:
        self.dismiss(key)
