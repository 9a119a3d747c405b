"""``rproxy import`` and ``rproxy export``: an httpd.conf becomes a site file, a site file an httpd.conf, and a report
says what was lost on the way.

The file is written in any case but one: a site that has errors is not exported. The exit status is 0 when nothing was
lost, 3 when something was, and 2 when what was given could not be read as a whole. A file that is there already is
never overwritten without --force. What knows Apache is loaded only here, when somebody asks: serving needs none of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from proxy_core.config.reading.document import read
from proxy_core.control.editing.editor import check
from proxy_core.errors import errors

EXIT_FAULTY = 2
EXIT_LOSSES = 3


def import_configuration(given: Sequence[str]) -> int:
    """Run ``rproxy import``; returns the exit status."""
    from proxy_core.apache.importer import import_file
    from proxy_core.apache.report import as_json, spelled

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


def export_configuration(given: Sequence[str]) -> int:
    """Run ``rproxy export``; returns the exit status."""
    from proxy_core.apache.export import MODULES, export_site
    from proxy_core.apache.lexer import Unsayable

    parser = argparse.ArgumentParser(
        "rproxy export",
        description="Make a configuration of a site file that Apache httpd serves in the same way. What httpd cannot "
        "say is listed on standard error, with its place in the site file and the reason. The exit status is 0 when "
        "nothing was lost, 3 when something was, 2 when the site file has errors (then nothing is written).",
        epilog="Try the result with: apache2 -t -f httpd.conf",
    )
    parser.add_argument("site", type=Path, help="the site file (TOML)")
    parser.add_argument("--to", choices=("apache",), required=True, help="what to export to")
    parser.add_argument("-o", "--output", type=Path, help="the configuration to write; without it standard output")
    parser.add_argument("--report", choices=("text", "json"), default="text", help="how to tell what was lost")
    parser.add_argument(
        "--modules", type=Path, default=MODULES, metavar="FOLDER", help="where httpd has its modules (%(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    asked = parser.parse_args(given)
    document = read(asked.site)
    faults = errors(check(document))
    if document.site is None or faults:
        print("\n".join(map(str, faults or document.problems)), file=sys.stderr)
        return EXIT_FAULTY
    output: Path | None = asked.output
    beside = output.parent if output is not None else asked.site.parent
    try:
        made = export_site(document.site, asked.site, beside, asked.modules)
    except Unsayable as why:
        print(f"{asked.site}: {why}: take them out of what is set for the whole site or a host", file=sys.stderr)
        return EXIT_FAULTY
    files = made.files if output is None else {**made.files, output: made.text}
    there = next((file for file in files if file.exists() and not asked.force), None)
    if there is not None:
        print(f"{there} is there already; --force overwrites it", file=sys.stderr)
        return EXIT_FAULTY
    for file, text in files.items():
        try:
            file.write_text(text)
        except OSError as error:
            print(f"{file} cannot be written: {error.strerror}", file=sys.stderr)
            return EXIT_FAULTY
    if output is None:
        print(made.text, end="")
    losses = [document.located(loss) for loss in made.losses]
    if asked.report == "json":
        print(msgspec.json.format(msgspec.json.encode({"losses": losses})).decode(), file=sys.stderr)
    else:
        for loss in losses:
            print(loss, file=sys.stderr)
    return EXIT_LOSSES if losses else 0
