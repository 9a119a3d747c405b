"""``rproxy test SITE.toml``: every row of [[tests]] asked of the rules; the exit status is 1 when one comes out
otherwise, 2 when the site has errors."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec

from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, report, report_all, say, site_argument, sound
from proxy_core.control.explaining.rule_tests import TestOutcome, tested
from proxy_core.printable import printable, printable_json
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry

EXIT_OTHERWISE = 1


def _arguments(parser: ArgumentParser) -> None:
    site_argument(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _run(given: Namespace) -> int:
    return asyncio.run(_test(given.site, given.json))


async def _test(file: Path, as_json: bool) -> int:
    found = sound(file)
    if found is None:
        return EXIT_BAD_SITE
    document, site = found
    maps = MapStore(report)
    prepared = await maps.prepare(site, file.parent)
    report_all(map(document.located, prepared.problems))
    maps.commit(prepared)
    try:
        outcomes = await tested(compile_site(site, Registry(), 1), Outside(maps, file.parent))
    finally:
        await maps.close()
    failed = [outcome for outcome in outcomes if outcome.otherwise]
    if as_json:
        say(printable_json(msgspec.json.format(msgspec.json.encode(outcomes)).decode()))
    else:
        lines = [line for outcome in outcomes for line in _lines(outcome)]
        say("\n".join([*lines, _summary(len(outcomes), len(failed))]))
    return EXIT_OTHERWISE if failed else 0


def _lines(outcome: TestOutcome) -> list[str]:
    if not outcome.otherwise:
        return [printable(f"holds  {outcome.id}  {outcome.request}")]
    lines = [f"FAILS  {outcome.id}  {outcome.request}"]
    lines += [f"         {each.name}: {each.got or 'none'}, expected {each.expected}" for each in outcome.otherwise]
    return [printable(line) for line in (*lines, f"         {outcome.sentence}") if line.strip()]


def _summary(tests: int, failed: int) -> str:
    if not tests:
        return "no test: add [[tests]] rows with a request and what is expected of it"
    return f"{tests} tests hold" if not failed else f"{failed} of {tests} tests fail"


TEST = Subcommand(_arguments, _run)
