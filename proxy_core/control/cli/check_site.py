"""``rproxy check SITE.toml``: every problem of a site file and of what it names; the exit status is 2 when one is an
error."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from proxy_core.config.reading.document import read
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, say, site_argument
from proxy_core.control.editing.site_problems import check
from proxy_core.control.named_things import of_maps, with_things_at_hand
from proxy_core.errors import Problem, errors
from proxy_core.printable import printable


def _run(given: Namespace) -> int:
    file: Path = given.site
    document = read(file)
    maps: tuple[Problem, ...] = ()
    if document.data.get("maps"):
        import asyncio  # most sites have none, and it is much to load

        maps = asyncio.run(of_maps(document))
    problems = with_things_at_hand(document, check(document, emptied=()), maps, names=True)
    lines = [str(problem) for problem in problems]
    faulty = document.site is None or errors(problems)
    if not faulty:
        warnings = f", with {len(problems)} warning{'s' * (len(problems) > 1)}" if problems else ""
        lines.append(f"{printable(str(file))}: sound{warnings}")
    say("\n".join(lines))
    return EXIT_BAD_SITE if faulty else 0


CHECK = Subcommand(site_argument, _run)
