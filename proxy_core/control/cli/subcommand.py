"""What the commands of ``rproxy`` share: how one is described, and how it speaks on the terminal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document, read
from proxy_core.control.editing.editor import check
from proxy_core.errors import Problem, errors
from proxy_core.printable import printable_lines

EXIT_NO_LISTENER = EXIT_OUTPUT_LOST = 1
EXIT_BAD_SITE = 2
EXIT_LOSSES = 3


class Parser(argparse.ArgumentParser):
    """One whose words about what was given are made printable as well."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable_lines(message), file)


class Subcommand(NamedTuple):
    """``about`` and ``epilog`` are for --help. ``arguments`` teaches a parser, ``run`` gives the exit status and raises
    ArgumentTypeError, worded for people, for arguments that do not fit together."""

    about: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    epilog: str = ""


def site_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site file (TOML)")


def serving_arguments(parser: argparse.ArgumentParser) -> None:
    """What every program that serves takes."""
    site_argument(parser)
    help_ = "start without a listener, or with nothing that answers; without it such a file is refused"
    parser.add_argument("--allow-empty", action="store_true", help=help_)


def sound(file: Path) -> tuple[Document, Site] | None:
    """The site in a file. None when it has errors, which are then reported."""
    document = read(file)
    faults = errors(check(document))
    if document.site is None or faults:
        report_all(faults)
        return None
    return document, document.site


def report(problem: Problem, prefix: str = "") -> None:
    tell(prefix + str(problem))


def tell(text: str) -> None:
    """Say on standard error what is wrong, or what happens, in lines that a terminal can show."""
    with suppress(OSError):  # a full disk, or nobody who reads
        print(printable_lines(text), file=sys.stderr, flush=True)


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
