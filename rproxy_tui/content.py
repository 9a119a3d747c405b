"""Text for widgets: Textual's Content, but what it is made of is made printable first.

Every page, dialog and row builds its text with this one and never hands a plain ``str`` from outside to a widget, which
might take it for markup. Textual's own drops some control characters after it has counted them, so that styles point
past the end, and lets the others through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.content import Content as TextualContent

from proxy_core.printable import printable_lines

if TYPE_CHECKING:  # what is made of one, by joining or styling, is Textual's again
    Content = TextualContent
else:

    class Content(TextualContent):
        """Line ends and tabs stay: a text may have several lines."""

        def __init__(self, text: str = "", *more: Any, **named: Any) -> None:
            super().__init__(printable_lines(text), *more, **named)

        @classmethod
        def styled(cls, text: str, *more: Any, **named: Any) -> TextualContent:
            return super().styled(printable_lines(text), *more, **named)

        @classmethod
        def assemble(cls, *parts: Any, **named: Any) -> TextualContent:
            return super().assemble(*map(_printable_part, parts), **named)

        @classmethod
        def from_markup(cls, markup: Any, **variables: object) -> TextualContent:
            return super().from_markup(markup, **{name: printable_lines(str(each)) for name, each in variables.items()})


def _printable_part(part: Any) -> Any:
    """A part of ``assemble``: a text, a text with its style, or content."""
    if isinstance(part, str):
        return printable_lines(part)
    return (printable_lines(part[0]), part[1]) if isinstance(part, tuple) else part
