"""Reading a site file: its values, its text, and every problem of it with line and column.

Values come from ``toml_syntax``, positions from ``text_layout`` (only when somebody asks), faults of the data from
``check``. Whatever the text is, reading never raises: an operator in an incident gets the list of what is wrong. The
text is kept as it is.
"""

from __future__ import annotations

import pathlib
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.config.model import Site
from proxy_core.config.reading.check import Fault, faults, without_faults
from proxy_core.config.reading.text_layout import Layout, layout
from proxy_core.config.reading.toml_syntax import values
from proxy_core.config.site_addresses import address_of, resolved, with_ids
from proxy_core.errors import Address, Problem


class Remains(Struct, frozen=True):
    """A site file with errors, without what is faulty: for checks that look further, never to be served."""

    site: Site
    gone: frozenset[str]
    maimed: frozenset[int]

    def explains(self, problem: Problem) -> bool:
        """Whether a problem of the remaining site may only miss what is not there any more: it ends with a name that is
        ``gone`` (``rules.lint.problems.unknown``), or its line is in a table that lost something (``maimed``)."""
        return problem.line in self.maimed or any(problem.what.endswith(f' "{name}"') for name in self.gone)


class Document(Struct, frozen=True, dict=True):
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
        """Line and column (1-based, in characters) of the value, row or table at ``address``.

        Where it does not exist: of the key, row or table that is its nearest parent, else 1, 1.
        """
        path, found = resolved(self.data, address, self._rows)
        return self._layout.position(path, value=found == len(address))

    def places(self) -> list[tuple[int, Address]]:
        """The line at which each table, row and element of an array begins, with its address, in order."""
        sections = self._layout.sections[1:]
        heads = [(section.head, section.path) for section in sections]
        heads += [(item.key, item.path) for each in self._layout.entries() for item in each.items]
        return [
            (self._layout.line_column(offset)[0], address_of(self.data, path, self._row_ids))
            for offset, path in sorted(heads)
        ]

    def located(self, problem: Problem) -> Problem:
        """The problem with file, line and column filled in from its address."""
        line, column = self.where(problem.address)
        return msgspec.structs.replace(problem, file=self.file, line=line, column=column)

    def located_fault(self, fault: Fault) -> Problem:
        """A fault of the data as a Problem with its address and its place."""
        line, column = self._layout.position(fault.path, value=not fault.of_key)
        address = address_of(self.data, fault.path, self._row_ids)
        return Problem(what=fault.what, todo=fault.todo, address=address, file=self.file, line=line, column=column)

    @cached_property
    def remains(self) -> Remains | None:
        """What is left of a document with errors; None when nothing sensible is."""
        left = without_faults(with_ids(self.data)) if self.site is None else None
        if left is None:
            return None
        found = values(self.text)
        try:
            return Remains(msgspec.convert(left.data, Site), left.gone | found.lost, found.maimed)
        except msgspec.ValidationError:
            return None

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
        content = regular_files.content(path)
        return parse(content.decode(), file)
    except OSError as error:
        todo = "check the name" if isinstance(error, FileNotFoundError) else "check its kind and permissions"
        return _unreadable(file, f"the file cannot be read: {error.strerror or error}", todo)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        return _unreadable(file, what, "save the file as UTF-8", line, column)


def parse(text: str, file: str = "site.toml") -> Document:
    """Read a text. Never raises: everything that is wrong is in ``problems``, in the order of the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _unreadable(file, "the text is not Unicode", "save the file as UTF-8", 1, 1)
    found = values(text)
    document = Document(file, text, found.data, None, (), bool(found.problems))
    problems = [msgspec.structs.replace(each, file=file) for each in found.problems]
    missing_counts = not document.broken  # else it may merely have been lost
    problems += [document.located_fault(each) for each in faults(found.data) if missing_counts or not each.missing]
    if problems:
        return replace(document, problems=tuple(sorted(problems, key=lambda each: (each.line, each.column))))
    try:
        return replace(document, site=msgspec.convert(with_ids(found.data), Site))
    except msgspec.ValidationError as error:  # check and model disagree: say what the model says
        return replace(document, problems=(Problem(what=str(error), file=file),))


def _unreadable(file: str, what: str, todo: str, line: int = 0, column: int = 0) -> Document:
    problem = Problem(what=what, todo=todo, file=file, line=line, column=column)
    return Document(file, "", {}, None, (problem,), broken=True)
