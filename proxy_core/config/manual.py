"""The manual of the site file, made from the model.

``configuration`` writes docs/configuration.md; the console's forms use the same Fields. A description stands once,
in the model: nothing here knows an option by name. ``python -m proxy_core.config.manual`` prints the page.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from proxy_core.config.editing import spelling
from proxy_core.config.model import Site
from proxy_core.config.reading.check import bounds
from proxy_core.config.schema import Field, Kind, fields, struct_at

__all__ = ["Field", "Kind", "configuration", "fields", "struct_at"]

_OPENING = """\
# The site file

<!-- Made by `python -m proxy_core.config.manual` from what stands below the fields in proxy_core/config/model. -->

A site file is TOML 1.0 in UTF-8. Ordered things are arrays of tables (`[[routes]]`), named things are tables
(`[balancers.shop]`). `rproxy check site.toml` lists every problem with its line and column.

A row without an `id` gets one from what it says: the route `/service/index` becomes `service-index`, `/` becomes
`root`, and a second one of the same name gets `-2`; rules get theirs from their pattern, variables from their name.
When an edit from the console would change such an id, it is written into the row, so that the row keeps its counters.
"""

_KINDS: dict[Kind, str] = {
    "text": "text",
    "number": "number",
    "integer": "whole number",
    "switch": "true or false",
    "list": "list of texts",
    "pairs": "table of texts",
}


def configuration() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_OPENING, *_tables(Site, "")]).rstrip() + "\n"


def _tables(struct: type[Struct], path: str) -> Iterator[str]:
    """The section of one table, then those of the tables below it."""
    keys = [field for field in fields(struct) if field.struct is None]
    if keys:
        yield f"## {_title(struct, path)}\n"
        if path:
            yield f"{_about(struct)}\n"
        yield "| key | value | default | meaning |\n|---|---|---|---|"
        yield "\n".join(_row(field) for field in keys) + "\n"
    for field in fields(struct):
        if field.struct is not None:
            below = {"table": "[{}]", "tables": "[{}.NAME]", "rows": "[[{}]]"}[field.kind]
            name = path.strip("[]") + "." + field.name if path else field.name
            yield from _tables(field.struct, below.format(name))


def _title(struct: type[Struct], path: str) -> str:
    return f"`{path}`" if path else "Above the first table"


def _about(struct: type[Struct]) -> str:
    """The docstring without the header that it begins with."""
    text = " ".join((struct.__doc__ or "").split()).replace("``", "`")
    about = text.partition("]: ")[2] or text
    return about[:1].upper() + about[1:]


def _row(field: Field) -> str:
    if field.kind == "choice":
        value = ", ".join(f"`{spelling.value(each)}`" for each in field.choices)
    else:
        limits = bounds(field) if field.kind in ("number", "integer") else field.wanted
        value = _KINDS[field.kind] + (f": {limits}" if limits else "")
    default = "required" if field.required else ""
    if not field.required and field.default not in (None, "", (), {}):
        default = f"`{spelling.value(field.default)}`"
    cells = [f"`{field.name}`", value, default, field.describe()]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(configuration(), end="")
