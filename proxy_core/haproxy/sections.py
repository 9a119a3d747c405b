"""Rows of [[locations]]: those that only say who may ask, for paths; what is below any other goes down the lane.

Sections for folders and files have no part in what is forwarded, and those for targets are looked at with the rows that
forward (``forwards``). Of several that hold, the last one says who may ask (``rules.locations``). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy_core.haproxy.access import alternatives
from proxy_core.haproxy.part import HostPart, answer, lane
from proxy_core.haproxy.requests import found
from proxy_core.haproxy.routes import prefix
from proxy_core.haproxy.spoken import unspoken
from proxy_core.haproxy.words import HandOver, equal, joined, name
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.locations import BoundSection
from proxy_core.rules.routing.prefixes import collapsed


def handed(part: HostPart) -> Iterator[str]:
    """The lines that send down the lane what is below the sections that HAProxy cannot say."""
    for section in _of_paths(part):
        if why := _beyond(part, section):
            address = ("locations", section.row.id)
            try:
                yield from lane(part, address, why, _holds(section))
            except HandOver as odd:
                yield from lane(part, address, f"{why}; where it holds is {odd}, so the whole host is")


def admitted(part: HostPart) -> Iterator[str]:
    """The lines that refuse who may not ask, once it is known where a request goes."""
    spoken = [each for each in _of_paths(part) if not _beyond(part, each) and each.row.require]
    guards = [("", part.required)] if part.required else []
    for section in spoken:
        yield f"http-request set-var(txn.at) str({_label(section)}){joined(part.when, _holds(section))}"
        guards.append((_label(section), section.row.require))
    for label, words in guards:
        at = equal("var(txn.at)", label) if label else "!{ var(txn.at) -m found }"
        yield from _guarded(part, at, alternatives(part.rules.site, words))


def _guarded(part: HostPart, at: str, ways: Sequence[str]) -> Iterator[str]:
    if ways == [""]:
        return
    for way in ways:
        yield f"http-request set-var(txn.in) bool(true){joined(part.when, at, way)}"
    refused = (at, "!{ var(txn.in) -m found }")
    try:
        yield from answer(part, 403, *refused)
    except HandOver as why:
        yield from lane(part, ("errors",), str(why), *refused)


def _of_paths(part: HostPart) -> Iterator[BoundSection]:
    """The sections that may hold for what is forwarded, by its path or by an expression."""
    for section in part.rules.sections:
        row = section.row
        if row.path is not None or row.path_regex is not None or (row.expr and not row.folder and not row.files):
            yield section


def _beyond(part: HostPart, section: BoundSection) -> str:
    """Why HAProxy cannot say a section, "" where it can."""
    row = section.row
    for where, _ in unspoken(row, ("locations", row.id)):
        return f"{where[-1]} has no equal"
    if section.rules or section.redirects or section.setters or row.id in part.located:
        return "rows of other lists are for it"
    try:
        alternatives(part.rules.site, row.require)
    except HandOver as why:
        return str(why)
    return ""


def _holds(section: BoundSection) -> str:
    """The condition that a section holds for a path, "" for every one. Raises HandOver."""
    row = section.row
    if row.path_regex is not None:
        return found("path", row.path_regex)
    if row.path is None:
        return ""
    return prefix(collapsed(as_bytes_text(row.path).encode("latin-1")).decode("latin-1"))


def _label(section: BoundSection) -> str:
    return name(section.row.id)
