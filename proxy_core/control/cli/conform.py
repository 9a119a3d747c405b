"""``rproxy conform SITE.toml --engine haproxy``: does another engine do with a site's requests what rproxy does?

The engine is started on loopback with its export of the site, before stubs, and so is rproxy. The exit status is 1 for
any difference, 2 when the site has errors or the engine cannot be asked.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, say, site_argument, sound, tell
from proxy_core.control.conform.conform import Conformity, Disagreement, conformity
from proxy_core.control.conform.engines import PROGRAMS, CannotStart, binary

EXIT_DIFFERS = 1
_MOST_SHOWN = 50


def spelled(found: Conformity, engine: str) -> str:
    """What differs, request by request, and how much was asked."""
    lines = [_difference(each, engine) for each in found.differences[:_MOST_SHOWN]]
    more = len(found.differences) - _MOST_SHOWN
    lines += [f"and {more} more"] * (more > 0)
    lost = f", {found.lost} refused for want of a lane" if found.lost else ""
    beyond = f" ({found.beyond} more were left out)" if found.beyond else ""
    return "\n".join([*lines, f"{found.asked} requests{beyond}, {len(found.differences)} differences{lost}"])


def _difference(found: Disagreement, engine: str) -> str:
    ours = [f"  - rproxy: {line}" for line in found.ours if line not in found.theirs]
    theirs = [f"  + {engine}: {line}" for line in found.theirs if line not in found.ours]
    return "\n".join([f"{found.asking.listener}: {found.asking.request}", *ours, *theirs])


def _arguments(parser: ArgumentParser) -> None:
    site_argument(parser)
    parser.add_argument("--engine", choices=tuple(PROGRAMS), required=True, help="who is asked beside rproxy")
    parser.add_argument("--binary", type=Path, metavar="PATH", help="its program")
    parser.add_argument("--no-lane", action="store_true", help="have no rproxy behind HAProxy")


def _run(given: Namespace) -> int:
    found = sound(given.site)
    if found is None:
        return EXIT_BAD_SITE
    program = binary(given.engine, given.binary)
    if program is None:
        tell(
            f"there is no {given.binary or PROGRAMS[given.engine]} on this machine: install it, or name it by --binary"
        )
        return EXIT_BAD_SITE
    try:
        made = conformity(found[0], given.engine, program, not given.no_lane)
    except CannotStart as why:
        tell(f"{given.site}: cannot be asked: {why}")
        return EXIT_BAD_SITE
    say(spelled(made, given.engine))
    return EXIT_DIFFERS if made.differences else 0


CONFORM = Subcommand(
    _arguments,
    _run,
    "The site itself is left alone: a copy is moved to free ports of loopback, with stubs in the place of its members. "
    "The exit status is 0 where every request is answered alike, 1 where one is not, 2 where nothing could be asked.",
)
