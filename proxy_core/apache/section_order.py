"""The order in which sections are laid over each other, which is not that of the file.

httpd sorts the <Directory> sections of a server by the depth of their folders (``reorder_sorter`` in core.c) and lays
virtual hosts over the main server, wherever either stands. Subjects that ask what the sections round one have said are
therefore walked in that order. The report keeps the order of reading. Nothing else moves: rewrite rules, Location and
ProxyPass count in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from proxy_core.apache.lexer import Directive, SourcePlace
from proxy_core.apache.report import ReportLine


def laid(directives: Sequence[Directive]) -> list[Directive]:
    """The directives with virtual hosts behind all others, and in each server outer folders before those in them."""
    hosts = [replace(each, inside=tuple(_sorted(each.inside or ()))) for each in directives if _is_host(each)]
    return [*_sorted([each for each in directives if not _is_host(each)]), *hosts]


def as_read(report: Iterable[ReportLine], directives: Sequence[Directive]) -> tuple[ReportLine, ...]:
    """The lines of a report in the order of these directives."""
    numbers: dict[SourcePlace, int] = {}
    for place in _places(directives):
        numbers.setdefault(place, len(numbers))
    return tuple(sorted(report, key=lambda each: numbers.get(SourcePlace(each.file, each.line), len(numbers))))


def _is_host(directive: Directive) -> bool:
    return directive.key == "virtualhost" and directive.inside is not None


def _sorted(directives: Sequence[Directive]) -> list[Directive]:
    """The <Directory> sections change places with each other; what stands between them stays."""
    outer_first = iter(sorted(filter(_is_folder, directives), key=_depth))
    return [next(outer_first) if _is_folder(each) else each for each in directives]


def _is_folder(directive: Directive) -> bool:
    return directive.key == "directory" and directive.inside is not None and directive.args[:1] not in ((), ("~",))


def _depth(directive: Directive) -> int:
    return len([part for part in directive.args[0].split("/") if part not in ("", ".")])


def _places(directives: Iterable[Directive]) -> Iterator[SourcePlace]:
    for each in directives:
        yield each.place
        yield from _places(each.inside or ())
