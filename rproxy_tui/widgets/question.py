"""One line to ask what would become of a request, answered by the engine's own rules while one types.

The line is that of ``rproxy explain``: a URL or a path is enough, a method, a client and fields may be added. Nothing
is sent to any member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace
from textual import events, work
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from proxy_core.control.explaining.question_line import asked
from proxy_core.control.view import EngineView, Explanation

PAUSE = 0.15
"""Seconds without a key before the rules are asked."""
EXAMPLE = "/path or URL; also  POST /path --client 192.0.2.7 -H 'Cookie: a=b'"


class QuestionLine(Input):
    """Posts ``Answered`` when there is an answer. ``leave`` is called at once when the person is done typing, so that
    the next key is not typed as well."""

    BINDINGS = [Binding("escape", "leave", "Back", key_display="esc", id="question.back")]

    class Answered(Message):
        """``explanation`` is None where nothing was asked, or where ``wrong`` says what is wrong with the line."""

        def __init__(self, explanation: Explanation | None, wrong: str = "") -> None:
            super().__init__()
            self.explanation, self.wrong = explanation, wrong

    def __init__(self, engine: EngineView, leave: Callable[[], None], text: str = "") -> None:
        super().__init__(text, placeholder=EXAMPLE, compact=True, select_on_focus=False)
        self._engine, self._leave, self._entered = engine, leave, text.strip()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.ask(PAUSE)

    async def action_submit(self) -> None:
        self._entered = self.value.strip()
        self.ask()
        self._leave()

    def action_leave(self) -> None:
        self._leave()

    def on_focus(self, _event: events.Focus) -> None:
        self.cursor_position = len(self.value)

    @work(exclusive=True, group="ask")
    async def ask(self, pause: float = 0.0) -> None:
        """Ask what is in the line now: programs and databases only for what was entered."""
        await asyncio.sleep(pause)
        line = self.value.strip()
        if not line:
            self.post_message(self.Answered(None))
            return
        try:
            question = replace(asked(line), unfinished=line != self._entered)
            answer = self.Answered(await self._engine.explain(question))
        except ValueError as error:
            answer = self.Answered(None, str(error))
        self.post_message(answer)
