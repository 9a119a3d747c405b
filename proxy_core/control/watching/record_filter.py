"""The filter language: which finished requests somebody means, in one line.

    status>=500 member=c path~^/api ms>250 method=POST client=10.0.0.0/8 gen=3 cause~reset

Terms that stand beside each other all hold; ``or``, ``not`` and parentheses mean what they say, ``and`` may be written.
A term is a field, a comparison and a value: ``=`` and ``!=`` for what it is, ``<``, ``<=``, ``>`` and ``>=`` for
numbers, ``~`` and ``!~`` for a regular expression that is found in it. A value with spaces stands in quotes.

A filter is compiled once to one expression of Python, so that asking 10,000 records costs little more than it must.
Regular expressions are those of rules, which cannot run away. What is wrong is said with its place; nothing that is
typed here is ever run as code: names come from a table, values are constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from proxy_core.control.watching.log_records import Record
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.access.networks import Networks
from proxy_core.rules.text import pattern
from proxy_core.runtime.path_shapes import shape_of

Predicate = Callable[[Record], bool]

_TOKEN = re.compile(r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<word>[A-Za-z_]+)(?P<test>!=|!~|<=|>=|=|~|<|>)?)")
_CLASS = re.compile(r"([1-5])xx")
_BARE = re.compile(r"[^\s()\"'][^\s()]*")
"""A value that needs no quotes."""
LONGEST = 4000
DEEPEST = 50
"""Parentheses and nots within each other."""


class FilterField(Struct, frozen=True):
    """What may be asked of a record."""

    about: str
    spelled: str
    """As Python says it of the record ``r``."""
    number: bool = False


FIELDS = {
    "status": FilterField("the answer's; 5xx is all of them", "r.status", True),
    "method": FilterField("GET, POST, …", "r.method"),
    "path": FilterField("of the target, without its query", "path(r.target)"),
    "target": FilterField("path and query, as they came", "r.target"),
    "shape": FilterField("method and path, ids as {n}: GET /item/{n}", "shape(r.method, r.target)"),
    "host": FilterField("the Host field", "r.host"),
    "client": FilterField("its address; a network as 10.0.0.0/8", "r.client"),
    "route": FilterField("id of the row that took it", "r.route"),
    "rule": FilterField("id of the rewrite rule that decided, or of the last that matched", "r.rule"),
    "balancer": FilterField("whose member got it", "r.balancer"),
    "member": FilterField("that got it", "r.member"),
    "cache": FilterField("how the cache served it: hit, miss, …", "r.cache"),
    "age": FilterField("seconds that the kept answer was old", "r.age", True),
    "cause": FilterField("what went wrong, in words", "r.cause"),
    "cut": FilterField("status of what cut the answer, 0 for nothing", "r.cut", True),
    "agent": FilterField("the User-Agent field", "r.user_agent"),
    "referer": FilterField("the Referer field", "r.referer"),
    "ms": FilterField("milliseconds until all was sent", "r.total * 1000", True),
    "gen": FilterField("generation that it ran under", "r.generation", True),
    "attempts": FilterField("members that were chosen for it", "r.attempts", True),
    "retries": FilterField("how often it was sent again", "r.retries", True),
    "sent": FilterField("body bytes to the client", "r.sent", True),
    "received": FilterField("body bytes from the client", "r.received", True),
    "number": FilterField("its number", "r.number", True),
}
"""What may be asked, by the word for it."""


class BadFilter(ValueError):
    """A filter that is not understood; ``position`` is the 0-based character where ``what`` goes wrong."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(f"{what}, at character {position + 1}")
        self.what, self.position = what, position


@lru_cache(256)
def compiled(text: str) -> Predicate:
    """The predicate of a filter; an empty one holds for all. Raises BadFilter."""
    reading = _Reading(text)
    return reading.predicate()


def chooses(text: str) -> bool:
    """Whether a filter is an ``or``, to which no term can be added but in parentheses. Raises BadFilter."""
    reading = _Reading(text)
    reading.predicate()
    return reading.chooses


@lru_cache(64)
def values_of(fields: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    """What gives the values of these fields of a record."""
    spelled = "".join(f"{FIELDS[name].spelled}, " for name in fields)
    values: Callable[[Record], tuple[Any, ...]] = eval(f"lambda r: ({spelled})", {"__builtins__": {}, **_FUNCTIONS})
    return values


def term(field: str, value: Any) -> str:
    """The term that holds for what has this value."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if not _BARE.fullmatch(text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{escaped}"'
    return f"{field}={text}"


def also(text: str, more: str) -> str:
    """The filter that holds where both hold."""
    return f"({text.strip()}) {more}" if chooses(text) else f"{text.strip()} {more}".strip()


class _Reading:
    """One filter being read: recursive descent, ``or`` binding less than what stands beside each other."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadFilter(f"a filter has at most {LONGEST} characters", LONGEST)
        self._text = text
        self._at = 0
        self._deep = 0
        self._names: dict[str, Any] = {**_FUNCTIONS}
        self.chooses = False
        """It is an ``or``, outside of all parentheses."""

    def predicate(self) -> Predicate:
        if not self._text.strip():
            return lambda _: True
        spelled = self._either()
        if self._peek() is not None:
            raise BadFilter("a ) that nothing opens", self._start())
        predicate: Predicate = eval(f"lambda r: bool({spelled})", {"__builtins__": {"bool": bool}, **self._names})
        return predicate

    def _either(self) -> str:
        parts = [self._all()]
        while self._word() == "or":
            self._take()
            parts.append(self._all())
            self.chooses = self.chooses or not self._deep
        return f"({' or '.join(parts)})"

    def _all(self) -> str:
        parts = [self._one()]
        while (token := self._peek()) is not None and not token["close"] and self._word() != "or":
            if self._word() == "and":
                self._take()
            parts.append(self._one())
        return f"({' and '.join(parts)})"

    def _one(self) -> str:
        token = self._peek()
        if token is None:
            raise BadFilter("a term is missing", len(self._text))
        self._deep += 1
        if self._deep > DEEPEST:
            raise BadFilter("too many parentheses within each other", self._start())
        try:
            if self._word() == "not":
                self._take()
                return f"(not {self._one()})"
            if token["open"]:
                opened = self._start()
                self._take()
                inner = self._either()
                closing = self._peek()
                if closing is None or not closing["close"]:
                    raise BadFilter("a ( that nothing closes", opened)
                self._take()
                return inner
        finally:
            self._deep -= 1
        if token["close"] or not token["test"]:
            raise BadFilter("a term is a field, a comparison and a value, as status>=500", self._start())
        return self._term(token)

    def _term(self, token: re.Match[str]) -> str:
        name, test, place = token["word"], token["test"], token.start("word")
        field = FIELDS.get(name)
        if field is None:
            from difflib import get_close_matches  # only where somebody has mistyped

            near = get_close_matches(name, FIELDS, 1)
            rest = f": {near[0]}?" if near else f"; there are {', '.join(FIELDS)}"
            raise BadFilter(f"there is no field {name}{rest}", place)
        self._take()
        value, at = self._value()
        if test in ("~", "!~"):
            said = f"found({field.spelled}, {self._keep(_search(value, at))})" if not field.number else ""
            if not said:
                raise BadFilter(f"{name} is a number: compare it with =, < or >", place)
            self._names["found"] = _found
            return said if test == "~" else f"(not {said})"
        if field.number:
            return self._number(name, test, value, at)
        if test not in ("=", "!="):
            raise BadFilter(f"{name} is a text: compare it with =, != or ~", token.start("test"))
        if name == "client" and "/" in value:
            said = f"{self._keep(_within(value, at))}(r.client)"
            return said if test == "=" else f"(not {said})"
        return f"{field.spelled} {'==' if test == '=' else '!='} {self._keep(value)}"

    def _number(self, name: str, test: str, value: str, at: int) -> str:
        spelled = FIELDS[name].spelled
        if name == "status" and test in ("=", "!=") and (found := _CLASS.fullmatch(value.lower())):
            return f"{spelled} // 100 {'==' if test == '=' else '!='} {found[1]}"
        try:
            number = float(value)
        except ValueError:
            raise BadFilter(f"{name} is a number, and {value} is none", at) from None
        if number != number:
            raise BadFilter(f"{name} is a number, and {value} is none", at)
        return f"{spelled} {'==' if test == '=' else test} {self._keep(number)}"

    def _keep(self, value: Any) -> str:
        """A name for a constant."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def _value(self) -> tuple[str, int]:
        """The value at this place, and where it begins."""
        text, begin = self._text, self._at
        if text[begin : begin + 1] in ('"', "'"):
            quote, at, found = text[begin], begin + 1, []
            while at < len(text) and text[at] != quote:
                if text[at] == "\\" and text[at + 1 : at + 2] in (quote, "\\"):
                    at += 1
                found.append(text[at])
                at += 1
            if at == len(text):
                raise BadFilter("a quotation is not closed", begin)
            self._at = at + 1
            return "".join(found), begin + 1
        at = begin
        deep = 0
        while at < len(text) and not text[at].isspace() and (deep or text[at] != ")"):
            deep += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        if at == begin:
            raise BadFilter('a value is missing; the empty one is ""', begin)
        self._at = at
        return text[begin:at], begin

    def _peek(self) -> re.Match[str] | None:
        """The token at this place, None at the end."""
        if not self._text[self._at :].strip():
            return None
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise BadFilter("a term is a field, a comparison and a value, as status>=500", self._start())
        return found

    def _word(self) -> str:
        """The word at this place, where it is no field."""
        token = self._peek()
        return token["word"] or "" if token is not None and not token["test"] else ""

    def _take(self) -> None:
        token = self._peek()
        assert token is not None
        self._at = token.end()

    def _start(self) -> int:
        """Where the next token begins."""
        return len(self._text) - len(self._text[self._at :].lstrip())


def _path(target: str) -> str:
    return target.partition("?")[0]


@lru_cache(8192)
def _shape(method: str, target: str) -> str:
    return shape_of(method.encode(), target.encode())


_FUNCTIONS = {"path": _path, "shape": _shape}
"""What the spelling of fields calls."""


def _search(text: str, at: int) -> Callable[[str], Any]:
    try:
        return pattern.compile(text).search
    except pattern.PatternError as error:
        raise BadFilter(f"{text} is no regular expression: {error}", at + error.position) from None


def _found(text: str, search: Callable[[str], Any]) -> bool:
    try:
        return search(text if text.isascii() else as_bytes_text(text)) is not None
    except pattern.Runaway:
        return False


def _within(network: str, at: int) -> Callable[[str], bool]:
    try:
        networks = Networks([(network, 1.0, "is in it")])
    except ValueError:
        raise BadFilter(f"{network} is no network: write 10.0.0.0/8 or 2001:db8::/32", at) from None
    return lru_cache(4096)(lambda client: bool(networks.find(client)))
