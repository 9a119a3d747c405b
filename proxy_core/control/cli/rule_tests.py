"""``rproxy test SITE.toml``: every row of [[tests]] asked of the rules; the exit status is 1 when one comes out
otherwise, 2 when the site has errors."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec

from proxy_core.control.cli.asked_site import asked_site
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, say, site_argument
from proxy_core.control.explaining.rule_tests import spelled, tested
from proxy_core.printable import printable_json

EXIT_OTHERWISE = 1


def _arguments(parser: ArgumentParser) -> None:
    site_argument(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _run(given: Namespace) -> int:
    return asyncio.run(_test(given.site, given.json))


async def _test(file: Path, as_json: bool) -> int:
    async with asked_site(file) as asked:
        if asked is None:
            return EXIT_BAD_SITE
        outcomes = await tested(*asked)
    say(printable_json(msgspec.json.format(msgspec.json.encode(outcomes)).decode()) if as_json else spelled(outcomes))
    return EXIT_OTHERWISE if any(outcome.otherwise for outcome in outcomes) else 0


TEST = Subcommand(_arguments, _run)
