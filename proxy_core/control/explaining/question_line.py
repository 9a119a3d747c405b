"""A request that somebody wonders about, as one line of text: ``POST /x --client 192.0.2.7 -H 'Cookie: a=b'``.

The same line is what ``rproxy explain`` takes behind the site file and what is typed in the console, so that a question
can be carried from one to the other. Nothing here knows a rule.
"""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn

from proxy_core.control.question import Question
from proxy_core.rules.access.networks import parse


class _QuestionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser what a question is made of."""
    parser.add_argument("request", nargs="+", metavar="[METHOD] URL", help="a path, or a URL with host and port")
    parser.add_argument("--client", default="127.0.0.1", help="address that the request comes from")
    parser.add_argument("--listener", default="", help="name of the listener that it comes in at")
    parser.add_argument("-H", dest="fields", action="append", default=[], metavar="'Name: value'", help="a field of it")
    parser.add_argument("--generation", type=int, default=0, metavar="GEN", help="ask the rules of a past generation")
    parser.add_argument("--ask", action="store_true", help="really ask the services of [forward_auth] that it meets")


def question(given: argparse.Namespace) -> Question:
    """The question in parsed arguments. Raises ValueError, worded for people, where there is more than it takes."""
    if len(given.request) > 2:
        raise ValueError("give a method and a URL, or a URL alone")
    method, url = given.request if len(given.request) == 2 else ("GET", given.request[0])
    if "/" in method:
        raise ValueError(f'"{method}" is no method: give a method and a URL, or a URL alone')
    if not url.startswith("/") and "://" not in url:
        raise ValueError(f'"{url}" is no path and no URL: begin it with / or with http://')
    if given.client and parse(given.client) is None:
        raise ValueError(f'"{given.client}" is no address of a client: write one as 192.0.2.7 or 2001:db8::1')
    return Question(
        url=url, method=method, client=given.client, fields=tuple(given.fields), listener=given.listener, ask=given.ask,
        generation=given.generation,
    )  # fmt: skip


def asked(line: str) -> Question:
    """The question in a line of text. Raises ValueError, worded for people."""
    parser = _QuestionParser(prog="", add_help=False, allow_abbrev=False)
    arguments(parser)
    try:
        words = shlex.split(line)
    except ValueError:
        raise ValueError("a quotation is not closed") from None
    return question(parser.parse_args(words))


def spelled(question: Question) -> str:
    """The line that ``asked`` reads as this question."""
    words = [] if question.method == "GET" else [question.method]
    words.append(question.url)
    if question.client != "127.0.0.1":
        words += ["--client", question.client]
    if question.listener:
        words += ["--listener", question.listener]
    words += ["--ask"] * question.ask
    if question.generation:
        words += ["--generation", str(question.generation)]
    return shlex.join(words + [word for line in question.fields for word in ("-H", line)])
