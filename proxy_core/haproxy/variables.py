"""Rows of [[env]]: the variables that HAProxy sets by itself, as transaction variables, and those that it does not.

A variable is spoken where every row that may set it is: one in doubt is in doubt for whoever reads it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import EnvRule
from proxy_core.haproxy.part import HostPart
from proxy_core.haproxy.requests import fetch, only_variable, steady
from proxy_core.haproxy.words import HandOver, group, joined, name, quoted, regex
from proxy_core.rules.env import Setter
from proxy_core.rules.text import pattern, template

CONVERTERS = {
    "sha1": "sha1", "sha256": "sha2(256)", "hex": "hex,lower", "base64": "base64", "lowercase": "lower",
    "uppercase": "upper",
}  # fmt: skip
"""The converters that do what a transformation does."""
_SPECIAL = ("no-proxy", "force-proxy-request-1.0", "proxy-nokeepalive", "proxy-sendchunked", "proxy-sendcl")


def spoken(part: HostPart) -> frozenset[str]:
    """The variables that HAProxy knows for sure, by their names in lower case."""
    return frozenset(key for key, lines in _by_name(part).items() if lines is not None)


def variables(part: HostPart) -> Iterator[str]:
    """The lines that set them."""
    for lines in _by_name(part).values():
        yield from lines or ()


def decisive(part: HostPart) -> str:
    """The id of a row whose variable says how a request is served, "" for none."""
    return next((each.row.id for each in _rows(part) if each.row.name.lower() in _SPECIAL), "")


def _rows(part: HostPart) -> tuple[Setter, ...]:
    inner = tuple(setter for section in part.rules.sections for setter in section.setters)
    return (*part.rules.env, *part.rules.late, *inner)


def _by_name(part: HostPart) -> dict[str, list[str] | None]:
    """The lines for each variable; None where it is in doubt."""
    made: dict[str, list[str] | None] = {}
    for setter in _rows(part):
        key = setter.row.name.lower()
        before = made.get(key, [])
        try:
            made[key] = None if before is None else [*before, *_lines(part, setter.row)]
        except HandOver:
            made[key] = None
    for rule in part.rules.rules:
        for each in rule.flags.env:
            made[each.partition(":")[0].removeprefix("!").lower()] = None
    return made


def _lines(part: HostPart, row: EnvRule) -> list[str]:
    """A row. Raises HandOver."""
    variable = only_variable(template.compile(row.from_))
    beyond = row.expr or row.fields or row.late or row.location or row.unset or row.negate
    if beyond or variable is None or not {*row.transform} <= CONVERTERS.keys() or variable.upper().startswith("ENV:"):
        raise HandOver(f"env {row.id}")
    subject = fetch(part, variable)
    if row.transform and subject == "src":
        subject = "src,concat(,,)"  # a text, not the bytes of the address
    subject = ",".join([subject, *(CONVERTERS[each] for each in row.transform)])
    target = f"txn.e.{name(row.name.lower())}"
    if not row.capture and row.value is None:
        return [f"http-request set-var({target}) {subject}{joined(part.when)}"]
    compiled = pattern.compile(row.capture, row.nocase)
    if not row.capture or compiled.search("") is not None:
        raise HandOver(f"env {row.id}")
    steady(subject, row.capture, row.nocase)
    holds = f"{{ {subject} -m reg {quoted(regex(row.capture, row.nocase))} }}"
    if row.value is not None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", row.value):
            raise HandOver(f"env {row.id}")
        value = f"str({row.value})"
    else:
        value = group(subject, row.capture, 1, row.nocase) if compiled.groups else "str(1)"
    return [f"http-request set-var({target}) {value}{joined(part.when, holds)}"]
