"""Reading a site file: its values, its text, and every problem of it with line and column.

Values come from ``syntax``, positions from ``text_layout`` (only when somebody asks), faults of the data from
``check``. Whatever the text is, reading never raises: an operator in an incident gets the list of what is wrong. The
text is kept as it is.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from proxy_core.config.model import Site
from proxy_core.config.reading.check import Fault, faults, without_faults
from proxy_core.config.reading.syntax import values
from proxy_core.config.reading.text_layout import Layout, layout
from proxy_core.config.schema import fields
from proxy_core.config.site_addresses import address_of, resolved, row_ids
from proxy_core.errors import Address, Problem


class Remains(NamedTuple):
    """A site file with errors, without what is faulty: for checks that look further, never to be served."""

    site: Site
    gone: frozenset[str]
    maimed: frozenset[int]

    def explains(self, problem: Problem) -> bool:
        """Whether a problem of the remaining site may only miss what is not there any more: what it names is
        ``gone``, or its line is in a table that lost something (``maimed``)."""
        return problem.line in self.maimed or any(f'"{name}"' in problem.what for name in self.gone)


@dataclass(frozen=True)
class Document:
    """A site file that was read."""

    file: str
    """The name of the file, for problems."""
    text: str
    """The whole text, as it is; "" for a file that cannot be read."""
    data: dict[str, Any]
    """Plain data; of a broken text only what was understood. It is shared: nobody may change it."""
    site: Site | None
    """What the data says; None when there is an error."""
    problems: tuple[Problem, ...]
    """What is wrong with syntax and data, in the order of the text."""
    broken: bool = False
    """The text is no TOML, or could not be read."""

    def where(self, address: Address) -> tuple[int, int]:
        """Line and column (1-based, in characters) of the key, row or table at ``address``.

        Where it does not exist: of its nearest parent, else 1, 1.
        """
        return self._layout.position(resolved(self.data, address, self._rows)[0])

    def located(self, problem: Problem) -> Problem:
        """The problem with file, line and column filled in from its address."""
        line, column = self.where(problem.address)
        return msgspec.structs.replace(problem, file=self.file, line=line, column=column)

    def located_fault(self, fault: Fault) -> Problem:
        """A fault of the data as a Problem with its address and its place."""
        line, column = self._layout.position(fault.path)
        address = address_of(self.data, fault.path, self._row_ids)
        return Problem(what=fault.what, todo=fault.todo, address=address, file=self.file, line=line, column=column)

    @cached_property
    def remains(self) -> Remains | None:
        """What is left of a document with errors; None when nothing sensible is."""
        left = without_faults(_with_ids(self.data, Site))
        if self.site is not None or left is None:
            return None
        try:
            site = msgspec.convert(left.data, Site)
        except msgspec.ValidationError:
            return None
        found = values(self.text)
        return Remains(site, left.gone | found.lost, found.maimed)

    @cached_property
    def _rows(self) -> dict[int, dict[str, int]]:
        return {}

    @cached_property
    def _row_ids(self) -> dict[int, tuple[str, ...]]:
        return {}

    @cached_property
    def _layout(self) -> Layout:
        return layout(values(self.text).text.encode())


def read(path: pathlib.Path) -> Document:
    """The document in a file. A file that cannot be read gives an empty document with the problem."""
    file = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        todo = "check the name" if isinstance(error, FileNotFoundError) else "check its kind and permissions"
        return _empty(file, Problem(what=what, todo=todo, file=file))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        todo = "save the file as UTF-8"
        return _empty(file, _problem(file, what, todo, before.count("\n") + 1, len(before) - before.rfind("\n")))
    return parse(text, file)


def parse(text: str, file: str = "site.toml") -> Document:
    """Read a text. Never raises: everything that is wrong is in ``problems``, in the order of the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _empty(file, _problem(file, "the text is not Unicode", "save the file as UTF-8", 1, 1))
    found = values(text)
    data_faults = [fault for fault in faults(found.data) if not (found.problems and fault.missing)]
    document = Document(file, text, found.data, None, (), bool(found.problems))
    if not data_faults and not found.problems:
        return _converted(document)
    syntax = [msgspec.structs.replace(each, file=file) for each in found.problems]
    problems = [*syntax, *map(document.located_fault, data_faults)]
    return replace(document, problems=tuple(sorted(problems, key=lambda each: (each.line, each.column))))


def _converted(document: Document) -> Document:
    try:
        site = msgspec.convert(_with_ids(document.data, Site), Site)
    except msgspec.ValidationError as error:  # check and model disagree: say what the model says
        return replace(document, problems=(Problem(what=str(error), file=document.file),))
    return replace(document, site=site)


def _with_ids(table: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The table with the id of every row in it written out, at every depth."""
    named = dict(table)
    for field in fields(struct):
        rows = table.get(field.name)
        if field.kind == "rows" and field.struct is not None and isinstance(rows, list):
            ids = row_ids(rows, field.name)
            named[field.name] = [
                {**_with_ids(row, field.struct), "id": name} if isinstance(row, dict) else row
                for row, name in zip(rows, ids, strict=True)
            ]
    return named


def _problem(file: str, what: str, todo: str, line: int, column: int) -> Problem:
    return Problem(what=what, todo=todo, file=file, line=line, column=column)


def _empty(file: str, problem: Problem) -> Document:
    return Document(file, "", {}, None, (problem,), broken=True)
