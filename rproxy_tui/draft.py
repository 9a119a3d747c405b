"""What a form is filled with, and the Change that it makes: pure, no widget.

A Draft is a table or row of the site on its way to another state. Its fields come from the model, so that a new
option has its place in the form with its manual; every value passes as the text that one types. Only what differs
becomes an edit, and what equals the default is removed from the file rather than spelled out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from proxy_core.config.model import Site
from proxy_core.config.schema import Field, fields, names_something, struct_at
from proxy_core.control.editing.commands import Change, Delete, Edit, Insert, Move, Set
from proxy_core.errors import Address, Problem
from rproxy_tui.words import clip

LONGEST_VALUE = 60
"""Characters of a value that a sentence shows."""
NAME = ""
"""Key of the field that holds the name of a new named table; no option is called so."""
SPELLED: dict[str, str] = {
    "number": "a number, such as 60 or 0.5",
    "integer": "a whole number, such as 60",
    "pairs": "names with a value each, such as undo = ctrl+z, quit = Q",
}
KINDS = {
    "routes": "route", "members": "member", "balancers": "balancer", "listeners": "listener", "rewrites": "rule",
    "maps": "map", "env": "variable", "hosts": "host", "locations": "location", "bans": "ban",
    "conditions": "condition", "headers": "header", "expires": "expiry", "reverse": "mapping", "errors": "page",
    "forward_auth": "service", "access_logs": "log", "tests": "test", "auth": "login", "access": "condition group",
}  # fmt: skip
TABLES = {
    "site": "site settings", "limits": "limits", "access_log": "access log", "log": "log",
    "console": "console settings", "metrics": "metrics listener",
    "heartbeat": "heartbeat listener", "sticky": "stickiness", "health": "health checks",
    "file_types": "file types", "upstream_tls": "TLS with members", "tls": "TLS", "control": "control socket",
    "recording": "recording", "compress": "compression", "cache": "shared cache",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form begins with."""

    address: Address
    """Of the table or row; of the list or table that a new row or named table comes into; a plain table that is new
    has its own."""
    fields: tuple[Field, ...]
    """What can be typed, in the order of the model."""
    before: Mapping[str, str]
    """The text of each field as it is, "" for what is not set."""
    new: Literal["", "row", "named", "table"] = ""
    """What comes in: a row of a list, a table under a name, a table of its own; "" for what is there already."""
    above: str = ""
    """The row that a new row comes above, "" for the end."""
    taken: frozenset[str] = frozenset()
    """Ids or names beside it, which a new one cannot have."""

    @property
    def title(self) -> str:
        if self.new == "table":
            return f"set up {thing(self.address)}"
        if self.new:
            return f"add {KINDS.get(self.address[-1], self.address[-1])}"
        return f"edit {thing(self.address)}"

    def field_at(self, address: Address, texts: Mapping[str, str]) -> str | None:
        """The field that a problem's address is about, when it lies in this table as the texts would make it."""
        coming = self.new in ("row", "named")
        row = len(self.address) if coming else len(self.address) - 1
        if len(address) < row + 2 or address[:row] != self.address[:row]:
            return None
        if coming:
            return None if address[row] in self.taken else address[row + 1]
        return address[row + 1] if address[row] in (self.address[row], texts.get("id")) else None


def placed(
    draft: Draft, texts: Mapping[str, str], problems: Sequence[Problem], seen: Collection[str]
) -> tuple[dict[str, Problem], list[Problem]]:
    """One problem for each field, an error before a warning; and the rest: errors, and warnings that are not
    ``seen`` before, by their words."""
    names = {field.name for field in draft.fields}
    beside: dict[str, Problem] = {}
    elsewhere: list[Problem] = []
    for problem in sorted(problems, key=lambda problem: problem.severity != "error"):
        name = draft.field_at(problem.address, texts)
        if name in names and name not in beside:
            beside[name] = problem
        elif problem.severity == "error" or problem.what not in seen:
            elsewhere.append(problem)
    return beside, elsewhere


def thing(address: Address) -> str:
    """What is at an address, in words: ``member backend/a``."""
    if len(address) % 2:
        table = TABLES.get(address[-1], address[-1])
        return table if len(address) == 1 else f"{table} of {thing(address[:-1])}"
    return f"{KINDS.get(address[-2], address[-2])} {'/'.join(address[1::2])}"


def existing(site: Site, address: Address) -> Draft | None:
    """A draft of the table or row at ``address``, also of a table that is not there yet in one that is; None where
    there can be none."""
    struct = struct_at(address)
    table = _at(site, address)
    if struct is None:
        return None
    shown = _shown_fields(struct)
    if table is None and len(address) > 1:
        may_be = struct_at(address[:-1]) is not None and _at(site, address[:-1]) is not None
        return Draft(address, shown, _texts(shown, {}), "table") if may_be else None
    return Draft(address, shown, _texts(shown, table or {}))


def fresh(site: Site, address: Address, row: Mapping[str, Any], above: str = "") -> Draft | None:
    """A draft of a new row of the list, or a new named table under the table, at ``address``."""
    struct = struct_at((*address, "new"))
    if struct is None:
        return None
    shown = _shown_fields(struct)
    texts = _texts(shown, row)
    taken = names_at(site, address)
    if not names_something((*address, "new")):
        return Draft(address, shown, texts, "row", above, taken)
    what = KINDS.get(address[-1], address[-1])
    naming = Field(
        name=NAME,
        kind="text",
        required=True,
        describe=lambda: f"Name of the new {what}: letters, digits, dot, dash and underscore.",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        wanted="a name of letters, digits, dot, dash and underscore",
    )
    return Draft(address, (naming, *shown), {NAME: "", **texts}, "named", above, taken)


def again(draft: Draft, site: Site) -> Draft | None:
    """The draft as it would begin on another state of the site; None where what it is about, or where it goes, is
    gone. A new row comes above the one that it was to come above, or to the end where that is gone."""
    if draft.new not in ("row", "named"):
        now = existing(site, draft.address)
        return None if now is None or (now.new and not draft.new) else now
    if len(draft.address) > 1 and _at(site, draft.address[:-1]) is None:
        return None
    taken = names_at(site, draft.address)
    return replace(draft, taken=taken, above=draft.above if draft.above in taken else "")


def merged(draft: Draft, now: Draft, texts: Mapping[str, str]) -> Draft:
    """The draft to make a change of: what was typed (``texts``) stands against what is there now, and what was not is
    left as it is now, whoever made it so."""
    typed = {name: now.before[name] for name, text in texts.items() if text != draft.before[name]}
    return replace(now, before={**draft.before, **typed})


def clashes(draft: Draft, now: Draft, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The fields that were changed here and, in another way, by somebody else."""
    return tuple(name for name, text in texts.items() if draft.before[name] not in (text, now.before[name]) and
                 text.strip(" ") != now.before[name])  # fmt: skip


def change(draft: Draft, texts: Mapping[str, str]) -> tuple[Change | None, dict[str, str]]:
    """The Change that the texts ask for (None when they change nothing), and what is wrong with a text by field."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in draft.fields:
        try:
            values[field.name] = read(field, texts[field.name])
        except ValueError as error:
            wrong[field.name] = str(error)
    naming = {"named": NAME, "row": "id"}.get(draft.new)
    if naming is not None and values.get(naming) in draft.taken:
        wrong[naming] = f"there is a {KINDS.get(draft.address[-1], 'table')} {values[naming]} already"
    if wrong:
        return None, wrong
    if draft.new:
        return _addition(draft, values), {}
    changed = [field for field in draft.fields if texts[field.name].strip(" ") != draft.before[field.name]]
    edits: list[Edit] = []
    for field in changed:
        address, value = (*draft.address, field.name), values[field.name]
        if field.kind == "rows":
            edits += row_edits(address, read(field, draft.before[field.name]) or [], value or [])
        elif value is not None and value != field.default:
            edits.append(Set(address, value))
        elif draft.before[field.name] != "":
            edits.append(Delete(address))
    if not edits:
        return None, {}
    return Change(edits=tuple(edits), sentence=_sentence(draft, edits)), {}


def read(field: Field, text: str) -> Any:
    """The value that a text spells; None when it is empty. Raises ValueError with words for a person."""
    text = text.strip(" ")
    if not text:
        if field.required:
            raise ValueError(f"needs {field.wanted or 'a value'}")
        return None
    match field.kind:
        case "number" | "integer":
            try:
                value = float(text) if field.kind == "number" else int(text)
                return int(value) if value == int(value) else value
            except (ValueError, OverflowError):  # also what is no number at all, or not finite
                raise ValueError(f"wants {SPELLED[field.kind]}") from None
        case "switch":
            return text == "true"
        case "list":
            try:
                items = next(csv.reader([text], skipinitialspace=True))
            except csv.Error:
                raise ValueError("wants texts, those with a comma or a line end in quotes") from None
            return [item for each in items if (item := each.strip())]
        case "rows":
            return _rows(field, text)
        case "pairs":
            pairs = [each.partition("=") for each in text.split(",") if each.strip()]
            if not all(sign and key.strip() and value.strip() for key, sign, value in pairs):
                raise ValueError(f"wants {SPELLED['pairs']}")
            return {key.strip(): value.strip() for key, _, value in pairs}
        case _:
            if field.name == NAME and not re.search(field.pattern, text):
                raise ValueError(f"wants {field.wanted}")
            return text


def spell(field: Field, value: Any) -> str:
    """A value as the text that one would type for it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value) if value.is_integer() else value)
        case list() | tuple() if field.kind == "rows":
            return joined([(row["id"], *(spell(each, row.get(each.name)) for each in columns(field))) for row in value])
        case list() | tuple():
            return ", ".join(f'"{each.replace(chr(34), chr(34) * 2)}"' if quoted(each) else each for each in value)
        case dict():
            return ", ".join(f"{key} = {each}" for key, each in value.items())
        case _:
            return str(value)


def _shown_fields(struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """What a form shows of a table: its own keys and rows, not the tables in it."""
    return tuple(field for field in fields(struct) if field.struct is None or field.kind == "rows")


def readable(field: Field, text: str) -> str:
    """A field's text in a sentence: ``5``, ``"a, b"``, ``not set``."""
    if field.kind == "rows" and text:
        text = "; ".join(" ".join(filter(None, cells[1:])) for cells in cells_of(text))
    return clip(text, LONGEST_VALUE) or "not set"


# Rows in a table ----------------------------------------------------------------------------------------------------

Cells = tuple[str, ...]
"""The id of a row, "" for a new one, and the texts of its other fields."""


def columns(field: Field) -> tuple[Field, ...]:
    """The fields of a row that one types."""
    assert field.struct is not None
    return tuple(each for each in fields(field.struct) if each.name != "id")


quoted = re.compile(r"[,\r\n]").search
"""Finds what a text of a list stands in quotes for."""


def joined(rows: Sequence[Cells]) -> str:
    """Rows as one text, "" for none. A cell may hold anything, line ends too."""
    return json.dumps(rows) if rows else ""


def cells_of(text: str) -> list[Cells]:
    return [tuple(row) for row in json.loads(text)] if text else []


def _rows(field: Field, text: str) -> list[dict[str, Any]]:
    """The rows that a text spells, what is not set left out; raises ValueError with the row and the cell."""
    found = []
    for number, (id, *cells) in enumerate(cells_of(text), 1):
        row: dict[str, Any] = {"id": id} if id else {}
        for each, cell in zip(columns(field), cells, strict=True):
            try:
                value = read(each, cell)
            except ValueError as error:
                raise ValueError(f"row {number}: {each.name} {error}") from None
            if value is not None and value != each.default:
                row[each.name] = value
        found.append(row)
    return found


def row_edits(address: Address, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[Edit]:
    """The edits that make rows ``before`` into ``after``; a row without an id is new."""
    kept = [row["id"] for row in after if "id" in row]
    old = {row["id"]: row for row in before}
    edits: list[Edit] = [Delete((*address, id)) for id in old if id not in kept]
    for row in after:
        if was := old.get(row.get("id", "")):
            place = (*address, row["id"])
            edits += [Set((*place, name), value) for name, value in row.items() if was.get(name) != value]
            edits += [Delete((*place, name)) for name in was if name not in row]
    order = [id for id in old if id in kept]
    for id, below in reversed(list(zip(kept, [*kept[1:], ""], strict=True))):
        at = order.index(id)
        if [*order[at + 1 :], ""][0] != below:
            order.remove(id)
            order.insert(order.index(below) if below else len(order), id)
            edits.append(Move((*address, id), below))
    for number, row in enumerate(after):
        if "id" not in row:
            edits.append(Insert(address, row, next((each["id"] for each in after[number:] if "id" in each), "")))
    return edits


# Words --------------------------------------------------------------------------------------------------------------


def _texts(shown: tuple[Field, ...], table: Mapping[str, Any]) -> dict[str, str]:
    return {field.name: spell(field, table.get(field.name)) for field in shown}


def _addition(draft: Draft, values: Mapping[str, Any]) -> Change:
    defaults = {field.name: field.default for field in draft.fields}
    row = {
        name: value for name, value in values.items() if name != NAME and value is not None and value != defaults[name]
    }
    what = KINDS.get(draft.address[-1], draft.address[-1])
    if draft.new == "table":
        return Change(edits=(Set(draft.address, row),), sentence=f"set up {thing(draft.address)}")
    if draft.new == "named":
        address = (*draft.address, values[NAME])
        return Change(edits=(Set(address, row),), sentence=f"add {thing(address)}")
    label = row.get("id") or row.get("path") or row.get("pattern") or row.get("name") or ""
    return Change(edits=(Insert(draft.address, row, draft.above),), sentence=f"add {what} {label}".rstrip())


def _sentence(draft: Draft, edits: list[Edit]) -> str:
    what = thing(draft.address).removeprefix("member ")  # "set weight of backend/a to 5", as the keys say it
    if len(edits) == 1 and len(edits[0].address) == len(draft.address) + 1 and isinstance(edits[0], Set | Delete):
        (edit,) = edits
        option = f"{edit.address[-1]} of {what}"
        return f"set {option} to {_shown(edit.value)}" if isinstance(edit, Set) else f"reset {option}"
    names = list(dict.fromkeys(edit.address[len(draft.address)] for edit in edits))
    if len(names) == 1:
        return f"edit {names[0]} of {what}"
    return f"set {', '.join(names[:-1])} and {names[-1]} of {what}"


def _shown(value: Any) -> str:
    text = spell(Field(name="", kind="text"), value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def names_at(site: Site, address: Address) -> frozenset[str]:
    """The ids of the rows in the list, or the names of the tables in the table, at ``address``."""
    found = _at(site, address) or ()
    return frozenset(each["id"] for each in found) if isinstance(found, tuple) else frozenset(found)


def _at(site: Site, address: Address) -> Any:
    """The plain data at an address, what is at its default left out; None when there is nothing."""
    found: Any = msgspec.to_builtins(site)
    for key in address:
        if isinstance(found, tuple):
            found = next((row for row in found if row.get("id") == key), None)
        else:
            found = found.get(key) if found is not None else None
    return found
