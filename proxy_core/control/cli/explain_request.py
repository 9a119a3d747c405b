"""``rproxy explain SITE.toml URL``: what would become of a request to the site in a file, and why."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

import msgspec

from proxy_core.control.cli.asked_site import asked_site
from proxy_core.control.cli.subcommand import (
    EXIT_BAD_SITE,
    Subcommand,
    say,
    site_argument,
    tell,
)
from proxy_core.control.editing.history import journal_of, load
from proxy_core.control.explaining.explain import explain, spelled
from proxy_core.control.explaining.past_rules import PastRules
from proxy_core.control.explaining.question_line import arguments, question
from proxy_core.control.question import Question
from proxy_core.printable import printable, printable_json
from proxy_core.runtime.forward_auth import Services
from proxy_core.runtime.upstreams.connector import Upstreams
from proxy_core.serve.buffers import WRITE_BUFFER


def _arguments(parser: ArgumentParser) -> None:
    site_argument(parser)
    arguments(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _run(given: Namespace) -> int:
    try:
        asked = question(given)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return asyncio.run(_explain(given.site, asked, given.json))


async def _explain(file: Path, question: Question, as_json: bool) -> int:
    async with asked_site(file) as asked:
        if asked is None:
            return EXIT_BAD_SITE
        rules, outside = asked
        upstreams = Upstreams(WRITE_BUFFER, folder=file.parent)
        outside.services = Services(upstreams) if question.ask else None
        try:
            if question.generation:
                rules = await PastRules(load(journal_of(file)).find).of(question.generation)
            explanation = await explain(rules, outside, question)
        except ValueError as error:
            tell(printable(f"rproxy explain: {question.url}: {error}"))
            return EXIT_BAD_SITE
        finally:
            upstreams.close()
    encoded = msgspec.json.format(msgspec.json.encode(explanation)).decode() if as_json else ""
    say(printable_json(encoded) if as_json else spelled(explanation))
    return 0


EXPLAIN = Subcommand(_arguments, _run)
