"""``rproxy export --to haproxy``: nothing is written that was not asked, beside rproxy, what it makes of requests.

Where there is no HAProxy to ask, the export is written only if ``--unproven`` says so, and its first line says it too.
Differences, and a HAProxy that does not take its configuration or crashes over it, are a failed export (status 2).
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, EXIT_LOSSES, report_all, say, tell, tell_json, written

if TYPE_CHECKING:
    from proxy_core.haproxy.export import HaproxyExport

UNPROVEN = (
    "# UNPROVEN: no HAProxy was there to be asked what it makes of this. Ask it: rproxy conform --engine haproxy\n"
)


def haproxy_arguments(parser: ArgumentParser) -> None:
    """What an export to HAProxy takes besides."""
    only = parser.add_argument_group("for HAProxy alone")
    help_ = "where the rproxy behind it listens, for the first listener (127.0.0.1:18080); others follow, port by port"
    only.add_argument("--lane", metavar="ADDRESS", help=help_)
    help_ = "have no rproxy behind it: what it would have is refused with 501, and listed as lost"
    only.add_argument("--no-lane", action="store_true", help=help_)
    only.add_argument("--unproven", action="store_true", help="write it though no HAProxy is there to be asked")
    only.add_argument("--binary", type=Path, metavar="PATH", help="the HAProxy that is asked")


def to_haproxy(document: Document, site: Site, given: Namespace) -> int:
    """Export a sound site. Raises ArgumentTypeError for an address that is none."""
    from proxy_core.control.conform.engines import CannotStart, binary
    from proxy_core.haproxy.export import LANE_AT, export_site, lane_addresses, lane_text

    try:
        lane = None if given.no_lane else lane_addresses(site, given.lane or LANE_AT)
    except ValueError as wrong:
        raise ArgumentTypeError(f"--lane: {wrong}") from None
    program = binary("haproxy", given.binary)
    if program is None and not given.unproven:
        tell("there is no haproxy to be asked what it makes of the export: install it, name it with --binary, or have "
             "the export --unproven")  # fmt: skip
        return EXIT_BAD_SITE
    source, output = given.site, given.output
    beside = (output.parent if output is not None else source.parent).absolute()
    if program is not None:
        try:
            proven = _proven(document, site, program, lane)
        except CannotStart as why:
            tell(f"{source}: not exported: {why}")
            return EXIT_BAD_SITE
        if not proven:
            return EXIT_BAD_SITE
    made = export_site(site, source.parent.absolute(), beside, lane)
    files = dict(made.files)
    if made.lane:
        files[source.with_name(f"{source.stem}.lane.toml")] = lane_text(document, made.lane)
    text = made.text if program is not None else UNPROVEN + made.text
    existing = next((file for file in made.joined if file.exists() and not given.force), None)
    if existing is not None:
        tell(f"{existing} is there already; --force overwrites it")
        return EXIT_BAD_SITE
    if not written(text, output, files, given.force, source):
        return EXIT_BAD_SITE
    if (fault := _joined(made.joined)) is not None:
        tell(fault)
        return EXIT_BAD_SITE
    told = {kind: [document.located(each) for each in rows]
            for kind, rows in (("lane", made.laned), ("near", made.near), ("losses", made.losses))}  # fmt: skip
    if given.report == "json":
        tell_json(told)
    else:
        for rows in told.values():
            report_all(rows)
        (tell if output is None else say)(share(site, made, lane is not None))
    return EXIT_LOSSES if made.losses else 0


def share(site: Site, made: HaproxyExport, lane: bool) -> str:
    """What part of a site goes down the lane, in one line."""
    if not lane:
        return f"no lane: {len(made.losses)} things are lost"
    addresses = {each.address for each in made.laned}
    rows = [
        (table, row.id, row.host) for table in ("routes", "rewrites") for row in getattr(site, table) if row.enabled
    ]
    everywhere = not site.hosts.keys() - set(made.whole) if site.hosts else "" in made.whole
    down = [row for row in rows if row[:2] in addresses or row[2] in made.whole or everywhere]
    hosts = f"{len(set(made.whole) - {''})} of {len(site.hosts)} hosts, " if site.hosts else ""
    return f"the lane has {hosts}{len(down)} of {len(rows)} routes and rules, and what is not spelled plainly"


def _proven(document: Document, site: Site, program: str, lane: Mapping[str, str] | None) -> bool:
    """Whether HAProxy takes the very export and does what rproxy does; what differs is told. Raises CannotStart."""
    from proxy_core.control.cli.conform import spelled
    from proxy_core.control.conform.conform import conformity, write_beside
    from proxy_core.control.conform.engines import CannotStart, look_through
    from proxy_core.haproxy.export import export_site

    found = conformity(document, "haproxy", program, lane is not None)
    if found.differences:
        tell(spelled(found, "haproxy"))
        tell(f"{document.file}: not exported: haproxy does not do what rproxy does")
        return False
    with tempfile.TemporaryDirectory(prefix="rproxy-haproxy-") as name:
        folder = Path(name)
        made = export_site(site, Path(document.file).parent.absolute(), folder, lane)
        try:
            write_beside(made)
        except OSError as error:
            raise CannotStart(f"{error.filename} cannot be read: {error.strerror}") from error
        (folder / "haproxy.cfg").write_text(made.text)
        look_through(program, folder / "haproxy.cfg")
    return True


def _joined(files: Mapping[Path, tuple[Path, ...]]) -> str | None:
    """Write certificates with their keys, for nobody else to read; what is wrong where that cannot be."""
    for file, parts in files.items():
        try:
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(b"\n".join(part.read_bytes() for part in parts))
        except OSError as error:
            return f"{error.filename} cannot be read or written: {error.strerror}"
    return None
