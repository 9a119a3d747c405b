"""``rproxy``: the engine without a console, and what else is done with a site file.

``rproxy SITE.toml`` serves; ``COMMANDS`` are the others. What a command needs is imported when it is asked for.
Problems go to standard error, one a line, as ``file:line:column: what, what to do``. The exit status is 1 when standard
output does not take what was asked for, 2 when what was given has errors, and 3 when an import or export lost
something; ctl has more (``ctl.CTL``).
"""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from proxy_core.control.cli.subcommand import (
    EXIT_OUTPUT_LOST,
    OutputLost,
    Parser,
    Subcommand,
    Telling,
    common_options,
    serving_options,
    tell,
)
from proxy_core.errors import nearest

COMMANDS = {
    "check": ("check_site", "List every problem of a site file, and of the files, programs and names in it."),
    "conform": (
        "conform",
        "Ask another engine what it makes of a site's requests, and say where it differs from rproxy.",
    ),
    "ctl": ("ctl", "Ask and change a service that runs."),
    "explain": ("explain_request", "Tell what would become of a request, and why."),
    "export": (
        "import_export",
        "Make a configuration of a site file that Apache httpd or HAProxy serves in the same way.",
    ),
    "import": ("import_export", "Make a site file of an Apache httpd configuration."),
    "init": ("init_site", "Write a small site file with comments, to start from."),
    "test": ("rule_tests", "Ask the rules every request of [[tests]], and say what comes out otherwise."),
}
"""The module of each command, which has it as a Subcommand of its name, and what the command does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``rproxy``; returns the exit status."""
    gc.set_threshold(50_000)  # what a start makes stays: walks through it would find next to nothing
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        name = given.pop(0)
        command = _command(name)
        parser = Parser(f"rproxy {name}", description=COMMANDS[name][1], epilog=command.epilog)
    else:
        command = _command("serve", "serve_site")
        parser = _serving()
        if given and given[0].isalpha() and not Path(given[0]).exists():
            parser.error(_no_command(given[0]))
    command.arguments(parser)
    try:
        return command.run(parser.read(given))
    except ArgumentTypeError as error:
        parser.error(str(error))
    except OutputLost as lost:
        tell(str(lost))
        return EXIT_OUTPUT_LOST


def whole() -> Parser:
    """The whole command line as one parser: its help, its completion in shells and its man page are made of this."""
    parser = _serving()
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="rproxy")
    for name, (_, about) in COMMANDS.items():
        command = _command(name)
        command.arguments(commands.add_parser(name, help=about, description=about, epilog=command.epilog))
    return parser


def _command(name: str, module: str = "") -> Subcommand:
    found = import_module(f"proxy_core.control.cli.{module or COMMANDS[name][0]}")
    return cast(Subcommand, getattr(found, name.upper()))


def _serving() -> Parser:
    """The parser of ``rproxy SITE.toml`` with its options, not yet with the site."""
    parser = Parser(
        "rproxy",
        usage="%(prog)s [--allow-empty] SITE.toml | COMMAND …",
        description="Serve the site of a site file until a signal says stop, or run a command.",
        add_help=False,
    )
    help_ = "show this, or what a command takes: rproxy check --help"
    parser.add_argument("-h", "--help", action=Telling, nargs=0, text=lambda _: whole().format_help(), help=help_)
    common_options(parser, whole)
    serving_options(parser)
    return parser


def _no_command(word: str) -> str:
    meant = nearest(word, COMMANDS)
    which = f"did you mean {meant}?" if meant else f"the commands are {', '.join(COMMANDS)}"
    return f"{word} is no command, and there is no file of that name; {which}"


if __name__ == "__main__":
    sys.exit(main())
