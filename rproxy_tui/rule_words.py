"""Rewrite rules in words: what a condition tests, what a flag does, which rules use a map.

For whoever knows Apache's letters only by half, and is in a hurry. All of it is pure; the letters themselves are
``rules.rewriting.flags``'s, and a test holds that each of them has its words here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy_core.config.model import RewriteCond, RewriteRule, Site
from proxy_core.rules.rewriting.flags import SWITCHES, VALUED

FLAGS = {
    "chain": "C: the next rule is tried only if this one matched",
    "dpi": "DPI: what follows the path is dropped",
    "end": "END: no rule after this one, not even in a second round",
    "last": "L: no rule after this one in this round",
    "nocase": "NC: upper and lower case are one",
    "noescape": "NE: special characters of the outcome are not escaped",
    "noplus": "BNP: with B, a blank becomes %20 and not +",
    "nosubreq": "NS: not for internal subrequests",
    "passthrough": "PT: on to the routes with the new path",
    "proxy": "P: forward to this URL",
    "qsappend": "QSA: the request's query is added to the new one",
    "qsdiscard": "QSD: the request's query is dropped",
    "qslast": "QSL: the last ? begins the query",
    "unsafe_allow3f": "UnsafeAllow3F: a ? that came escaped may begin the query",
    "unsafe_prefixstat": "UnsafePrefixStat: the outcome may name any place on the disk",
    "unc": "UNC: the outcome may begin with two slashes",
    "B": "B: escape what groups hold",
    "BNE": "BNE: with B, characters that are not escaped",
    "BCTLS": "BCTLS: with B, escape only blanks and control characters",
    "CO": "CO: set a cookie",
    "E": "E: set a variable",
    "F": "F: answer 403",
    "G": "G: answer 410",
    "H": "H: a handler; it has no effect in a proxy",
    "N": "N: begin again with the first rule",
    "R": "R: redirect, 302 unless it says another status",
    "S": "S: skip the next rules, as many as it says",
    "T": "T: a media type; it has no effect in a proxy",
    "OR": "OR: this or the next condition",
    "NV": "NV: the field is not named in Vary",
}
"""What a flag does, by ``Flags``' name of it or, where it takes a value, by its letter."""
_OF_CONDITIONS = {"OR": "OR", "ORNEXT": "OR", "NV": "NV", "NOVARY": "NV"}
_TESTS = {
    "-f": "is a file", "-d": "is a folder", "-s": "is a file that is not empty", "-l": "is a symbolic link",
    "-L": "is a symbolic link", "-h": "is a symbolic link", "-x": "is executable", "-F": "can be read by a subrequest",
    "-U": "is a URL that answers", "-H": "is a symbolic link",
}  # fmt: skip
_NUMBERS = {"-eq": "=", "-ne": "≠", "-lt": "<", "-le": "≤", "-gt": ">", "-ge": "≥"}


def flag(text: str) -> str:
    """What a flag does; "" for what is none."""
    name = text.partition("=")[0].strip().upper()
    key = SWITCHES.get(name) or VALUED.get(name) or _OF_CONDITIONS.get(name, "")
    return FLAGS.get(key, "")


def meanings(text: str) -> tuple[str, ...]:
    """What each of some flags does, as they are typed: separated by commas."""
    return tuple(words for each in text.split(",") if (words := flag(each)))


def condition(row: RewriteCond) -> str:
    """``%{REQUEST_METHOD} is not found by ^POST$``: a condition as one says it."""
    nocase = " (any case)" if {"NC", "NOCASE"} & {each.upper() for each in row.flags} else ""
    if row.test == "expr":
        return row.pattern
    turned, pattern = row.pattern.startswith("!"), row.pattern.removeprefix("!")
    negation = "not " if turned else ""
    name, number = pattern[:3], pattern[3:].strip()
    if pattern in _TESTS:
        return f"{row.test} {_TESTS[pattern].replace('is ', f'is {negation}', 1)}"
    if name in _NUMBERS and number:
        return f"{negation}{row.test} {_NUMBERS[name]} {number} as numbers"
    for sign, spelled in (("<=", "≤"), (">=", "≥"), ("<", "<"), (">", ">"), ("=", "=")):
        if pattern.startswith(sign):
            return f'{negation}{row.test} {spelled} "{pattern.removeprefix(sign).strip(chr(34))}"{nocase}'
    return f"{row.test} {'does not match' if turned else 'matches'} {pattern}{nocase}"


def conditions(row: RewriteRule) -> Iterator[str]:
    """A line for each condition of a rule: ``if …``, ``and …``, ``or …``."""
    word = "if"
    for each in row.conditions:
        yield f"{word:<3} {condition(each)}"
        word = "or" if {"OR", "ORNEXT"} & {flag_text.upper() for flag_text in each.flags} else "and"


def users(site: Site, name: str) -> tuple[str, ...]:
    """The rules that look keys up in a map."""
    call = f"${{{name}:"
    return tuple(row.id for row in site.rewrites if any(call in text for text in _texts(row)))


def _texts(row: RewriteRule) -> Iterable[str]:
    yield row.substitution
    yield from row.flags
    for each in row.conditions:
        yield from (each.test, each.pattern)
