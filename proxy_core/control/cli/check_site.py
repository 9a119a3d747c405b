"""``rproxy check SITE.toml``: every problem of a site file and of what it names; the exit status is 2 when one is an
error."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path

from proxy_core.config.reading.document import read
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, say, site_argument
from proxy_core.control.editing.editor import check
from proxy_core.control.named_things import with_named_things
from proxy_core.errors import errors
from proxy_core.printable import printable


def _run(given: Namespace) -> int:
    file: Path = given.site
    document = read(file)
    problems = asyncio.run(with_named_things(document, check(document, emptied=()), names=True))
    lines = [str(problem) for problem in problems]
    faulty = document.site is None or errors(problems)
    if not faulty:
        warnings = f", with {len(problems)} warning{'s' * (len(problems) > 1)}" if problems else ""
        lines.append(f"{printable(str(file))}: sound{warnings}")
    say("\n".join(lines))
    return EXIT_BAD_SITE if faulty else 0


CHECK = Subcommand(site_argument, _run)
