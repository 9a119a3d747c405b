"""What a site file may say: the model's fields as plain data, for everything that has to walk them.

The checker, the generated manual and the console's forms all read these Fields, so that they cannot disagree with
the model or with each other. Made from the type hints and their msgspec Meta; nothing here knows a single option by
name, and nothing reads a document.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from proxy_core.config.descriptions import description
from proxy_core.config.model import Site

Kind = Literal["text", "number", "integer", "switch", "choice", "list", "pairs", "table", "tables", "rows"]
"""How a field is spelled: ``list`` is a list of texts, ``pairs`` a table of texts, ``table`` one table of ``struct``,
``tables`` tables of ``struct`` by name, ``rows`` an array of tables."""

_SCALARS: dict[object, Kind] = {str: "text", float: "number", int: "integer", bool: "switch"}


class Field(Struct, frozen=True):
    """One key of a table, as the checker, the manual and the forms see it."""

    name: str
    """Its spelling in TOML."""
    kind: Kind
    """How its value is spelled."""
    choices: tuple[str | int, ...] = ()
    """The values of a ``choice``."""
    default: Any = None
    """The value that it has when it is not given, in the model's types; None where it has none."""
    required: bool = False
    """Whether a table must have it."""
    minimum: float | None = None
    """The least number, or the least length of a text in characters."""
    above: bool = False
    """Whether a number must be more than ``minimum``."""
    maximum: float | None = None
    """The greatest number, or the greatest length of a text in characters."""
    pattern: str = ""
    """A regular expression that is found in good texts; for ``list``, in each; for ``tables`` and ``pairs``, in good
    names."""
    wanted: str = ""
    """What ``pattern`` wants, in words."""
    example: Any = None
    """A good value, as TOML data."""
    struct: type[Struct] | None = None
    """The model of the table, or of each table or row, that it holds."""
    describe: Callable[[], str] = str
    """Gives what it means, in sentences; what the model says is read from its source when this is called."""


@cache
def fields(kind: type[Struct]) -> tuple[Field, ...]:
    """The fields of a table, in the order of the model. Raises TypeError for a type that a site file cannot spell."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_field(kind, each, hints[each.name]) for each in msgspec.structs.fields(kind))


def struct_at(address: tuple[str | int, ...]) -> type[Struct] | None:
    """The model of the table or row at ``address``: ``("routes", "x")`` is a Route; None where no such table can be."""
    struct: type[Struct] | None = Site
    keys = iter(address)
    for key in keys:
        field = next((each for each in fields(struct) if each.name == key), None) if struct is not None else None
        if field is None or (field.kind in ("tables", "rows") and next(keys, None) is None):
            return None
        struct = field.struct
    return struct


@lru_cache(maxsize=4096)
def names_something(path: tuple[str | int, ...]) -> bool:
    """Whether the table at ``path`` says something by being there, even when it is empty: an item of ``tables``.

    An empty ``[console]`` means the same as none at all; an empty ``[balancers.shop]`` is a balancer.
    """
    parent = struct_at(path[:-2])
    return parent is not None and any(each.kind == "tables" and (each.name,) == path[-2:-1] for each in fields(parent))


def _field(owner: type[Struct], each: msgspec.structs.FieldInfo, hint: Any) -> Field:
    default = each.default if each.default_factory is msgspec.NODEFAULT else each.default_factory()
    return Field(
        name=each.encode_name,
        default=None if default is msgspec.NODEFAULT else default,
        required=each.required,
        describe=partial(description, owner, each.name),
        **_facts(hint),
    )


def _facts(hint: Any) -> dict[str, Any]:
    """What a type says of a Field: its kind, and choices, bounds, pattern, example or struct, as it has them."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return {"kind": _SCALARS[hint]}
    if origin is Literal:
        return {"kind": "choice", "choices": args}
    if origin is Annotated:
        facts = _facts(args[0])
        for note in args[1:]:
            facts |= _constraints(note)
        return facts
    if origin in (Union, types.UnionType):
        return _facts(next(each for each in args if each is not types.NoneType))
    if origin is tuple:
        row = _facts(args[0])
        if "struct" in row:
            return {"kind": "rows", "struct": row["struct"]}
        return {"kind": "list"} | {name: row[name] for name in ("pattern", "wanted") if name in row}
    if origin is dict:
        names, table = _facts(args[0]), _facts(args[1])
        return names | ({"kind": "tables", "struct": table["struct"]} if "struct" in table else {"kind": "pairs"})
    if isinstance(hint, type) and issubclass(hint, Struct):
        return {"kind": "table", "struct": hint}
    raise TypeError(f"a site file cannot spell {hint!r}")


def _constraints(meta: Meta) -> dict[str, Any]:
    constraints = {
        "minimum": next((each for each in (meta.ge, meta.gt, meta.min_length) if each is not None), None),
        "above": meta.gt is not None or None,
        "maximum": meta.max_length if meta.le is None else meta.le,
        "pattern": meta.pattern,
        **(meta.extra or {}),
    }
    return {name: value for name, value in constraints.items() if value is not None}
