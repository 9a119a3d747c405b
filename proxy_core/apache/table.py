"""What the tables of handlers share: the shape of a handler, and readers of common values.

A handler puts what a directive says into the draft; it raises Unsupported or Ignored, or says ``here.lose`` where a
part is lost. Readers raise Unsupported for what is no such value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.apache.draft import Here, Unsupported
from proxy_core.apache.lexer import Directive

Handler = Callable[[Here, Directive], None]


def text(said: Directive) -> str:
    """The first word."""
    if not said.args:
        raise Unsupported("it says nothing: a value is missing")
    return said.args[0]


def on(said: Directive) -> bool:
    """On or Off."""
    word = text(said).lower()
    if word not in ("on", "off"):
        raise Unsupported("it is On or Off")
    return word == "on"


def number(said: Directive) -> int:
    if not text(said).isdigit():
        raise Unsupported("it needs a number")
    return int(text(said))


_UNITS = {"ms": 0.001, "mi": 60.0, "min": 60.0, "m": 60.0, "s": 1.0, "h": 3600.0, "": 1.0}


def span(word: str, unit: str = "s") -> float:
    """A span of time in seconds: "5", "500ms", "2min" (``ap_timeout_parameter_parse``). ``unit`` is that of a bare
    number."""
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    factor = _UNITS.get(word[len(digits) :] or unit)
    if not digits.isdigit() or factor is None:
        raise Unsupported(f'"{word}" is no span of time')
    return int(digits) * factor


def seconds(said: Directive) -> float:
    return span(text(said).lower())


def option(name: str, value: Callable[[Directive], Any]) -> Handler:
    """A directive with one value for a whole server."""

    def handler(here: Here, said: Directive) -> None:
        here.server_only()
        here.server.options[name] = (value(said), said)

    return handler


def setting(name: str, value: Callable[[Directive], Any]) -> Handler:
    """A directive with one value for a whole server, or for a section: a key of [[locations]]."""

    def handler(here: Here, said: Directive) -> None:
        if here.section is None:
            return option(name, value)(here, said)
        row = here.location(said)
        row.content[name] = value(said)
        row.origins.append(said)

    return handler


def choice(words: dict[str, Any]) -> Callable[[Directive], Any]:
    """One of these words, in any case."""

    def read(said: Directive) -> Any:
        word = text(said).lower()
        if word not in words:
            raise Unsupported(f"it is one of {', '.join(words)}")
        return words[word]

    return read
