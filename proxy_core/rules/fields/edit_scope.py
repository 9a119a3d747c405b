"""What edits of fields may know of a message: a Moment, with its HeaderScope. And how a field is found among lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from proxy_core.http.request_view import RequestView
from proxy_core.rules.facts import Facts
from proxy_core.rules.text.variables import VARIABLES, Scope


class Moment(Struct):
    """A message at the moment when its fields are edited."""

    scope: HeaderScope
    """What rules know of the request."""
    at: int = 0
    """When the request came, in microseconds since the epoch."""
    taken: int = 0
    """How long it has taken so far, in microseconds."""
    version: str = "1.1"
    """The version of HTTP of the message at hand, as in "1.1"."""
    trusted: bool = False
    """Whether a request id from this client is believed."""
    new_id: Callable[[], str] = lambda: ""
    """Makes a request id."""
    varies: list[str] = field(default_factory=list)
    """Fields of the request that conditions have looked at, for Vary (``add_vary`` in server/util_expr_eval.c)."""


_OF_FILES = frozenset(("HANDLER", "REQUEST_FILENAME", "SCRIPT_FILENAME", "PATH_INFO"))
"""Variables of what answers."""


class HeaderScope(Scope):
    """A Scope that knows the answer too: ``answered`` are its field lines, ``status`` is its status, ``notes`` what was
    noted of it by lower-case name, ``looked_at`` the fields of the request that an expression has looked at, ``where``
    finds its ``file``."""

    answered: Sequence[bytes] = field(default_factory=tuple)
    status: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)
    where: Callable[[], str] = lambda: ""

    def variable(self, name: str) -> str:
        if name[:5].upper() == "HTTP:":
            self.looked_at.append(name[5:])
        elif name[:5].upper() == "HTTP_" and name.upper() in VARIABLES:
            self.looked_at.append(name[5:].replace("_", "-").title())
        folded = name.upper()
        if folded.removeprefix("SSL:") in _OF_FILES:
            self.file = self.where()
            if folded == "HANDLER" and 0 < self.status < 300 and not self.file.startswith("proxy:"):
                return self._type()  # of itself a type is handled by the default handler
        if not self.status:
            return Scope.variable(self, name)
        if folded == "REQUEST_STATUS":
            return str(self.status)
        if folded == "CONTENT_TYPE":
            return self._type()
        return Scope.variable(self, name)

    def _type(self) -> str:
        return self.field("content-type", "resp")

    def field(self, name: str, which: str) -> str:
        if which == "req":
            self.looked_at.append(name)
        if which == "resp":
            at = found(self.answered, name.lower().encode("latin-1", "replace"))
            return value_of(self.answered[at[0]]) if at else ""
        if which in ("note", "env") and name.lower() in self.notes:
            return self.notes[name.lower()]
        return Scope.field(self, name, which)


def found(lines: Sequence[bytes], name: bytes) -> list[int]:
    """Where the lines of a field stand; ``name`` is in lower case."""
    return [at for at, each in enumerate(lines) if each.partition(b":")[0].lower() == name]


def varying(lines: list[bytes], names: Sequence[str]) -> list[bytes]:
    """The lines with these names in Vary; Host is never one of them, for every answer is that of its host."""
    at = found(lines, b"vary")
    said = [each.strip() for number in at for each in value_of(lines[number]).split(",")]
    whole: dict[str, str] = {}
    for name in (*said, *names):
        whole.setdefault(name.lower(), name)
    wanted = [name for folded, name in whole.items() if folded not in ("", "host")]
    if "*" in said or not wanted:
        return lines
    kept = [each for number, each in enumerate(lines) if number not in at]
    return [*kept, b"Vary: " + ", ".join(wanted).encode("latin-1", "replace")]


def value_of(each: bytes) -> str:
    return each.partition(b":")[2].strip(b" \t").decode("latin-1")


NEVER = Moment(HeaderScope(RequestView(b"GET", b"/", b"", ""), Facts(), "/", None))
"""What steady edits may be asked with: they do not look at it."""
