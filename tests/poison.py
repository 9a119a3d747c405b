"""A text that no terminal may obey, and site files that hold it wherever the model lets them hold a text.

``samples`` walks the model's fields, sound or not: each makes a site of its own, for commands that tell of problems.
``worst_site`` is one sound site with as much of it as is accepted, for screens.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.config.schema import Field, fields
from proxy_core.control.editing.site_problems import check
from proxy_core.errors import errors

POISON = (
    "\x1b]0;PWN\x07\x1b\\\x1b[31m\x9b31m\x07\x08\x0b\x0c\r\n\t\x7f\x85\u202e\u2066\u2028\u061cé日🎉[red]x[/red][/.]$1\\"
)
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What may be in no text, written independently of the product; line ends and tabs are left."""
SOUND = """
version = 1
listeners.http.address = "127.0.0.1:8080"
balancers.b.members = { m = { url = "http://127.0.0.1:1" }, n = { url = "http://127.0.0.1:2" } }
balancers.b.sticky = { cookie = "s" }
maps = { e = { type = "txt", entries = { k = "v" } }, t = { type = "txt", file = "servers.txt" } }
hosts.h.names = ["h.example"]
routes = [
  { id = "r", path = "/r", proxy = "balancer://b/r" },
  { id = "x", path_regex = "^/x", proxy = "http://127.0.0.1:3/x" },
]
rewrites = [
  { id = "w", pattern = "^/w", substitution = "/r", flags = ["PT"], conditions = [{ test = "a", pattern = "a" }] },
]
env = [{ id = "v", name = "N", from = "%{REMOTE_ADDR}" }]
headers = [{ id = "f", name = "X-A", value = "a" }]
reverse = [{ id = "m", internal = "http://127.0.0.1:1/", public = "/" }]
errors = [{ id = "e", status = ["404"], text = "gone" }]
locations = [{ id = "l", path = "/l" }]
bans = [{ id = "a", network = "203.0.113.7" }]
site = {}
console = {}
"""


def toml(data: dict[str, Any]) -> str:
    """Inline, so that a line is a key of the root; comments are poisoned as far as TOML lets them."""
    return "".join(f"{_text(key)} = {_value(value)} # \x9b31m\u202e[red]\n" for key, value in data.items())


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def samples() -> Iterator[tuple[str, str]]:
    """The name of each field of the model, and a site file that has the poison in it."""
    base = tomllib.loads(SOUND)
    for name, whole in _poisoned(Site, "", {}):
        if name.count(".") or not isinstance(base.get(name), dict | list):
            top = name.partition(".")[0]
            yield name, toml({**base, top: whole[top]} if top in whole else base)
        else:
            yield name, toml({**base, **whole})
    yield "unknown key", toml({**base, POISON: 1})
    yield "unknown table", toml({**base, POISON: {POISON: POISON}})
    yield "no TOML", f"version = 1\n[listeners.http]\naddress = {POISON}\n"


def _poisoned(struct: type[Struct], at: str, sample: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a model, each with one field poisoned: what is needed beside it has its example."""
    needed = {each.name: each.example for each in fields(struct) if each.required and each.struct is None}
    for field in fields(struct):
        name = f"{at}.{field.name}".lstrip(".")
        if field.struct is None:
            yield name, {**sample, **needed, field.name: _bad(field)}
            if isinstance(field.example, str):
                yield name, {**sample, **needed, field.name: field.example + POISON}
            continue
        for inner, row in _poisoned(field.struct, name, {}):
            if field.kind == "tables":
                yield inner, {**needed, field.name: {"n": row}}
                yield inner, {**needed, field.name: {POISON: row}}
            else:
                yield inner, {**needed, field.name: [row] if field.kind == "rows" else row}


def _bad(field: Field) -> Any:
    return {"list": [POISON], "pairs": {POISON: POISON, "k": POISON}}.get(field.kind, POISON)


@cache
def worst_site() -> str:
    """The text of a sound site in which as many texts as it takes are poisoned; each is tried, which takes a second."""
    data = tomllib.loads(SOUND)
    for table, struct in list(_tables(data, Site)):
        for field in fields(struct):
            if field.struct is not None or field.name in ("id", "theme"):
                continue
            was = table.get(field.name)
            for value in _candidates(field, was):
                table[field.name] = value
                document = parse(toml(data))
                if document.site is not None and not errors(check(document)):
                    break
            else:
                table.pop(field.name, None)
                table.update({field.name: was} if was is not None else {})
    return toml(data)


def _candidates(field: Field, was: Any) -> Iterator[Any]:
    if field.kind == "pairs":
        yield {**(was or {}), POISON: POISON}
        yield {**(was or {}), "p": POISON}
    elif field.kind == "list":
        yield [*(was or ()), POISON]
    elif field.kind == "text":
        start = was or field.example or ""
        yield from (f"{start}{POISON}", f"{start}{POISON.replace('[/.]', '')}", POISON)
        yield from (start + re.sub(r"[\r\n\x0b\x0c\x1c-\x1f\x85\u2028]", "", POISON), start + "\x9b31m\u202e[/.]")


def _tables(data: Any, struct: type[Struct]) -> Iterator[tuple[dict[str, Any], type[Struct]]]:
    yield data, struct
    for field in fields(struct):
        below = data.get(field.name)
        if field.struct is not None and below is not None:
            rows = below if field.kind == "rows" else below.values() if field.kind == "tables" else [below]
            for row in rows:
                yield from _tables(row, field.struct)
