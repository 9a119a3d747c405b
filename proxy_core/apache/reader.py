"""A whole configuration as one tree: includes followed, conditions decided, variables filled in.

What httpd does while it reads, before any module sees a directive: Include and IncludeOptional, Define and UnDefine,
LoadModule, IfModule, IfDefine, IfVersion, IfFile, ServerRoot, Error, Macro and Use. How much that may be is bounded
(``budget``), and only regular files are read. A file that loads no module at all
is taken for a part of a configuration, and every module for loaded. Faults are collected, never raised; what could be
read is there in any case.
"""

from __future__ import annotations

import glob
import operator
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from proxy_core import regular_files
from proxy_core.apache.budget import DEPTH, FAULTS, LINE, Budget
from proxy_core.apache.lexer import Directive, SourcePlace, filled, filled_in_public, filled_size, lines, split
from proxy_core.errors import Problem
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import Runaway
from proxy_core.secret_values import MASK, is_secret, masked

VERSION = (2, 4, 71)
"""The httpd whose meaning is imported, for IfVersion."""

BUILT_IN = frozenset({"core", "so", "http", "http_core", "log_config", "logio", "version", "unixd", "watchdog"})

_MORE = Problem(what=f"there are more faults than these {FAULTS}", todo="mend these first")
_MOST_OF_ENVVARS = 64 << 10
_MOST_OF_A_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was read: directives in order, the faults met, the ServerRoot; ``more`` reads another file behind it."""

    directives: tuple[Directive, ...]
    problems: tuple[Problem, ...]
    root: Path
    more: Callable[[Path], tuple[Directive, ...] | None]


def read(file: Path, defines: Mapping[str, str]) -> Configuration:
    """Read a file and all that it includes. ``defines`` are what ``-D`` would say."""
    modules = None
    deadline = Budget().deadline
    while True:
        variables = dict(_environment(file.parent)) | dict(defines)
        reader = ConfigurationReader(file.parent, variables, {*defines}, modules, Budget(deadline))
        directives = reader.file(file)
        if modules is not None or not reader.loaded:
            return Configuration(directives, tuple(reader.problems), reader.root, reader.more)
        modules = set(BUILT_IN)


def _environment(folder: Path) -> Iterator[tuple[str, str]]:
    """Debian's envvars, the shell script from which apache2ctl takes the variables of its apache2.conf."""
    try:
        text = regular_files.content(folder / "envvars", _MOST_OF_ENVVARS).decode(errors="replace")
    except OSError:
        return
    variables = {"SUFFIX": ""}
    for found in re.finditer(r"^\s*(?:export\s+|:\s*\$\{)?(\w+):?=([^\n}]*)", text, re.MULTILINE):
        value = found[2].strip().strip("\"'")
        value = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda name: variables.get(name[1] or name[2], ""), value)
        value = value[:_MOST_OF_A_VALUE]
        variables[found[1]] = value
        yield found[1], value


class SourceLines(NamedTuple):
    """The lines of a file or macro, and for each that opens a section the number of the one that closes it."""

    lines: Sequence[tuple[SourcePlace, str]]
    ends: Mapping[int, int]


@dataclass
class ConfigurationReader:
    """One reading of a file and all that it includes."""

    root: Path
    """ServerRoot, which relative paths begin at."""
    variables: dict[str, str]
    """What ${NAME} stands for."""
    defined: set[str]
    """What <IfDefine> asks for."""
    modules: set[str] | None
    """Modules that are loaded, None for all."""
    budget: Budget = field(default_factory=Budget)
    """How much may be read."""
    full: bool = False
    """Whether that was too much: nothing more is read."""
    loaded: bool = False
    """Whether any LoadModule was met."""
    problems: dict[Problem, None] = field(default_factory=dict)
    """Faults met so far, each once."""
    macros: dict[str, tuple[list[str], Sequence[tuple[SourcePlace, str]]]] = field(default_factory=dict)
    """Parameters and lines of each <Macro>, by its name in lower case."""
    top: Path | None = None
    """The file that was read first."""

    def more(self, path: Path) -> tuple[Directive, ...] | None:
        """The directives of another file; None where there is something wrong with it."""
        before, found = len(self.problems), self.file(path)
        return found if len(self.problems) == before else None

    def file(self, path: Path, depth: int = 0, place: SourcePlace | None = None) -> tuple[Directive, ...]:
        self.top = self.top or path
        place = place or SourcePlace(str(path), 0)
        try:
            content = regular_files.content(path)
        except OSError as error:
            self.fault(place, f"{path} cannot be read: {error.strerror}", "check the path")
            return ()
        if not (self.affords(place, "files", 1) and self.affords(place, "bytes", len(content))):
            return ()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        shown = path.name if path == self.top else self.shown(path)
        return self.run(lines(text, shown), depth)

    def shown(self, path: Path) -> str:
        assert self.top is not None
        return str(path.relative_to(self.top.parent)) if path.is_relative_to(self.top.parent) else str(path)

    def fault(self, place: SourcePlace, what: str, todo: str) -> None:
        problem = Problem(what=masked(what), todo=todo, file=place.file, line=place.line, column=1)
        if len(self.problems) < FAULTS:
            self.problems.setdefault(problem)
        else:
            self.problems.setdefault(_MORE)

    def affords(self, place: SourcePlace, what: str, amount: int) -> bool:
        """Whether there is room for this; where there is not, that is told once, and nothing more is read."""
        if not self.full and (excess := self.budget.excess(what, amount)):
            self.full = True
            todo = "see what includes or expands itself, or import a part of it"
            self.fault(place, f"{excess}, with all that is included and expanded: the rest is left out", todo)
        return not self.full

    def deeper(self, place: SourcePlace, depth: int) -> bool:
        """Whether there may be one level more."""
        if depth >= DEPTH:
            what = f"sections, files and macros stand in one another deeper than {DEPTH} levels"
            self.fault(place, what, "put less into it, or remove what includes or uses itself")
        return depth < DEPTH

    def run(self, source: Iterator[tuple[SourcePlace, str]], depth: int) -> tuple[Directive, ...]:
        """Directives of a run of lines whose sections must be whole in it."""
        taken: list[tuple[SourcePlace, str]] = []
        for place, line in source:
            if not self.affords(place, "lines", 1):
                break
            if len(line) > LINE:
                self.too_long(place)
            else:
                taken.append((place, line))
        return self.directives(SourceLines(taken, self.ends(taken)), range(len(taken)), depth)

    def too_long(self, place: SourcePlace) -> None:
        self.fault(place, f"the line has more than {LINE} characters, so it is left out", "make several of it")

    def directives(self, source: SourceLines, part: range, depth: int) -> tuple[Directive, ...]:
        """Directives of a part of the lines."""
        found: list[Directive] = []
        at = part.start
        while at < part.stop and not self.full:
            place, line = source.lines[at]
            name, raw = split(line)
            end = source.ends.get(at, at)
            read = None if name.startswith("</") else self.directive(place, name.removeprefix("<"), raw)
            if read is not None and not name.startswith("<"):
                found += self.plain(read, depth)
            elif read is not None and self.deeper(place, depth):
                found += self.section(read, source, range(at + 1, end), depth + 1)
            at = end + 1
        return tuple(found)

    def directive(self, place: SourcePlace, name: str, raw: str) -> Directive | None:
        """A directive with its variables filled in; None where that is too long."""
        if "${" not in raw:
            return Directive(name, raw, place)
        size = filled_size(raw, self.variables)
        if size > LINE:
            self.too_long(place)
        elif self.affords(place, "bytes", size):
            told = filled_in_public(raw, self.variables)
            return Directive(name, filled(raw, self.variables), place, told=told)
        return None

    def ends(self, source: Sequence[tuple[SourcePlace, str]]) -> dict[int, int]:
        """The number of the line that closes each section; the end of the lines where none does."""
        opened: list[tuple[int, str]] = []
        names = Counter[str]()
        ends: dict[int, int] = {}
        for number, (place, line) in enumerate(source):
            word = split(line)[0]
            if word.startswith("</"):
                closed = word[2:].lower()
                if not opened:
                    self.fault(place, f"{word}> closes no section", "remove it, or open the section before it")
                    continue
                if closed != opened[-1][1]:
                    where = source[opened[-1][0]][0]
                    self.fault(place, f"{word}> closes <{opened[-1][1]}> of {where}", "close that first")
                if not names[closed]:
                    continue
                name = ""
                while name != closed:
                    begun, name = opened.pop()
                    names[name] -= 1
                    ends[begun] = number
            elif word.startswith("<"):
                opened.append((number, word[1:].lower()))
                names[word[1:].lower()] += 1
        for begun, _ in opened:
            name = split(source[begun][1])[0]
            self.fault(source[begun][0], f"{name}> is never closed", f"add </{name[1:]}>")
            ends[begun] = len(source)
        return ends

    def section(self, head: Directive, source: SourceLines, inside: range, depth: int) -> tuple[Directive, ...]:
        if head.key == "macro":
            called, *parameters = head.raw.split() or [""]
            self.macros[called.lower()] = (parameters, source.lines[inside.start : inside.stop])
            return ()
        condition = _CONDITIONS.get(head.key)
        if condition is None:
            return (replace(head, inside=self.directives(source, inside, depth)),)
        wanted, argument = (False, head.raw[1:]) if head.raw.startswith("!") else (True, head.raw)
        try:
            holds = condition(self, argument.strip("\"' "))
        except (ValueError, Runaway) as why:
            section = replace(head, inside=())
            self.fault(head.place, f"{section} cannot be decided: {why}", "correct it")
            return ()
        return self.directives(source, inside, depth) if holds is wanted else ()

    def plain(self, directive: Directive, depth: int) -> tuple[Directive, ...]:
        args = directive.args
        match directive.key:
            case "include" | "includeoptional":
                return self.included(directive, depth)
            case "define" if args:
                self.defined.add(args[0])
                if len(args) > 1:
                    self.variables[args[0]] = args[1]
            case "undefine" if args:
                self.defined.discard(args[0])
                self.variables.pop(args[0], None)
            case "loadmodule" if args:
                self.loaded = True
                if self.modules is not None:
                    self.modules.add(module(args[0]))
            case "serverroot" if args:
                self.root = Path(args[0])
            case "error":
                self.fault(
                    directive.place,
                    f"it says of itself: {directive.shown}",
                    "define what it asks for with --define",
                )
            case "use" if args:
                return self.used(directive, args, depth)
        return (directive,)

    def included(self, directive: Directive, depth: int) -> tuple[Directive, ...]:
        if not self.deeper(directive.place, depth):
            return ()
        found: list[Directive] = []
        for wanted in directive.args:
            files = self.files(wanted, directive.place)
            if not files and directive.key == "include" and not glob.has_magic(wanted):
                self.fault(directive.place, f"there is no {wanted}", "check the path, or write IncludeOptional")
            for path in files:
                if self.full:
                    break
                found += self.file(path, depth + 1, directive.place)
        return (Directive(directive.name, directive.raw, directive.place), *found)

    def files(self, wanted: str, place: SourcePlace) -> list[Path]:
        """What a path or pattern stands for, in httpd's order: folders with all that is in them, by name."""
        roots = [self.root] if self.top is None else [self.root, self.top.parent]
        for root in roots:
            matching = self.matching(root / wanted, place)
            found = [each for path in matching for each in (self.below(path, place) if os.path.isdir(path) else [path])]
            if found:
                return found
        return []

    def matching(self, path: Path, place: SourcePlace) -> list[Path]:
        """The paths that a pattern stands for, sorted."""
        found = [Path(path.anchor)]
        for part in path.parts[bool(path.anchor) :]:
            if not glob.has_magic(part):
                found = [each / part for each in found if os.path.lexists(each / part)]
                continue
            hidden = part.startswith(".")
            found = [
                each / name
                for each in found
                for name in self.names(each, place)
                if fnmatchcase(name, part) and (hidden or not name.startswith("."))
            ]
        return sorted(found)

    def below(self, folder: Path, place: SourcePlace) -> list[Path]:
        """The files in a folder and below, by name; what may not be looked at is not there."""
        found: list[Path] = []
        folders = [folder]
        for each in folders:  # grows with each that is found
            for path in (each / name for name in self.names(each, place)):
                if os.path.isfile(path):
                    found.append(path)
                elif os.path.isdir(path) and not os.path.islink(path):
                    folders.append(path)
        return sorted(found)

    def names(self, folder: Path, place: SourcePlace) -> list[str]:
        """The names in a folder."""
        found: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not self.affords(place, "names of files", 1):
                        break
                    found.append(entry.name)
        except OSError:
            return []
        return found

    def used(self, directive: Directive, args: Sequence[str], depth: int) -> tuple[Directive, ...]:
        parameters, source = self.macros.get(args[0].lower(), ([], ()))
        if args[0].lower() not in self.macros or len(parameters) != len(args) - 1:
            self.fault(
                directive.place, f"there is no macro {args[0]} with {len(args) - 1} parameters", "define it first"
            )
            return ()
        if not self.deeper(directive.place, depth):
            return ()
        values = dict(zip(parameters, args[1:], strict=True))
        words = [args[0], *(MASK if is_secret(name) else value for name, value in values.items())]
        directive = replace(directive, told=" ".join(words))
        return (directive, *self.run(self.expanded(directive.place, source, values), depth + 1))

    def expanded(
        self, used: SourcePlace, source: Sequence[tuple[SourcePlace, str]], values: Mapping[str, str]
    ) -> Iterator[tuple[SourcePlace, str]]:
        """The lines of a macro with values for its parameters, the longest of which are put in first."""
        longest_first = sorted(values.items(), key=lambda each: len(each[0]), reverse=True)
        for place, line in source:
            for name, value in longest_first:
                if len(line) + line.count(name) * (len(value) - len(name)) > LINE:
                    self.too_long(used)
                    break
                line = line.replace(name, value)
            else:
                if not self.affords(used, "bytes", len(line)):
                    return
                yield place, line


def module(name: str) -> str:
    """A module by the name that its file and its LoadModule share: mod_proxy.c and proxy_module are proxy."""
    return name.lower().removesuffix(".c").removesuffix(".so").removeprefix("mod_").removesuffix("_module")


def _version(reader: ConfigurationReader, argument: str) -> bool:
    """IfVersion; ``argument`` is "2.4", ">= 2.4", "= 2.4.71", or "~ ^2\\.4"."""
    sign, _, version = argument.partition(" ") if " " in argument else ("=", "", argument)
    if sign in ("~", "=~") or version.startswith("/"):
        return pattern.compile(version.strip("/ ")).search(".".join(map(str, VERSION))) is not None
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    compare = _COMPARISONS.get(sign.lstrip("!"))
    return compare is not None and compare(VERSION[: len(numbers)] if "=" in sign else VERSION, numbers)


_COMPARISONS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "=": operator.eq, "==": operator.eq, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip

_CONDITIONS: dict[str, Callable[[ConfigurationReader, str], bool]] = {
    "ifmodule": lambda reader, name: reader.modules is None or module(name) in reader.modules,
    "ifdefine": lambda reader, name: name in reader.defined,
    "ifversion": _version,
    "iffile": lambda reader, name: os.path.exists(reader.root / name),
    "ifdirective": lambda reader, name: True,
    "ifsection": lambda reader, name: True,
}
