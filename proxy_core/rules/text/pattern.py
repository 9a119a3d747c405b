"""Regular expressions that mean what PCRE means under httpd's defaults, and that cannot hold up the loop.

httpd compiles patterns with DOTALL and DOLLAR_ENDONLY, on bytes, without Unicode (server/util_pcre.c). Python's ``re``
is seven times faster to call than PCRE. But it reads some patterns differently, and nothing stops a search that
backtracks without end. So ``pattern_subset`` reads each pattern first: what it knows means the same in both languages,
and it says how many steps a search may take. Texts for which that bound is small go to ``re``. All else goes to
``pcre2``, whose match limit ends a runaway search; the request that caused it is answered 500. Texts have one character
for each byte (latin-1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from proxy_core.http.target import as_bytes_text
from proxy_core.rules.text.pattern_subset import ANY_LENGTH, SubsetParser, Unread

Groups = tuple[str | None, ...]
"""What a search found: the whole first, then each group, None where it took no part."""

_REFERENCE = re.compile(r"\$([0-9])|\\([$&])")

STEPS = 250_000
"""Steps that ``re`` may be trusted with: about half a millisecond."""
LONG = 1000
"""Characters of a pattern from which PCRE may find it too large: that is told when it is compiled, not by a request."""
LIMIT = 100_000
"""PCRE's match limit: a runaway search ends after about half a millisecond."""
_VERBS = f"(*LIMIT_MATCH={LIMIT})"
_DOLLAR_ENDONLY = 0x10
"""PCRE2_DOLLAR_ENDONLY, which the package passes on but does not name."""


class PatternError(ValueError):
    """A pattern that does not compile. ``position`` is the 0-based character where it goes wrong."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(what)
        self.position = position


class Runaway(Exception):
    """A search was ended at its limit. The text says which pattern ran away."""


class Pattern:
    """A compiled pattern. ``groups`` counts its groups; every text that it is found in starts with ``prefix`` and
    has ``needs`` in it; ``runaway`` says that it has no bound of its own and relies on the match limit."""

    __slots__ = ("finds", "groups", "needs", "nocase", "prefix", "runaway", "search", "sure", "text")

    search: Callable[[str], Groups | None]
    """Where the pattern is found first in a text. Raises Runaway."""
    finds: Callable[[str], object]
    """Something where the pattern is found in a text, else None: ``search`` for whom no group is of use."""
    sure: Callable[[str], bool | None]
    """Whether the pattern is found in a text; None where that takes a search that may run away."""

    def __init__(self, text: str, nocase: bool) -> None:
        self.text = text
        self.nocase = nocase
        source = as_bytes_text(text)
        try:
            read = SubsetParser(source, nocase).whole()
        except Unread:
            exact = _exact(text, nocase)
            self.groups, self.prefix, self.needs, self.runaway = exact.groups, "", "", True
            self.search = self.finds = exact.search
            self.sure = lambda subject: None
            return
        self.groups, self.prefix, self.needs, self.runaway = read.groups, read.prefix, read.needs, False
        short = re.compile(read.spelled, re.ASCII | re.DOTALL | (re.IGNORECASE if read.nocase else 0)).search
        most = read.cost.most(STEPS)
        if len(text) > LONG:
            _exact(text, nocase)

        def search(subject: str) -> Groups | None:
            if len(subject) <= most:
                found = short(subject)
                return None if found is None else (found[0], *found.groups())
            return _exact(text, nocase).search(subject)

        def finds(subject: str) -> object:
            return short(subject) if len(subject) <= most else _exact(text, nocase).search(subject)

        def sure(subject: str) -> bool | None:
            return short(subject) is not None if len(subject) <= most else None

        self.sure = sure
        self.search, self.finds = search, short if most >= ANY_LENGTH else finds


@lru_cache(8192)
def compile(text: str, nocase: bool = False) -> Pattern:
    """The pattern for a configured text; equal ones are compiled once. Raises PatternError."""
    return Pattern(text, nocase)


def group(groups: Groups, number: int) -> str:
    """What a group found, "" where there is none of that number or it took no part."""
    return (groups[number] or "") if number < len(groups) else ""


def filled(template: str, groups: Groups) -> str:
    """A text with what the groups found in place of $0 to $9; ``\\$`` and ``\\&`` are the signs (``ap_pregsub``)."""
    return _REFERENCE.sub(lambda sign: group(groups, int(sign[1])) if sign[1] else sign[2], template)


class _Exact(Struct, frozen=True):
    groups: int
    search: Callable[[str], Groups | None]


@lru_cache(8192)
def _exact(text: str, nocase: bool) -> _Exact:
    import pcre2  # few sites have a pattern that takes it

    options = int(pcre2.DOTALL) | _DOLLAR_ENDONLY | (int(pcre2.IGNORECASE) if nocase else 0)
    try:
        found = pcre2.compile((_VERBS + as_bytes_text(text)).encode("latin-1"), options)
    except pcre2.PatternError as error:
        position = max(0, error.pos - len(_VERBS))
        raise PatternError(str(error.msg).partition("; ")[2] or str(error.msg), min(position, len(text))) from None
    except pcre2.LibraryError as error:
        raise PatternError(str(error), 0) from None

    def search(subject: str) -> Groups | None:
        try:
            match = found.search(subject.encode("latin-1", "replace"))
        except pcre2.LibraryError as error:
            raise Runaway(f"the pattern {text} was stopped: {error}") from None
        if match is None:
            return None
        return tuple(None if group is None else group.decode("latin-1") for group in (match.group(), *match.groups()))

    return _Exact(found.groups, search)
