"""``rproxy import``: an httpd.conf becomes a site file, and a report says what was lost.

The file is written in any case. The exit status is 0 when nothing was lost, 3 when something was, and 2 when the
configuration could not be read as a whole. A file that is there already is never overwritten without --force.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy_core.apache.importer import import_file
from proxy_core.apache.report import as_json, spelled

EXIT_FAULTY = 2
EXIT_LOSSES = 3


def import_configuration(given: Sequence[str]) -> int:
    """Run ``rproxy import``; returns the exit status."""
    parser = argparse.ArgumentParser("rproxy import", description="Make a site file of an Apache httpd configuration.")
    parser.add_argument("configuration", type=Path, help="httpd.conf, or what apache2 -t -D DUMP_CONFIG prints")
    parser.add_argument("-o", "--output", type=Path, help="the site file to write; without it standard output")
    parser.add_argument(
        "--define", action="append", default=[], metavar="NAME[=VALUE]", help="as httpd's -D; repeat it"
    )
    parser.add_argument("--allow-programs", action="store_true", help="let map programs and databases come in enabled")
    parser.add_argument("--report", choices=("text", "json"), default="text", help="how to tell what became of it")
    parser.add_argument("--force", action="store_true", help="overwrite the site file")
    asked = parser.parse_args(given)
    output: Path | None = asked.output
    if output is not None and output.exists() and not asked.force:
        print(f"{output} is there already; --force overwrites it", file=sys.stderr)
        return EXIT_FAULTY
    defines = dict(name.partition("=")[::2] for name in asked.define)
    folder = output.parent if output is not None else Path()
    made = import_file(asked.configuration, defines, asked.allow_programs, folder)
    if output is None:
        print(made.text, end="")
    else:
        try:
            output.write_text(made.text)
        except OSError as error:
            print(f"{output} cannot be written: {error.strerror}", file=sys.stderr)
            return EXIT_FAULTY
    told = as_json(made.report) if asked.report == "json" else spelled(made.report)
    print(told, file=sys.stderr if output is None else sys.stdout)
    if made.report.problems:
        return EXIT_FAULTY
    return EXIT_LOSSES if made.report.losses else 0
