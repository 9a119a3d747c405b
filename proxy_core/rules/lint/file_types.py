"""What is wrong with [file_types]: values that would be no fields of an answer (RFC 9110 §8.3, §8.4, §8.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from proxy_core.config.model import FileTypes, Site
from proxy_core.errors import Address, Problem


class Form(Struct, frozen=True):
    """What the values of a key look like, and the same in words."""

    regex: re.Pattern[str]
    wanted: str


_WORD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
FORMS = {
    "types": Form(
        re.compile(r"[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+( *;[ !-~]*)?|"), "a type such as text/plain"
    ),
    "encodings": Form(_WORD, "one word, such as gzip"),
    "charsets": Form(_WORD, "one word, such as utf-8"),
    "languages": Form(_WORD, "one word, such as en"),
}


def lint_file_types(site: Site) -> Iterator[Problem]:
    yield from _table(("file_types",), site.file_types)
    for name, host in site.hosts.items():
        yield from _table(("hosts", name, "file_types"), host.file_types)
    for row in site.locations:
        yield from _table(("locations", row.id, "file_types"), row.file_types)


def _table(at: Address, types: FileTypes | None) -> Iterator[Problem]:
    for key, form in FORMS.items() if types is not None else ():
        for name, value in getattr(types, key).items():
            if form.regex.fullmatch(value) is None:
                what = f"what .{name} stands for in {key} is not {form.wanted}"
                yield Problem(what=what, todo=f"write {form.wanted}", address=(*at, key, name))
