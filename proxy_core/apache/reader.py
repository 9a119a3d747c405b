"""A whole configuration as one tree: includes followed, conditions decided, variables filled in.

What httpd does while it reads, before any module sees a directive: Include and IncludeOptional, Define and UnDefine,
LoadModule, IfModule, IfDefine, IfVersion, IfFile, ServerRoot, Error, Macro and Use. A file that loads no module at all
is taken for a part of a configuration, and every module for loaded. Faults are collected, never raised; what could be
read is there in any case.
"""

from __future__ import annotations

import glob
import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from proxy_core.apache.lexer import Directive, SourcePlace, filled, lines, split
from proxy_core.errors import Problem

VERSION = (2, 4, 71)
"""The httpd whose meaning is imported, for IfVersion."""

BUILT_IN = frozenset({"core", "so", "http", "http_core", "log_config", "logio", "version", "unixd", "watchdog"})

_DEPTH = 32

_SECTION_FILES = 1000


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was read: directives in order, the faults met, the ServerRoot."""

    directives: tuple[Directive, ...]
    problems: tuple[Problem, ...]
    root: Path


def read(file: Path, defines: Mapping[str, str]) -> Configuration:
    """Read a file and all that it includes. ``defines`` are what ``-D`` would say."""
    modules = None
    while True:
        variables = dict(_environment(file.parent)) | dict(defines)
        reader = ConfigurationReader(file.parent, variables, {*defines}, modules)
        directives = reader.file(file)
        if modules is not None or not reader.loaded:
            return Configuration(directives, tuple(reader.problems), reader.root)
        modules = set(BUILT_IN)


def _environment(folder: Path) -> Iterator[tuple[str, str]]:
    """Debian's envvars, the shell script from which apache2ctl takes the variables of its apache2.conf."""
    try:
        text = (folder / "envvars").read_text()
    except OSError:
        return
    variables = {"SUFFIX": ""}
    for found in re.finditer(r"^\s*(?:export\s+|:\s*\$\{)?(\w+):?=([^\n}]*)", text, re.MULTILINE):
        value = found[2].strip().strip("\"'")
        value = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda name: variables.get(name[1] or name[2], ""), value)
        variables[found[1]] = value
        yield found[1], value


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
    loaded: bool = False
    """Whether any LoadModule was met."""
    problems: list[Problem] = field(default_factory=list)
    """Faults met so far."""
    macros: dict[str, tuple[list[str], list[tuple[SourcePlace, str]]]] = field(default_factory=dict)
    """Parameters and lines of each <Macro>, by its name in lower case."""
    top: Path | None = None
    """The file that was read first."""

    def file(self, path: Path, depth: int = 0, place: SourcePlace | None = None) -> tuple[Directive, ...]:
        self.top = self.top or path
        try:
            content = path.read_bytes()
        except OSError as error:
            self.fault(place or SourcePlace(str(path), 0), f"{path} cannot be read: {error.strerror}", "check the path")
            return ()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        shown = path.name if path == self.top else self.shown(path)
        return self.directives(list(lines(text, shown)), depth)

    def shown(self, path: Path) -> str:
        assert self.top is not None
        return str(path.relative_to(self.top.parent)) if path.is_relative_to(self.top.parent) else str(path)

    def fault(self, place: SourcePlace, what: str, todo: str) -> None:
        self.problems.append(Problem(what=what, todo=todo, file=place.file, line=place.line, column=1))

    def directives(self, source: Sequence[tuple[SourcePlace, str]], depth: int) -> tuple[Directive, ...]:
        """Directives of a run of lines whose sections must be whole in it."""
        found: list[Directive] = []
        at = 0
        while at < len(source):
            place, line = source[at]
            at += 1
            name, raw = split(line)
            if name.startswith("</"):
                self.fault(place, f"{name}> closes no section", "remove it, or open the section before it")
                continue
            if name.startswith("<"):
                end = self.closing(source, at, name)
                inside, at = source[at:end], end + 1
                found += self.section(place, name[1:], filled(raw, self.variables), inside, depth)
                continue
            raw = filled(raw, self.variables)
            found += self.plain(Directive(name, raw, place), depth)
        return tuple(found)

    def closing(self, source: Sequence[tuple[SourcePlace, str]], at: int, name: str) -> int:
        """The number of the line that closes a section; the end of the lines where none does."""
        opened = [(source[at - 1][0], name[1:].lower())]
        for number in range(at, len(source)):
            word = split(source[number][1])[0]
            if word.startswith("</"):
                closed = word[2:].lower()
                if closed != opened[-1][1]:
                    where = opened[-1][0]
                    self.fault(source[number][0], f"{word}> closes <{opened[-1][1]}> of {where}", "close that first")
                    if closed not in [section for _, section in opened]:
                        continue
                    while opened[-1][1] != closed:
                        opened.pop()
                opened.pop()
                if not opened:
                    return number
            elif word.startswith("<"):
                opened.append((source[number][0], word[1:].lower()))
        self.fault(opened[0][0], f"{name}> is never closed", f"add </{name[1:]}>")
        return len(source)

    def section(
        self, place: SourcePlace, name: str, raw: str, inside: Sequence[tuple[SourcePlace, str]], depth: int
    ) -> tuple[Directive, ...]:
        if name.lower() == "macro":
            called, *parameters = raw.split() or [""]
            self.macros[called.lower()] = (parameters, list(inside))
            return ()
        condition = _CONDITIONS.get(name.lower())
        if condition is None:
            return (Directive(name, raw, place, self.directives(inside, depth)),)
        wanted, argument = (False, raw[1:]) if raw.startswith("!") else (True, raw)
        return self.directives(inside, depth) if condition(self, argument.strip("\"' ")) is wanted else ()

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
                    directive.place, f"it says of itself: {directive.raw}", "define what it asks for with --define"
                )
            case "use" if args:
                return self.used(directive, args, depth)
        return (directive,)

    def included(self, directive: Directive, depth: int) -> tuple[Directive, ...]:
        if depth >= _DEPTH:
            self.fault(directive.place, "files include one another without end", "remove one of the includes")
            return ()
        found: list[Directive] = []
        for pattern in directive.args:
            files = self.files(pattern)
            if not files and directive.key == "include" and not glob.has_magic(pattern):
                self.fault(directive.place, f"there is no {pattern}", "check the path, or write IncludeOptional")
            for path in files[:_SECTION_FILES]:
                found += self.file(path, depth + 1, directive.place)
        return (Directive(directive.name, directive.raw, directive.place), *found)

    def files(self, pattern: str) -> list[Path]:
        """What a path or pattern stands for, in httpd's order: folders with all that is in them, by name."""
        found: list[Path] = []
        roots = [self.root] if self.top is None else [self.root, self.top.parent]
        for root in roots:
            for name in sorted(glob.glob(str(root / pattern), include_hidden=False)):
                path = Path(name)
                found += _below(path) if path.is_dir() else [path]
            if found:
                break
        return found

    def used(self, directive: Directive, args: Sequence[str], depth: int) -> tuple[Directive, ...]:
        parameters, lines = self.macros.get(args[0].lower(), ([], []))
        if args[0].lower() not in self.macros or len(parameters) != len(args) - 1 or depth >= _DEPTH:
            self.fault(
                directive.place, f"there is no macro {args[0]} with {len(args) - 1} parameters", "define it first"
            )
            return ()
        values = dict(zip(parameters, args[1:], strict=True))
        longest_first = sorted(values, key=len, reverse=True)

        def put(line: str) -> str:
            for name in longest_first:
                line = line.replace(name, values[name])
            return line

        return (directive, *self.directives([(place, put(line)) for place, line in lines], depth + 1))


def _below(folder: Path) -> list[Path]:
    """The files in a folder and below, by name; what may not be looked at is not there."""
    inside = (
        Path(root, name) for root, _, names in os.walk(folder) for name in names if os.path.isfile(f"{root}/{name}")
    )
    return sorted(islice(inside, _SECTION_FILES))


def module(name: str) -> str:
    """A module by the name that its file and its LoadModule share: mod_proxy.c and proxy_module are proxy."""
    return name.lower().removesuffix(".c").removesuffix(".so").removeprefix("mod_").removesuffix("_module")


def _version(reader: ConfigurationReader, argument: str) -> bool:
    """IfVersion; ``argument`` is "2.4", ">= 2.4", "= 2.4.71", or "~ ^2\\.4"."""
    sign, _, version = argument.partition(" ") if " " in argument else ("=", "", argument)
    if sign in ("~", "=~") or version.startswith("/"):
        return re.search(version.strip("/ "), ".".join(map(str, VERSION))) is not None
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
    "iffile": lambda reader, name: (reader.root / name).exists(),
    "ifdirective": lambda reader, name: True,
    "ifsection": lambda reader, name: True,
}
