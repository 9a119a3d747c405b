"""What the commands of ``rproxy`` share: how one is described, what it is asked with, how it speaks on the terminal."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from proxy_core import __version__
from proxy_core.errors import Problem, errors, nearest
from proxy_core.printable import printable_json, printable_lines

if TYPE_CHECKING:
    from proxy_core.config.model import Site
    from proxy_core.config.reading.document import Document

EXIT_NO_LISTENER = EXIT_OUTPUT_LOST = 1
EXIT_BAD_SITE = 2
EXIT_LOSSES = 3


_FILES_TOO = {
    "bash": "_shtab_{name}_pos_0_COMPGEN=_shtab_compgen_files",
    "zsh": "functions[_shtab_{name}_commands]+=$'\\n_files'",
    "fish": "complete -c {prog} -n 'test $_shtab_{name}_npos -eq 0' -ka '(__fish_complete_path (commandline -ct))'",
}
"""What shtab has no word for: a file may stand in a command's place. Its names are those that shtab gives to
what is of the program ``prog``: ``name`` in them."""


class Parser(argparse.ArgumentParser):
    """One whose words about what was given are made printable as well."""

    def read(self, given: Sequence[str]) -> argparse.Namespace:
        """The arguments. An unknown one ends the program with status 2, and with the option that was meant."""
        found, unknown = self.parse_known_args(given)
        if unknown:
            meant = nearest(unknown[0].partition("=")[0], self._option_string_actions)
            hint = f"; did you mean {meant}?" if meant else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found

    def completion(self, shell: str) -> str:
        """What makes a shell complete this command line: files for paths, files beside the commands where they are."""
        import shtab

        parsers: list[argparse.ArgumentParser] = [self]
        for parser in parsers:
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    parsers += action.choices.values()
                elif action.type is Path:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
        names = {"prog": self.prog, "name": self.prog.replace("-", "_")}
        more = _FILES_TOO.get(shell, "").format_map(names) if len(parsers) > 1 else ""
        before, after = (more, "") if shell == "zsh" else ("", more)  # zsh runs the last lines with each completion
        return f"{shtab.complete(self, shell, preamble=before)}\n{after}\n"

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable_lines(message), file)


class Telling(argparse.Action):
    """An option that prints a text, made when it is asked for of the option's value, and ends the program."""

    def __init__(self, *names: Any, text: Callable[[Any], str], **options: Any) -> None:
        super().__init__(*names, **{**options, "default": argparse.SUPPRESS})
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, _given: Any, values: Any, _name: str | None = None) -> None:
        print(self._text(values), end="")
        parser.exit()


class Subcommand(Struct, frozen=True):
    """``arguments`` teaches a parser, ``run`` gives the exit status and raises ArgumentTypeError, worded for people,
    for arguments that do not fit together; ``epilog`` stands at the end of --help."""

    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    epilog: str = ""


def site_argument(parser: argparse.ArgumentParser, **more: Any) -> None:
    parser.add_argument("site", type=Path, **{"help": "the site file (TOML)", **more})


def build() -> str:
    """What the modules that a request passes are made of (packaging/compiled.py)."""
    of_one = find_spec("proxy_core.serve.flight")
    return "compiled" if of_one and isinstance(of_one.loader, ExtensionFileLoader) else "pure Python"


def common_options(parser: argparse.ArgumentParser, whole: Callable[[], Parser]) -> None:
    """What a program tells of itself; ``whole`` makes the parser that shells are to complete."""
    version = lambda _: f"{parser.prog} {__version__} ({build()})\n"  # noqa: E731
    help_ = "show the version, and whether this is the compiled wheel"
    parser.add_argument("--version", action=Telling, nargs=0, text=version, help=help_)
    help_ = "print what makes this shell complete the command line"
    shells = ("bash", "fish", "tcsh", "zsh")
    text = lambda shell: whole().completion(shell)  # noqa: E731
    parser.add_argument("--completion", action=Telling, choices=shells, text=text, help=help_)


def serving_options(parser: argparse.ArgumentParser) -> None:
    """What every program that serves takes beside the site file."""
    help_ = "start without a listener, or with nothing that answers; without it such a file is refused"
    parser.add_argument("--allow-empty", action="store_true", help=help_)
    door = parser.add_mutually_exclusive_group()
    help_ = "the socket through which rproxy ctl and consoles reach it (default: where docs/control.md says)"
    door.add_argument("--control", type=Path, metavar="SOCKET", help=help_)
    help_ = "open no such socket"
    door.add_argument("--no-control", dest="control", action="store_const", const=False, help=help_)


def sound(file: Path) -> tuple[Document, Site] | None:
    """The site in a file. None when it has errors, which are then reported."""
    from proxy_core.config.reading.document import read  # not for who only asks for help
    from proxy_core.control.editing.site_problems import check

    document = read(file)
    faults = errors(check(document))
    if document.site is None or faults:
        report_all(faults)
        return None
    return document, document.site


def written(
    text: str, output: Path | None, beside: Mapping[Path, str], force: bool, source: Path | None = None
) -> bool:
    """Write the text, to standard output where ``output`` is None, and the files that belong to it. Nothing is
    overwritten without ``force``. What is made of a ``source`` that not all may read can be read by nobody else either.
    False, with the reason told, when that cannot be."""
    files = beside if output is None else {**beside, output: text}
    existing = next((file for file in files if file.exists() and not force), None)
    if existing is not None:
        tell(f"{existing} is there already; --force overwrites it")
        return False
    for file, content in files.items():
        try:
            mode = (
                stat.S_IMODE(source.stat().st_mode) & 0o666 if source and file == output and source.exists() else 0o666
            )
            with open(file, "w", opener=partial(os.open, mode=mode)) as out:
                out.write(content)
        except OSError as error:
            tell(f"{file} cannot be written: {error.strerror}")
            return False
    if output is None:
        print(printable_lines(text) if sys.stdout.isatty() else text, end="")  # a file gets it as it is
    return True


def force_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="overwrite what is there")


def report(problem: Problem, prefix: str = "") -> None:
    tell(prefix + str(problem))


def tell(text: str) -> None:
    """Say on standard error what is wrong, or what happens, in lines that a terminal can show."""
    with suppress(OSError):  # a full disk, or nobody who reads
        print(printable_lines(text), file=sys.stderr, flush=True)


def tell_json(content: Any) -> None:
    """Say something on standard error for programs."""
    import msgspec

    tell(printable_json(msgspec.json.format(msgspec.json.encode(content)).decode()))


def report_all(problems: Iterable[Problem], prefix: str = "") -> None:
    """Each on a line of its own, behind ``prefix``: a level for systemd's journal."""
    for problem in problems:
        report(problem, prefix)


class OutputLost(Exception):
    """Standard output does not take what was asked for."""


def say(text: str) -> None:
    """Print what was asked for, in lines that a terminal can show. Raises OutputLost."""
    try:
        print(printable_lines(text), flush=True)
    except OSError as error:  # what is left must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whoever read it had enough
            raise OutputLost(f"standard output cannot be written: {error.strerror}") from error
