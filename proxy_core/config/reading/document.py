"""Reading a site file: its values, its text, and every problem of it with line and column.

Values come from tomllib, positions from ``text_layout`` (only when somebody asks), faults from ``check``. Whatever the
text is, reading never raises: an operator in an incident gets the list of what is wrong. After a syntax error the
broken line is left out and reading goes on, so that the other faults are listed too. The text is kept as it is; see
TOML 1.0.0 for the language.
"""

from __future__ import annotations

import pathlib
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import msgspec

from proxy_core.config.model import Site
from proxy_core.config.reading.check import Fault, faults, remains
from proxy_core.config.reading.text_layout import Layout, layout
from proxy_core.config.schema import fields
from proxy_core.config.site_addresses import Path, address_of, resolved, row_ids
from proxy_core.errors import Address, Problem

_BOM = "\ufeff"
_MOST_SYNTAX_ERRORS = 20
_DEEPEST = 32  # levels of tables and lists: whoever walks the data need not fear for the stack

_WORDS = (
    (r"Invalid value \(at end", "the file ends where a value should be", "give the value, or close what is open"),
    (r"Invalid value", "there is no value here that TOML knows", 'put a text into quotes: "…"'),
    (r"Expected ']'", "the header of a table is not closed", "write [name], or [[name]] for a row of a list"),
    (r"Cannot overwrite a value", "this key or table exists already", "delete one of the two"),
    (r"Cannot declare .* twice", "this table exists already", "join the two, or write [[name]] for rows of a list"),
    (r"Cannot mutate immutable", "this table or list was written out in full already", "add to it where it stands"),
    (r"Illegal character '\\n'", "a text in quotes does not end on this line", "close the quote"),
    (r"Illegal character", "a control character stands here", "delete it, or write it as \\uXXXX in a text"),
    (r"Expected '='", "a key needs = and a value", "write key = value"),
    (r"Expected \"'", "a text in quotes does not end", "close the quote"),
    (r"Expected newline", "there is more on this line than one key and value", "put it on a line of its own"),
    (r"Unterminated string", "a text in quotes does not end", "close the quote"),
    (r"Unclosed array", "a list is not closed", "add the missing ] or ,"),
    (r"Unclosed inline table", "a table in braces is not closed on its line", "add the missing } or ,"),
    (r"Invalid statement", "this is no key and no header", "write key = value, or begin a comment with #"),
    (r"Invalid initial character", "this key cannot stand bare", 'put it into quotes: "…"'),
    (r"Unescaped '\\\\'", "a backslash means something else in double quotes", "use single quotes: '^/a\\.b'"),
    (r"Invalid date", "this date or time does not exist", "correct it, or put it into quotes"),
    (r"Duplicate inline table key", "this key is given twice", "delete one of the two"),
)


@dataclass(frozen=True)
class Document:
    """A site file that was read. ``site`` is None when there is an error.

    Nobody may change ``data``: it is shared. ``broken`` says that the text is no TOML (or could not be read):
    ``data`` is then only what was understood of it.
    """

    file: str
    text: str
    data: dict[str, Any]
    site: Site | None
    problems: tuple[Problem, ...]
    broken: bool = False

    def where(self, address: Address) -> tuple[int, int]:
        """Line and column (1-based, in characters) of the key, row or table at ``address``.

        Where it does not exist: of its nearest parent, else 1, 1.
        """
        return self.position(resolved(self.data, address, self._rows)[0])

    @cached_property
    def remains(self) -> tuple[Site, frozenset[str]] | None:
        """Of a document with errors: the site that is left without what is faulty, and the names that went with it.
        For checks that look further; never to be served."""
        left = None if self.broken else remains(_with_ids(self.data, Site))
        if left is None:
            return None
        try:
            return msgspec.convert(left[0], Site), left[1]
        except msgspec.ValidationError:
            return None

    def position(self, path: Path) -> tuple[int, int]:
        """Line and column of what stands at a path."""
        return self._layout.position(path)

    @cached_property
    def _rows(self) -> dict[int, dict[str, int]]:
        return {}

    @cached_property
    def _layout(self) -> Layout:
        return layout(values(self.text).text.encode())

    def located(self, problem: Problem) -> Problem:
        """The problem with file, line and column filled in from its address."""
        line, column = self.where(problem.address)
        return msgspec.structs.replace(problem, file=self.file, line=line, column=column)


class Values(NamedTuple):
    """What was understood of a text, which nobody may change: its syntax errors, and the text without their lines."""

    data: dict[str, Any]
    problems: tuple[Problem, ...]
    text: str


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
    data, errors, _ = values(text)
    syntax = [msgspec.structs.replace(each, file=file) for each in errors]
    found = [fault for fault in faults(data) if not (syntax and fault.missing)]
    document = Document(file, text, data, None, (), bool(syntax))
    if not found and not syntax:
        return _converted(document)
    known: dict[int, tuple[str, ...]] = {}
    problems = [*syntax, *(_located(document, fault, known) for fault in found)]
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


def _located(document: Document, fault: Fault, known: dict[int, tuple[str, ...]]) -> Problem:
    line, column = document.position(fault.path)
    return Problem(
        what=fault.what,
        todo=fault.todo,
        address=address_of(document.data, fault.path, known),
        file=document.file,
        line=line,
        column=column,
    )


@lru_cache(maxsize=4)
def values(text: str) -> Values:
    """The values of a text. Kept for the last few texts: the text that an edit makes is verified, and then read."""
    text = text.removeprefix(_BOM)
    problems: list[Problem] = []
    while True:
        try:
            data = tomllib.loads(text)
            if _deeper(data, _DEEPEST):
                raise RecursionError
            return Values(data, tuple(problems), text)
        except RecursionError:
            deep = _problem("", "lists or tables are nested too deeply", "flatten them", 1, 1)
            return Values({}, (*problems, deep), text)
        except ValueError as error:
            lines = text.replace("\r\n", "\n").split("\n")
            line, column = _spot(str(error), lines)
            problems.append(_syntax(str(error), lines[line - 1], line, column))
            if len(problems) == _MOST_SYNTAX_ERRORS or lines[line - 1].lstrip()[:1] in ("", "["):
                return Values(
                    {}, tuple(problems), text
                )  # what stands below a lost header would land in the table above it
            lines[line - 1] = ""
            text = "\n".join(lines)


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)


def _spot(message: str, lines: list[str]) -> tuple[int, int]:
    if found := re.search(r"at line (\d+), column (\d+)\)$", message):
        return min(int(found[1]), len(lines)), int(found[2])
    last = max((n for n, line in enumerate(lines, 1) if line.strip()), default=1)
    return last, len(lines[last - 1]) + 1


def _syntax(message: str, source: str, line: int, column: int) -> Problem:
    what, todo = next(
        ((what, todo) for pattern, what, todo in _WORDS if re.match(pattern, message)),
        (re.sub(r" \(at .*\)$", "", message), "correct it as TOML 1.0 wants it"),
    )
    if "already" in what or "twice" in what:  # tomllib points behind what was repeated
        column = len(source) - len(source.lstrip()) + 1
    return _problem("", what, todo, line, column)


def _problem(file: str, what: str, todo: str, line: int, column: int) -> Problem:
    return Problem(what=what, todo=todo, file=file, line=line, column=column)


def _empty(file: str, problem: Problem) -> Document:
    return Document(file, "", {}, None, (problem,), broken=True)
