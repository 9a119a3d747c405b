"""What is wrong with a text that holds variables and maps, and with a regular expression: for rows of every kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import Site
from proxy_core.errors import Address, Problem
from proxy_core.rules.lint.problems import error, unknown, warning
from proxy_core.rules.text import pattern, template, variables

_UNCLOSED = re.compile(r"(?<!\\)[$%]\{(?!.*\})", re.DOTALL)
_NESTED = re.compile(r"\((?:\?:)?[^()]*(?:a[*+]|\{\d+,\}|\|)[^()]*\)(?:[*+]|\{\d+,\})")


def texts(site: Site, address: Address, text: str, rule: int = 9, conditions: int = 9) -> Iterator[Problem]:
    """A text with variables and maps in it; ``rule`` and ``conditions`` are how many groups there are to refer to."""
    if (open_ := _UNCLOSED.search(text)) is not None:
        what = f"{open_[0]} is never closed, so it stands for itself"
        yield warning(address, what, f"close it with }}, or write \\{open_[0]} for these characters")
    for kind, name in template.compile(text).names:
        match kind:
            case "deep":
                what = f"maps stand in one another deeper than {template.NESTING} levels"
                yield error(address, what, "let one map hold what several say")
                return
            case "map" if name not in site.maps:
                yield unknown(address, "map", name, site.maps)
            case "variable" if not variables.is_known(name):
                known = [f"%{{{each}}}" for each in variables.VARIABLES]
                yield unknown(address, "variable", f"%{{{name}}}", known, warn=True)
            case "rule" if int(name) > rule:
                what = f"${name} is always empty: the pattern has {rule or 'no'} group{'s' * (rule != 1)}"
                yield warning(address, what, "put what is meant into parentheses, or correct the number")
            case "condition" if int(name) > conditions:
                what = f"%{name} is a group of a condition, and there is no such group: it is always empty"
                yield warning(address, what, f"write \\%{name} for a percent sign, or add the condition")


def patterns(address: Address, text: str, nocase: bool = False) -> Iterator[Problem]:
    """A regular expression without its !."""
    try:
        pattern.compile(text, nocase)
    except pattern.PatternError as wrong:
        what = f"the pattern {text} does not compile: {wrong}, at character {wrong.position + 1}"
        yield error(address, what, "correct it: it is a regular expression as PCRE reads it")
        return
    if looks_runaway(text):
        what = f"the pattern {text} repeats what is repeated already: some texts would take it for ever"
        yield warning(address, what, "such a request is stopped and answered 500; repeat only once, as in [^/]+")


def looks_runaway(text: str) -> bool:
    """Whether a repetition stands inside of another: (a+)+, (a|b)*."""
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "a", text)
    return _NESTED.search(re.sub(r"[^()|*+?{}\d,:^$]", "a", plain)) is not None


def group_count(text: str) -> int:
    try:
        return pattern.compile(text).groups
    except pattern.PatternError:
        return 9
