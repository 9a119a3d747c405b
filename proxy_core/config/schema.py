"""What a site file may say: the model's fields as plain data, for everything that has to walk them.

The checker, the generated manual and the console's forms all read these Fields, so that they cannot disagree with
the model or with each other. Made from the type hints and their msgspec Meta; nothing here knows a single option by
name, and nothing reads a document.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from proxy_core.config.descriptions import description
from proxy_core.config.model import Site
from proxy_core.errors import Address

Kind = Literal["text", "number", "integer", "switch", "choice", "list", "pairs", "table", "tables", "rows"]
"""How a field is spelled: ``list`` is a list of texts, ``pairs`` a table of texts, ``table`` one table of ``struct``,
``tables`` tables of ``struct`` by name, ``rows`` an array of tables."""

_SCALARS: dict[object, Kind] = {str: "text", float: "number", int: "integer", bool: "switch"}


class Field(NamedTuple):
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
    """A regular expression that is found in good texts; for ``tables`` and ``pairs``, in good names."""
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


def struct_at(address: Address) -> type[Struct] | None:
    """The model of the table or row at ``address``: ``("routes", "x")`` is a Route; None where no such table can be."""
    struct: type[Struct] | None = Site
    keys = list(address)
    while keys and struct is not None:
        key = keys.pop(0)
        found = {field.name: field for field in fields(struct)}.get(key)
        if found is None or (found.kind in ("tables", "rows") and not keys):
            return None
        if found.kind in ("tables", "rows"):
            keys.pop(0)
        struct = found.struct
    return struct


@lru_cache(maxsize=4096)
def names_something(address: Address) -> bool:
    """Whether the table at ``address`` says something by being there, even when it is empty: an item of ``tables``.

    An empty ``[console]`` means the same as none at all; an empty ``[balancers.shop]`` is a balancer.
    """
    if len(address) < 2:
        return False
    parent = Site if len(address) == 2 else struct_at(address[:-2])
    return parent is not None and any(f.name == address[-2] and f.kind == "tables" for f in fields(parent))


def _field(owner: type[Struct], each: msgspec.structs.FieldInfo, hint: Any) -> Field:
    bare, meta = _peel(hint)
    kind, choices, struct, inner = _kind(bare)
    meta = {**_peel(inner)[1], **meta} if inner is not None else meta
    default = each.default
    if each.default_factory is not msgspec.NODEFAULT:
        default = each.default_factory()
    return Field(
        name=each.encode_name,
        kind=kind,
        choices=choices,
        default=None if default is msgspec.NODEFAULT else default,
        required=each.required,
        struct=struct,
        describe=partial(description, owner, each.name),
        **meta,
    )


def _peel(hint: Any) -> tuple[Any, dict[str, Any]]:
    """A hint without its ``Annotated`` and ``| None``, and what their Metas say; an outer Meta wins."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        bare, meta = _peel(inner)
        for note in notes:
            meta |= _said(note) if isinstance(note, Meta) else {}
        return bare, meta
    if get_origin(hint) in (Union, types.UnionType):
        some = [each for each in get_args(hint) if each is not type(None)]
        if len(some) == 1:
            return _peel(some[0])
    return hint, {}


def _said(meta: Meta) -> dict[str, Any]:
    low = meta.ge if meta.gt is None else meta.gt
    said = {
        "minimum": meta.min_length if low is None else low,
        "above": True if meta.gt is not None else None,
        "maximum": meta.max_length if meta.le is None else meta.le,
        "pattern": meta.pattern,
        **(meta.extra or {}),
    }
    return {name: value for name, value in said.items() if value is not None}


def _kind(bare: Any) -> tuple[Kind, tuple[Any, ...], type[Struct] | None, Any]:
    """The kind, choices and struct of a bare hint; last the hint of the names, for tables by name."""
    origin, args = get_origin(bare), get_args(bare)
    if bare in _SCALARS:
        return _SCALARS[bare], (), None, None
    if origin is Literal:
        return "choice", args, None, None
    if isinstance(bare, type) and issubclass(bare, Struct):
        return "table", (), bare, None
    if origin is dict:
        value = _peel(args[1])[0]
        return ("pairs", (), None, args[0]) if value is str else ("tables", (), value, args[0])
    if origin is tuple:
        value = _peel(args[0])[0]
        return ("list", (), None, None) if value is str else ("rows", (), value, None)
    raise TypeError(f"a site file cannot spell {bare!r}")
