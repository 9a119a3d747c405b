"""Every fault of the data is told where it stands, in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
import pytest

from proxy_core.config.model import Site
from proxy_core.config.reading.check import faults
from proxy_core.config.schema import fields
from tests.config.reading.problems import assert_problems

ROW = '[[routes]]\npath = "/x"\nproxy = "http://127.0.0.1:1/"\n'

# fmt: off
PROBLEMS: list[tuple[str, str, list[str]]] = [
    ("a misspelt key names the nearest", "[site]\ntimeuot = 3\n",
     ['2:1: "timeuot" is no key in site, did you mean timeout?']),
    ("a misspelt key that is required is one problem", "[listeners.http]\nadress = ':80'\n",
     ['2:1: "adress" is no key in listeners.http, did you mean address?']),
    ("a key like no other lists what there is", "[console]\nxyzzy = 3\n",
     ['2:1: "xyzzy" is no key in console, delete it; the keys here are theme, keys']),
    ("a wrong type says what was found and what is wanted", '[site]\ntimeout = "30"\n',
     ['2:11: timeout is the text "30", not a number, write timeout = 60.0']),
    ("a switch is no number", "[site]\ntimeout = true\n",
     ["2:11: timeout is true, not a number, write timeout = 60.0"]),
    ("a date is no text", "[listeners.a]\naddress = 2020-01-01\n",
     ['2:11: address is a date or time, not a text, write address = "127.0.0.1:8080"']),
    ("a number is told its range", "[site]\ntimeout = 0\n",
     ["2:11: timeout cannot be 0, it must be more than 0 and at most 86400"]),
    ("nan is in no range", "[site]\ntimeout = nan\n",
     ["2:11: timeout cannot be nan, it must be more than 0 and at most 86400"]),
    ("a bad choice lists the choices", "[site]\nreverse = 'on'\n",
     ['2:11: reverse cannot be "on", write one of "auto", "off"']),
    ("a misspelt choice names the nearest", "[site]\nforwarded = 'trust'\n",
     ['2:13: forwarded cannot be "trust", write "trusted"; the choices are trusted, append']),
    ("true is not the version 1", "version = true\n", ["1:11: version cannot be true, write 1"]),
    ("a bad name is pointed at", '[balancers]\n"a b" = {}\n',
     ['2:1: "a b" cannot be a name in balancers, use a name of letters, digits, _ . and -']),
    ("an item of a list has its own column", "[site]\ntrusted_proxies = ['10.0.0.0/8', 3]\n",
     ["2:34: item 2 of trusted_proxies is 3, not a text, put it into quotes"]),
    ("an item of a list that is not what the list wants", "[[locations]]\npath = '/x'\nmethods = ['GET', 'get']\n",
     ['3:19: item 2 of methods is "get", not a method in capitals, or *, write methods = ["GET", "POST"]']),
    ("columns count characters", "[console]\nkeys = { 'é€😀' = 'x', b = 1 }\n",
     ["2:27: b is 1, not a text"]),
    ("columns do not count a byte order mark", "\ufeffversoin = 1\n",
     ['1:1: "versoin" is no key, did you mean version?']),
    ("what is missing is told where its row begins", '# comment\n[[routes]]\nexcept = true\n',
     ['2:1: the row does not say what it is for, add path = "/app" or path_regex = "…"']),
    ("a route that does nothing", '[[routes]]\npath = "/x"\n',
     ['1:1: the route does nothing, add proxy = "http://host:port/path", or except = true to leave the path to no '
      "later route"]),
    ("a route that does two things", ROW + "except = true\n",
     ["4:1: the route both forwards and is an exception, delete proxy or except"]),
    ("ids are given once", ROW + "id = 'a'\n\n" + ROW + "id = 'a'\n",
     ['9:6: the id "a" is used twice in routes, rename one of them, or delete the id and one is made']),
    ("a table that should be rows", '[routes]\npath = "/x"\n', ["1:1: routes is a table, not an array of tables"]),
    ("dotted keys and inline tables have positions", "[balancers]\nb.members.a = { url = 'x', weight = 101 }\n",
     ["2:37: weight cannot be 101, it must be at least 0 and at most 100"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in PROBLEMS], ids=[case[0] for case in PROBLEMS])
def test_a_problem_says_where_what_and_what_to_do(text: str, wanted: list[str]) -> None:
    assert_problems(text, wanted)


ODD: list[Any] = [
    *("", "x", "a b", "\0GET", "GET", "/x", "*", "x\n", "é", True, -1, 0, 1, 1 << 60, 0.5, 1e9, float("nan")),
]
VALUES = [*ODD, [], {}, *([each] for each in ODD), *(["GET", each] for each in ODD), *({"x": each} for each in ODD)]


def tables(struct: type[msgspec.Struct] = Site, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A way to every table of the model, rows as ROW and tables by name as NAME."""
    yield path
    for field in fields(struct):
        if field.struct is not None:
            step = {"rows": ("ROW",), "tables": ("NAME",)}.get(field.kind, ())
            yield from tables(field.struct, (*path, field.name, *step))


def with_value(path: tuple[str, ...], key: str, value: Any) -> Any:
    if not path:
        return {key: value}
    inner = with_value(path[1:], key, value)
    return [inner] if path[0] == "ROW" else {"one" if path[0] == "NAME" else path[0]: inner}


def struct_of(path: tuple[str, ...]) -> type[msgspec.Struct]:
    struct: type[msgspec.Struct] = Site
    for step in path:
        if step not in ("ROW", "NAME"):
            struct = next(each.struct for each in fields(struct) if each.name == step and each.struct)
    return struct


@pytest.mark.parametrize("path", [*tables()], ids=".".join)
def test_what_has_no_fault_is_what_the_model_takes(path: tuple[str, ...]) -> None:
    """Else a problem would have no place, and the model would say it in its own words."""
    struct = struct_of(path)
    hints = get_type_hints(struct, include_extras=True)
    for field in fields(struct):
        kind = hints[field.name if field.name in hints else f"{field.name}_"]
        for value in VALUES:
            if field.struct is None:
                found = [each for each in faults(with_value(path, field.name, value)) if field.name in each.path]
                try:
                    msgspec.convert(value, kind)
                except msgspec.ValidationError:
                    assert found, (field.name, value)
