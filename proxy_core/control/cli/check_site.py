"""``rproxy check SITE.toml``: every problem of a site file; the exit status is 2 when one is an error."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from proxy_core.config.reading.document import read
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, say, site_argument
from proxy_core.control.editing.editor import check
from proxy_core.errors import errors
from proxy_core.printable import printable
from proxy_core.runtime.error_page_files import unreadable


def _run(given: Namespace) -> int:
    file: Path = given.site
    document = read(file)
    site = document.site or (document.remains and document.remains.site)
    files = map(document.located, unreadable(site, file.parent)) if site else ()
    problems = tuple(sorted([*check(document, emptied=()), *files], key=lambda problem: (problem.line, problem.column)))
    lines = [str(problem) for problem in problems]
    faulty = document.site is None or errors(problems)
    if not faulty:
        warnings = f", with {len(problems)} warning{'s' * (len(problems) > 1)}" if problems else ""
        lines.append(f"{printable(str(file))}: sound{warnings}")
    say("\n".join(lines))
    return EXIT_BAD_SITE if faulty else 0


CHECK = Subcommand(site_argument, _run)
