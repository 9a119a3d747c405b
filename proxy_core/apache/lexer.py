"""Lines of httpd.conf, read as directives and written: ``ap_cfg_getline`` and ``ap_getword_conf`` (server/util.c).

A backslash at the end of a line joins it to the next, a comment too; ``#`` begins a comment only as the first thing of
a line. Words are parted by blanks; one in quotes keeps them, and in it a backslash stands before its quote or another
backslash. Everything keeps the file and line it came from. Nothing here knows what a directive means, and nothing
raises while it reads: whoever reads decides what is a fault.

A word is written in quotes only where it must be. In quotes a backslash hides a quote or another backslash, outside of
them another backslash (``substring_conf`` in server/util.c); rewrite rules have quotes too, and hide nothing
(``parseargline`` in mod_rewrite.c). What no line can hold raises ``Unsayable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from proxy_core.apache import masking
from proxy_core.secret_values import MASK, is_secret


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where something stands: a file, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive, or a section with what stands in it."""

    name: str
    """Its name, as written."""
    raw: str
    """What follows its name, with variables filled in."""
    place: SourcePlace
    """Where it stands."""
    inside: tuple[Directive, ...] | None = None
    """What stands in the section; None for no section."""
    told: str = ""
    """``raw`` without variables that hold secrets, "" where it has none of these."""
    args: tuple[str, ...] = field(init=False, compare=False, repr=False)
    """The words of ``raw``, which are asked for again and again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", tuple(words(self.raw)))

    @property
    def key(self) -> str:
        """The name as tables have it: directives are written in any case."""
        return self.name.lower()

    @property
    def shown(self) -> str:
        """What follows its name, as people are shown it."""
        return masking.shown(self.name, self.told or self.raw)

    def unsaid(self, why: str) -> str:
        """What is said of it, without its secrets."""
        return masking.unsaid(why, self.raw, self.shown)

    def __str__(self) -> str:
        """The directive as people are shown it, its secrets masked."""
        text = f"{self.name} {self.shown}".strip()
        return f"<{text}>" if self.inside is not None else text


_IN_FILE = re.compile(r"#\s*In file:\s*(.*\S)\s*")

_AT_LINE = re.compile(r"#\s*(\d+):\s*")


def lines(text: str, file: str) -> Iterator[tuple[SourcePlace, str]]:
    """The lines that say something, stripped and joined where a backslash says so. In what ``apache2 -t -D
    DUMP_CONFIG`` prints, places are those that it tells of."""
    parts: list[str] = []
    start = 0
    told_file, told_line = file, 0
    dumped = text.startswith("# In file:")
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], 1):
        start = start or number
        parts.append(line.removesuffix("\\"))
        if line.endswith("\\"):
            continue
        whole, parts = "".join(parts).strip(), []
        place, start = SourcePlace(told_file, told_line or start) if dumped else SourcePlace(file, start), 0
        if whole.startswith("#"):
            if dumped and (found := _IN_FILE.fullmatch(whole)):
                told_file = found[1]
            elif dumped and (found := _AT_LINE.fullmatch(whole)):
                told_line = int(found[1])
        elif whole:
            yield place, whole


def words(text: str) -> Iterator[str]:
    """The words of a line, quotes taken off."""
    at, end = 0, len(text)
    while True:
        while at < end and text[at].isspace():
            at += 1
        if at >= end:
            return
        quote = text[at] if text[at] in "\"'" else ""
        at += len(quote)
        word = []
        while at < end and (text[at] != quote if quote else not text[at].isspace()):
            if text[at] == "\\" and text[at + 1 : at + 2] in ("\\", quote or "\\"):
                at += 1
            word.append(text[at])
            at += 1
        at += len(quote)
        yield "".join(word)


def rewrite_words(text: str) -> Iterator[str]:
    """The words of a RewriteRule or RewriteCond: ``parseargline`` in mod_rewrite.c takes no backslash away; before a
    blank one keeps the word going."""
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        quote = text[at] if text[at] in "\"'" else ""
        at += len(quote)
        begins = at
        while at < end and (text[at] != quote if quote else not text[at].isspace()):
            at += 2 if text[at] == "\\" and text[at + 1 : at + 2].isspace() else 1
        yield text[begins:at]
        at += 1


def rest(text: str, count: int) -> str:
    """What follows the first ``count`` words, as it stands."""
    at = 0
    for _ in range(count):
        found = re.compile(r"""\s*(?:"(?:\\["\\]|[^"])*"?|'(?:\\['\\]|[^'])*'?|\S*)\s*""").match(text, at)
        at = found.end() if found else len(text)
    return text[at:]


_VARIABLE = re.compile(r"\$\{([^}:]*)\}")


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with each ``${NAME}`` that is known; with a colon it is a map's, and stays (``ap_resolve_env``)."""
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def filled_in_public(text: str, variables: Mapping[str, str]) -> str:
    """The same with secrets masked."""
    return _VARIABLE.sub(lambda found: MASK if is_secret(found[1]) else variables.get(found[1], found[0]), text)


def filled_size(text: str, variables: Mapping[str, str]) -> int:
    """How many characters that has, or fewer."""
    return len(text) + sum(len(variables.get(name, "")) - len(name) - 3 for name in _VARIABLE.findall(text))


def split(line: str) -> tuple[str, str]:
    """Name and rest of a line; a section's name begins with ``<``, and its last ``>`` is gone."""
    name, *raw = (line.removesuffix(">") if line.startswith("<") else line).split(None, 1)
    return name, raw[0].strip() if raw else ""


Lines = list[str]

_QUOTED = re.compile(r"[\s\"'<>#]|\A\Z|\\\Z")


class Unsayable(ValueError):
    """A text that no line of httpd.conf can hold; the words say why."""


def word(text: str) -> str:
    """One word of a directive. Raises Unsayable."""
    check(text)
    if not _QUOTED.search(text):
        return re.sub(r"\\{2,}", lambda run: run[0] * 2, text)
    inside = re.sub(r'\\{2,}|\\+(?="|\Z)', lambda run: run[0] * 2, text)
    return '"' + inside.replace('"', '\\"') + '"'


def rewrite_word(text: str) -> str:
    """One word of a RewriteRule or RewriteCond. Raises Unsayable."""
    check(text)
    if text and not re.search(r"\s|\A[\"']|\\\Z", text):
        return text
    for quote in "\"'":
        if quote not in text:
            return quote + text + quote
    raise Unsayable("a rule cannot have blanks and both kinds of quotes in one word")


def check(text: str) -> None:
    """Raises Unsayable for what would end a line."""
    if not text.isprintable() and re.search(r"[\0-\x1f\x7f]", text.replace("\t", "")):
        raise Unsayable("a line of httpd.conf cannot hold control characters")


def line(name: str, *words: str) -> str:
    """A directive. Raises Unsayable."""
    return " ".join([name, *map(word, words)])


def section(name: str, argument: str, inside: Iterable[str]) -> Lines:
    """A section with its lines; none where there is nothing in it."""
    lines = [f"    {each}" if each else "" for each in inside]
    return [f"<{name} {argument}>" if argument else f"<{name}>", *lines, f"</{name}>"] if lines else []


def off(lines: Iterable[str]) -> Lines:
    """Lines that are out of service."""
    return [f"# {each}" for each in lines]
