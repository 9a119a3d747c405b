"""Texts of the site file for a recording or a note, without what they say that is secret.

A value is secret where its key says so (``secret_values``), where a row gives it to a field that is, and in URLs and
arguments of programs where these say so themselves. Each is edited in the text as any edit is, so that what is left is
the same site file with its comments, and compiles. The sentences of edits have the values masked too, also those that
an edit replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from proxy_core.config.editing.site_edits import Set, Unusable, edited
from proxy_core.config.reading.document import parse
from proxy_core.config.site_addresses import address_of
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.recording.rows import Row, short
from proxy_core.secret_values import MASK, is_secret, is_secret_field, masked, masked_target

_SHORTEST = 4
"""Characters of a secret that is masked wherever it stands."""


class GenerationRows:
    """Makes rows of generations; it remembers what was secret in them, for what is told of later ones."""

    def __init__(self) -> None:
        self._secrets = set[str]()

    def rows(self, entry: HistoryEntry) -> Iterator[Row]:
        shown = self.entry(entry)
        yield (shown.number, shown.at, short(shown.author), short(shown.sentence), shown.text)

    def entry(self, entry: HistoryEntry) -> HistoryEntry:
        """A generation that may be sent on."""
        text, secrets = without_secrets(entry.text)
        self._secrets |= {each for each in secrets if len(each) >= _SHORTEST}
        diff = "\n".join(map(self.hidden, entry.diff.split("\n")))
        return replace(entry, text=text, sentence=self.hidden(entry.sentence), diff=diff)

    def hidden(self, words: str) -> str:
        """What people are told, without what the site file keeps secret or did."""
        words = masked(words)
        for each in sorted(self._secrets, key=len, reverse=True):
            words = words.replace(each, MASK).replace(_spelled(each), MASK)
        return words


def _spelled(value: str) -> str:
    """As a basic string of TOML has it between its quotes, and so a diff."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def without_secrets(text: str) -> tuple[str, list[str]]:
    """The text with what is secret masked, and the values that were. A text that cannot be edited is left out whole."""
    document = parse(text)
    options = document.data.get("site")
    named = options.get("secret_headers") if isinstance(options, dict) else None
    fields = frozenset(str(each).lower() for each in named) if isinstance(named, list) else frozenset()
    found = dict(_secrets(document.data, fields))
    if not found:
        return text, []
    edits = [Set(address_of(document.data, path), shown) for path, (_, shown) in found.items()]
    try:
        return edited(document, edits).text, [value for value, _ in found.values()]
    except Unusable:
        return "", [value for value, _ in found.values()]


Found = tuple[tuple[str | int, ...], tuple[str, Any]]
"""A path in plain data, with the secret there and what takes the place of the value."""


def _secrets(value: Any, fields: frozenset[str], path: tuple[str | int, ...] = ()) -> Iterator[Found]:
    if isinstance(value, dict):
        given = is_secret_field(str(value.get("name", "")), fields)
        for key, each in value.items():
            if isinstance(each, str) and each and (is_secret(key) or (given and key in ("value", "pattern"))):
                yield (*path, key), (each, MASK)
            else:
                yield from _secrets(each, fields, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        shown = [_argument(each, before) for each, before in zip(value, ["", *value], strict=False)]
        if shown != value:
            secret = next(each for each, there in zip(value, shown, strict=True) if each != there)
            yield path, (secret, shown)
    elif isinstance(value, list):
        for n, each in enumerate(value):
            yield from _secrets(each, fields, (*path, n))
    elif isinstance(value, str) and (shown_text := masked_target(value)) != value:
        yield path, (value, shown_text)


def _argument(value: str, before: str) -> str:
    """An argument of a program, or another text of a list."""
    if before.startswith("--") and "=" not in before and is_secret(before):
        return MASK
    return masked(masked_target(value))
