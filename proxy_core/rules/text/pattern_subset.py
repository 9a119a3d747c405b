"""The part of PCRE's language that Python's ``re`` reads in the same way: what is in it, and what a search costs.

The parser refuses (``Unread``) whatever it is not certain of: named and atomic groups, POSIX classes, references back,
groups inside repetitions, groups that are nested deeply, and all that PCRE and ``re`` read differently (``$``,
``\\v``, classes with brackets in them). What it accepts it spells anew for ``re``, in one unambiguous way. With it
comes a bound for the steps of a search that finds nothing, ``times * n ** degree`` for a text of length n: each
repetition may stop at any place, each optional part doubles the ways, alternatives add up. Repetitions in repetitions
multiply without bound, so they are refused. The language is that of pcre2pattern(3).
"""

from __future__ import annotations

import re
from functools import reduce

from msgspec import Struct

ANY_LENGTH = 1 << 24
"""No text that is searched is longer: the pieces of a head are bounded, and so are files and answers of maps."""


class Cost(Struct, frozen=True):
    """At most ``times * n ** degree`` ways to go through a text of length n."""

    times: int = 1
    degree: int = 0

    def then(self, other: Cost) -> Cost:
        return Cost(self.times * other.times, self.degree + other.degree)

    def most(self, steps: int) -> int:
        """The longest text that takes no more than so many steps."""
        return int((steps / self.times) ** (1 / self.degree)) if self.degree else ANY_LENGTH


class PatternPart(Struct, frozen=True):
    """A piece of a pattern."""

    spelled: str
    """How ``re`` spells it."""
    cost: Cost = Cost()
    """How many ways there are to go through a text with it."""
    least: int = 1
    """The least number of characters that it takes up: 0 for what cannot be repeated."""
    groups: bool = False
    """Whether there are groups in it."""
    anchored: bool = False
    """Whether it is found at the beginning of a text alone."""
    prefix: str = ""
    """What every text begins with that it is found in."""
    needs: str = ""
    """The longest that every text has in it that it is found in."""


class Read(Struct, frozen=True):
    """A whole pattern."""

    spelled: str
    """How ``re`` spells it."""
    cost: Cost
    """How many ways there are to go through a text with it."""
    groups: int
    """How many it has."""
    prefix: str
    """What every text begins with that it is found in."""
    needs: str
    """The longest that every text has in it that it is found in."""
    nocase: bool
    """Whether letters of both cases are alike."""


class Unread(Exception):
    """Something that this parser leaves to PCRE."""


_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\v\\f\\r"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "a": "\a", "e": "\x1b"}
_COUNT = re.compile(r"\{(\d{1,3})(,?)(\d{0,3})\}")
_MOST_GROUPS = 90
_DEEPEST = 20
"""Groups in groups: a parser that goes down with them must not run out of stack. PCRE has a bound of its own."""


class SubsetParser:
    """Reads the subset. Everything that is not certain raises Unread."""

    def __init__(self, source: str, nocase: bool) -> None:
        self.source = source
        self.at = 0
        self.groups = 0
        self.depth = 0
        self.nocase = nocase

    def whole(self) -> Read:
        if self.source.startswith("(?i)"):
            self.nocase, self.at = True, 4
        part = self.alternatives()
        if self.at < len(self.source) or self.groups > _MOST_GROUPS:
            raise Unread
        cost = part.cost if part.anchored else part.cost.then(Cost(1, 1))
        prefix, needs = ("", "") if self.nocase else (part.prefix, part.needs)
        return Read(part.spelled, cost, self.groups, prefix, needs, self.nocase)

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def take(self) -> str:
        character = self.source[self.at : self.at + 1]
        if not character:
            raise Unread
        self.at += 1
        return character

    def alternatives(self) -> PatternPart:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        if len(branches) == 1:
            return branches[0]
        return PatternPart(
            "|".join(each.spelled for each in branches),
            Cost(sum(each.cost.times for each in branches), max(each.cost.degree for each in branches)),
            min(each.least for each in branches),
            any(each.groups for each in branches),
            all(each.anchored for each in branches),
        )

    def sequence(self) -> PatternPart:
        parts: list[PatternPart] = []
        plain = anchored = self.peek() == "^"
        prefix = run = needs = ""
        while self.peek() not in ("", "|", ")"):
            atom, literal = self.atom()
            part = self.repeated(atom)
            run = run + literal if literal and part is atom else ""
            needs = max(needs, run, part.needs, key=len)
            if parts:
                plain = plain and literal != "" and part is atom
                prefix += literal if plain else ""
            parts.append(part)
        return PatternPart(
            "".join(each.spelled for each in parts),
            reduce(Cost.then, (each.cost for each in parts), Cost()),
            sum(each.least for each in parts),
            any(each.groups for each in parts),
            anchored,
            prefix,
            needs,
        )

    def atom(self) -> tuple[PatternPart, str]:
        """One thing that may be repeated, and the character that it stands for if it is no more than that."""
        character = self.take()
        match character:
            case "(":
                return self.group(), ""
            case "[":
                return PatternPart(self.members()), ""
            case ".":
                return PatternPart("."), ""
            case "^":
                return PatternPart("\\A", least=0), ""
            case "$":
                return PatternPart("\\Z", least=0), ""
            case "\\":
                return self.escape()
            case "*" | "+" | "?" | ")" | "{":
                raise Unread
        return PatternPart(re.escape(character)), character

    def escape(self) -> tuple[PatternPart, str]:
        character = self.take()
        if character.lower() in _CLASSES:
            negated = "^" if character.isupper() else ""
            return PatternPart(f"[{negated}{_CLASSES[character.lower()]}]"), ""
        if character == "b":
            return PatternPart("\\b", least=0), ""
        single = self.escaped(character)
        return PatternPart(re.escape(single)), single

    def escaped(self, character: str) -> str:
        """What an escape stands for that is one character, inside a class or out of it."""
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character.isascii() and not character.isalnum():
            return character
        raise Unread

    def members(self) -> str:
        """A class, its members spelled as codes; what could be read in two ways is left alone."""
        negated = "^" if self.peek() == "^" else ""
        self.at += len(negated)
        spelled = ""
        if self.peek() == "]":
            raise Unread
        while (character := self.take()) != "]":
            if character == "[":
                raise Unread
            if character == "\\":
                character = self.take()
                if character in _CLASSES:
                    spelled += _CLASSES[character]
                    if self.peek() == "-":
                        raise Unread
                    continue
                character = self.escaped(character)
            last = character
            if self.peek() == "-" and self.source[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self.take()
                if last == "[":
                    raise Unread
                if last == "\\":
                    last = self.escaped(self.take())
                if last < character:
                    raise Unread
            spelled += f"\\x{ord(character):02x}" + (f"-\\x{ord(last):02x}" if last != character else "")
        return f"[{negated}{spelled}]"

    def group(self) -> PatternPart:
        opening, captures = "(", True
        if self.peek() == "?":
            opening = "(" + self.source[self.at : self.at + 2]
            if opening not in ("(?:", "(?=", "(?!"):
                raise Unread
            self.at += 2
            captures = False
        elif self.peek() == "*":
            raise Unread
        self.groups += captures
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unread
        part = self.alternatives()
        self.depth -= 1
        if self.take() != ")":
            raise Unread
        looks = opening in ("(?=", "(?!")
        if looks and part.groups:
            raise Unread
        spelled, groups = f"{opening}{part.spelled})", captures or part.groups
        if looks:
            return PatternPart(spelled, part.cost, 0, groups)
        return PatternPart(spelled, part.cost, part.least, groups, needs=part.needs)

    def repeated(self, part: PatternPart) -> PatternPart:
        """The atom with the quantifier behind it, if there is one."""
        mark = self.peek()
        if mark == "{":
            found = _COUNT.match(self.source, self.at)
            if not found:
                raise Unread
            low = int(found[1])
            high: int | None = (int(found[3]) if found[3] else None) if found[2] else low
            spelled = found[0]
        elif mark in ("*", "+", "?") and mark:
            low, high = (1 if mark == "+" else 0), (1 if mark == "?" else None)
            spelled = mark
        else:
            return part
        self.at += len(spelled)
        if self.peek() == "?":
            spelled += "?"
            self.at += 1
        if self.peek() in ("?", "+", "*", "{") and self.peek():
            raise Unread
        if part.least == 0 or (high is not None and high < low):
            raise Unread
        if high == 1 and low == 0:
            return PatternPart(part.spelled + spelled, Cost(part.cost.times + 1, part.cost.degree), 0, part.groups)
        if part.groups or part.cost != Cost():
            raise Unread  # repetitions in repetitions: the ways multiply without bound
        cost = Cost(1, 1) if high is None else Cost(high - low + 1)
        return PatternPart(part.spelled + spelled, cost, low * part.least)
