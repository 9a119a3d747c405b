"""The tokens of httpd's expression language, read on demand.

What a character means depends on where it stands (server/util_expr_scan.l keeps a stack of states for it). So the
parser asks for the next token, or for a text or a pattern from there on, and there is no list of tokens. Outside of
texts the longest token wins, as with flex. Positions are those of the configured text, so that an error points at what
the operator wrote. Texts leave here with one character for each byte.
"""

from __future__ import annotations

import re

from proxy_core.http.target import as_bytes_text

NESTING = 20
"""Levels that brackets of all kinds may be nested; httpd stops evaluating at the same depth."""

SEPARATORS = "/#$%^|?!'\",;:.-"
"""What a pattern may stand between."""

_BLANKS = (" ", "\t", "\n")
_TOKEN = re.compile(
    r"[A-Za-z][A-Za-z0-9_]*|-[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+|\$[0-9]|%\{:|%\{|:\}"
    r"|==|=~|!=|!~|<=|>=|&&|\|\||[=<>!.(){},\"'/]"
)
_PIECE = re.compile(r"\$(?P<back>[0-9])|(?P<opens>%\{:?)|\\(?:(?P<octal>[0-9]+)|(?P<character>[^\n]))|(?P<plain>[^\n])")
_FLAGS = re.compile(r"[A-Za-z0-9]*")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class ExprError(ValueError):
    """An expression that means nothing. ``what`` is a sentence; ``column`` is the 1-based character where it ends to
    make sense."""

    def __init__(self, what: str, column: int) -> None:
        super().__init__(f"{what} (character {column})")
        self.what = what
        self.column = column


class Scanner:
    """A text and a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, what: str, at: int | None = None) -> ExprError:
        return ExprError(what, (self.at if at is None else at) + 1)

    def peek(self) -> str:
        """The next token, "" at the end; stays before it."""
        self.blanks()
        if self.at == len(self.text):
            return ""
        found = _TOKEN.match(self.text, self.at)
        if not found:
            raise self.fail(f"a {self.text[self.at]!r} stands outside of quotes")
        return found[0]

    def blanks(self) -> None:
        while self.text[self.at : self.at + 1] in _BLANKS:
            self.at += 1

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these, else ""."""
        token = self.peek()
        if token not in wanted:
            return ""
        self.at += len(token)
        return token

    def expect(self, token: str, after: str) -> None:
        if not self.take(token):
            raise self.fail(f"a {token} is missing after {after}{self.found()}")

    def found(self) -> str:
        token = self.peek()
        return f", there is {token}" if token else ", it ends here"

    def end(self) -> None:
        if self.peek():
            raise self.fail(f"it could end here, but goes on with {self.peek()}")

    def nested(self) -> None:
        self.depth += 1
        if self.depth > NESTING:
            raise self.fail(f"it is nested deeper than {NESTING} levels")

    def piece(self, begins: int, stop: str) -> re.Match[str]:
        """The next piece of a text that began at ``begins`` and ends at ``stop``."""
        found = _PIECE.match(self.text, self.at)
        if not found:
            raise self.fail(f"the text that begins here does not end{f' with {stop}' * bool(stop)}", begins)
        self.at = found.end()
        return found

    def literal(self, piece: re.Match[str]) -> str:
        """What a piece stands for that is neither a reference nor a variable."""
        octal, character, plain = piece["octal"], piece["character"], piece["plain"]
        if octal is None:
            return as_bytes_text(_CONTROLS.get(character, character) if plain is None else plain)
        if len(octal) > 3 or not set(octal) <= set("01234567") or not 0 < int(octal, 8) < 256:
            raise self.fail(f"\\{octal} is no character: octal goes from \\1 to \\377", piece.start())
        return chr(int(octal, 8))

    def pattern(self, kinds: str) -> tuple[str, int, str]:
        """Kind, place and mark of a pattern that begins here: ``/…/``, ``m#…#``, and ``s#…#…#`` where it may be one.
        A backslash is the pattern's own, so the mark cannot stand in the pattern."""
        self.blanks()
        begins = self.at
        first = self.text[begins : begins + 1]
        kind = "m" if first == "/" else first
        self.at += first != "/"
        mark = self.text[self.at : self.at + 1]
        if not kind or kind not in kinds or not mark or mark not in SEPARATORS:
            spelled = " or ".join("/…/ or m#…#" if each == "m" else "s#…#…#" for each in kinds)
            raise self.fail(f"a pattern is missing here: {spelled}", begins)
        self.at += 1
        return kind, self.at, mark

    def until(self, mark: str) -> str:
        ends = self.text.find(mark, self.at)
        if ends < 0:
            raise self.fail(f"the pattern has no closing {mark}")
        found = self.text[self.at : ends]
        self.at = ends + 1
        return found

    def flags(self) -> str:
        found = _FLAGS.match(self.text, self.at)
        flags = found[0] if found else ""
        if not set(flags) <= set("ismg"):
            raise self.fail(f"the flags of a pattern are i, s, m and g, not {flags}")
        self.at += len(flags)
        return flags
