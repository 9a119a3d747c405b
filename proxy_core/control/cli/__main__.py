"""``rproxy``: the engine without a console, and what else is done with a site file.

``rproxy SITE.toml`` serves; the other commands are check, explain, import and export. What a command needs is imported
when it is asked for. Problems go to standard error, one a line, as ``file:line:column: what, what to do``. The exit
status is 1 when standard output does not take what was asked for, 2 when what was given has errors, and 3 when an
import or export lost something.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from importlib import import_module

from proxy_core.control.cli.subcommand import EXIT_OUTPUT_LOST, OutputLost, Parser, Subcommand, tell

MODULES = {"check": "check_site", "explain": "explain_request", "import": "import_export", "export": "import_export"}
"""Where each command is, as a Subcommand of its name; serving has none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``rproxy``; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given.pop(0) if given and given[0] in MODULES else ""
    module = import_module(f"proxy_core.control.cli.{MODULES.get(name, 'serve_site')}")
    command: Subcommand = getattr(module, name.upper() or "SERVE")
    parser = Parser(f"rproxy {name}".rstrip(), description=command.about, epilog=command.epilog)
    command.arguments(parser)
    try:
        return command.run(parser.parse_args(given))
    except ArgumentTypeError as error:
        parser.error(str(error))
    except OutputLost as lost:
        tell(str(lost))
        return EXIT_OUTPUT_LOST


if __name__ == "__main__":
    sys.exit(main())
