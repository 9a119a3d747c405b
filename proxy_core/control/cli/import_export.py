"""``rproxy import`` makes a site file of an httpd.conf, ``rproxy export`` the reverse, or a haproxy.cfg; a report says
what was lost.

The file is written in any case but one: a site that has errors is not exported. The exit status is 0 when nothing was
lost, 3 when something was, and 2 when what was given could not be read as a whole. A file that is there already is
never overwritten without --force.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from proxy_core.apache.export import MODULES, export_site
from proxy_core.apache.importer import import_file
from proxy_core.apache.lexer import Unsayable
from proxy_core.apache.report import as_json, spelled
from proxy_core.control.cli.haproxy_export import haproxy_arguments, to_haproxy
from proxy_core.control.cli.subcommand import (
    EXIT_BAD_SITE,
    EXIT_LOSSES,
    Subcommand,
    force_option,
    report_all,
    say,
    site_argument,
    sound,
    tell,
    tell_json,
    written,
)
from proxy_core.printable import printable_json


def _import_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("configuration", type=Path, help="httpd.conf, or what apache2 -t -D DUMP_CONFIG prints")
    parser.add_argument(
        "--define", action="append", default=[], metavar="NAME[=VALUE]", help="as httpd's -D; repeat it"
    )
    parser.add_argument("--allow-programs", action="store_true", help="let map programs and databases come in enabled")
    _output_arguments(parser)


def _export_arguments(parser: ArgumentParser) -> None:
    site_argument(parser)
    parser.add_argument("--to", choices=("apache", "haproxy"), required=True, help="what to export to")
    parser.add_argument(
        "--modules", type=Path, default=MODULES, metavar="FOLDER", help="where httpd has its modules (%(default)s)"
    )
    haproxy_arguments(parser)
    _output_arguments(parser)


def _output_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=_file, help="the file to write; without it, or with -, standard output")
    parser.add_argument("--report", choices=("text", "json"), default="text", help="how to tell what was lost")
    force_option(parser)


def _file(name: str) -> Path | None:
    """The file of this name; None for the name that stands for standard output."""
    return None if name == "-" else Path(name)


def _import(given: Namespace) -> int:
    output: Path | None = given.output
    defines = dict(name.partition("=")[::2] for name in given.define)
    folder = output.parent if output is not None else Path()
    made = import_file(given.configuration, defines, given.allow_programs, folder)
    if not written(made.text, output, {}, given.force, given.configuration):
        return EXIT_BAD_SITE
    report = printable_json(as_json(made.report)) if given.report == "json" else spelled(made.report)
    (tell if output is None else say)(report)
    if made.report.problems:
        return EXIT_BAD_SITE
    return EXIT_LOSSES if made.report.losses else 0


def _export(given: Namespace) -> int:
    found = sound(given.site)
    if found is None:
        return EXIT_BAD_SITE
    document, site = found
    if given.to == "haproxy":
        return to_haproxy(document, site, given)
    output: Path | None = given.output
    beside = output.parent if output is not None else given.site.parent
    try:
        made = export_site(site, given.site, beside, given.modules)
    except Unsayable as why:
        tell(f"{given.site}: {why}: take them out of what is set for the whole site or a host")
        return EXIT_BAD_SITE
    if not written(made.text, output, made.files, given.force, given.site):
        return EXIT_BAD_SITE
    losses = [document.located(loss) for loss in made.losses]
    if given.report == "json":
        tell_json({"losses": losses})
    else:
        report_all(losses)
    return EXIT_LOSSES if losses else 0


IMPORT = Subcommand(_import_arguments, _import)
EXPORT = Subcommand(
    _export_arguments,
    _export,
    "What cannot be said is listed on standard error, with its place in the site file and the reason. The exit "
    "status is 0 when nothing was lost, 3 when something was, 2 when the site file has errors (then nothing is "
    "written). Try the result with: apache2 -t -f httpd.conf. An export to HAProxy is asked every kind of request that "
    "the site is about before it is written, beside rproxy (rproxy conform); what HAProxy cannot say goes to an rproxy "
    "behind it, whose site file is written too.",
)
