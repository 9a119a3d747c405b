"""The manual of the site file, made from the model.

``configuration`` writes docs/configuration.md; the console's forms use the same Fields. A description stands once,
in the model, and so does an example, below the first paragraph of a table's docstring: nothing here knows an option by
name. ``python -m proxy_core.config.manual`` prints the page.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from msgspec import Struct

from proxy_core.config.editing import spelling
from proxy_core.config.model import Site
from proxy_core.config.reading.check import KINDS, bounds
from proxy_core.config.schema import Field, fields

_ABOVE = "Above the first table"

_OPENING = """\
# The site file

<!-- Made by `python -m proxy_core.config.manual` from what stands below the fields in proxy_core/config/model. -->

A site file is TOML 1.0 in UTF-8. Ordered things are arrays of tables (`[[routes]]`), named things are tables
(`[balancers.shop]`). `rproxy check site.toml` lists every problem with its line and column.

A row without an `id` gets one from what it says: the route `/service/index` becomes `service-index`, `/` becomes
`root`, and a second one of the same name gets `-2`; rules get theirs from their pattern, variables from their name.
When an edit from the console would change such an id, it is written into the row, so that the row keeps its counters.
"""


class Section(Struct, frozen=True):
    """A table of the site file: its header, as ``[[routes]]``, "" for what stands above the first; and its model."""

    header: str
    struct: type[Struct]

    @property
    def link(self) -> str:
        heading = self.header or _ABOVE
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")  # as GitHub makes it of the heading
        return f"[{_code(self.header) or _ABOVE}](#{anchor})"

    @property
    def depth(self) -> int:
        """How many tables it is in."""
        return len(self.header.replace(".NAME", "").split(".")) - 1

    @property
    def about(self) -> str:
        """The first paragraph of the docstring, without the header that it begins with."""
        text = " ".join(inspect.cleandoc(self.struct.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
        about = text.partition("]: ")[2] or text
        return about[:1].upper() + about[1:]

    @property
    def example(self) -> str:
        """What stands below the first paragraph of the docstring, as TOML."""
        return inspect.cleandoc(self.struct.__doc__ or "").partition("\n\n")[2]


def sections(struct: type[Struct] = Site, header: str = "") -> Iterator[Section]:
    """The section of one table, then those of the tables below it."""
    yield Section(header, struct)
    for below in _below(struct, header):
        yield from sections(below.struct, below.header)


def configuration() -> str:
    """The whole page, as Markdown."""
    found = list(sections())
    links = {section.header: section.link for section in found}
    contents = "".join(f"{'  ' * section.depth}- {section.link}\n" for section in found)
    return "\n".join([_OPENING, contents, *(part for section in found for part in _parts(section, links))])[:-1]


def _parts(section: Section, links: dict[str, str]) -> Iterator[str]:
    yield f"## {_code(section.header) or _ABOVE}\n"
    if section.header:
        yield f"{_linked(section.about, links)}\n"
        yield f"```toml\n{section.example}\n```\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    below = {each.struct: links[each.header] for each in _below(section.struct, section.header)}
    for field in fields(section.struct):
        if field.struct is None:
            yield _row(field, _value(field), links)
        elif section.header:
            yield _row(field, below[field.struct], links)
    yield ""


def _below(struct: type[Struct], header: str) -> Iterator[Section]:
    for field in fields(struct):
        if field.struct is not None:
            name = header.strip("[]") + "." + field.name if header else field.name
            yield Section(KINDS[field.kind].header.format(name), field.struct)


def _code(header: str) -> str:
    return f"`{header}`" if header else ""


def _linked(text: str, links: dict[str, str]) -> str:
    """The text, with a link in place of each header of a section."""
    return re.sub(r"\[\[?[a-z_]+(\.\w+)*\]\]?", lambda found: links.get(found[0], found[0]), text)


def _value(field: Field) -> str:
    """What may be written, in words."""
    if field.kind == "choice":
        return ", ".join(f"`{spelling.value(each)}`" for each in field.choices)
    limits = bounds(field) if field.kind in ("number", "integer") else field.wanted
    return KINDS[field.kind].wanted.removeprefix("a ") + (f": {limits}" if limits else "")


def _row(field: Field, value: str, links: dict[str, str]) -> str:
    default = "required" if field.required else ""
    if field.struct is None and not field.required and field.default not in (None, "", (), {}):
        default = f"`{spelling.value(field.default)}`"
    cells = [f"`{field.name}`", value, default, _linked(field.describe(), links)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(configuration(), end="")
