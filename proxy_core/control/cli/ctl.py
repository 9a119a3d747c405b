"""``rproxy ctl``: asks and changes a service that runs, through its socket. A word for each thing that can be asked.

What changes the site is a Command (``ctl_words``) that the service takes or refuses as it would a console's; nothing
is decided here. What was asked for goes to standard output, what is wrong to standard error. The exit status says what
a script must know: done, refused, not understood, stale (``--if``), or nobody there.
"""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from proxy_core.control.cli import ctl_answers, ctl_tail
from proxy_core.control.cli.ctl_answers import EXIT_REFUSED, Call
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, report_all, tell
from proxy_core.control.door.client import Denied, DoorClient, NobodyThere
from proxy_core.control.door.socket_path import sockets
from proxy_core.control.editing import ctl_words
from proxy_core.control.editing.ctl_words import BadWords
from proxy_core.control.explaining import question_line
from proxy_core.control.recording.schema import is_database
from proxy_core.printable import printable

EXIT_USAGE = EXIT_BAD_SITE
EXIT_NOBODY = 5


class Verb(Struct, frozen=True):
    """A word of ctl."""

    about: str
    """What it does."""
    run: Callable[[Call], int]
    """Does it; gives the exit status."""
    usage: str = ""
    """What stands behind it, for words that are a Command."""
    arguments: Callable[[argparse.ArgumentParser], None] | None = None
    """Teaches its parser what stands behind it; None where that is a Command's words."""


def _nothing(_: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def _moment(parser: argparse.ArgumentParser) -> None:
    help_ = "as it was then: 15:08, 15:08:20 or '2026-11-30 15:08'; a service knows its last hour"
    parser.add_argument("--at", metavar="TIME", default="", help=help_)


def _watchable(parser: argparse.ArgumentParser) -> None:
    _moment(parser)
    parser.add_argument("--watch", action="store_true", help="again each second, until Ctrl-C")


def _path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="keys and ids of rows with dots: routes.all.path")


def _number(parser: argparse.ArgumentParser) -> None:
    about = "only this one, with its diff"
    parser.add_argument("number", nargs="?", type=int, metavar="GENERATION", help=about)
    _moment(parser)


def _ban(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client", help="its address, or a network")
    parser.add_argument("span", nargs="?", default="", help="30m, 1h, 7d; for good without it")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a whole site file; - for standard input")


def _apply(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="a whole site file; - for standard input")
    parser.add_argument("--text", help="the text itself")
    _terms(parser)


def _terms(parser: argparse.ArgumentParser) -> None:
    help_ = "take it back unless it is confirmed within so many seconds"
    parser.add_argument("--confirm", metavar="SECONDS", default="", help=help_)
    parser.add_argument("--force", action="store_true", help="though a row of [[tests]] fails by it")


def _purge(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("url", nargs="?", default="", metavar="URL", help="what was asked by it; /path is of every host")
    which.add_argument("--prefix", default="", metavar="URL", help="what was asked by URLs that begin so")
    which.add_argument("--tag", default="", help="what has it in Cache-Tag or Surrogate-Key")
    which.add_argument("--all", action="store_true", help="everything")


def _tail(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="*", help="as in: status>=500 member=c path~^/api ms>250")
    parser.add_argument("-n", dest="lines", type=int, default=None, help="begin with the last so many (10; of HAR all)")
    parser.add_argument("--once", action="store_true", help="do not wait for more")
    parser.add_argument("--har", action="store_true", help="what is kept as a HAR file, and no more")
    _moment(parser)


def _note(parser: argparse.ArgumentParser) -> None:
    help_ = "how far back: 30m, 1h, 24h (%(default)s)"
    parser.add_argument("--since", metavar="SPAN", default="1h", help=help_)
    _moment(parser)


def _watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--after", type=int, metavar="GEN", help="tell of generations after this one first")


def _of_command(about: str, usage: str) -> Verb:
    return Verb(about, ctl_answers.command, usage)


VERBS = {
    "status": Verb("How it is, in a few lines.", ctl_answers.status, arguments=_nothing),
    "members": Verb("Every member with its state and load.", ctl_answers.members, arguments=_watchable),
    "shadow": Verb("Copies of requests, and in what their answers differ.", ctl_answers.shadow, arguments=_nothing),
    "purge": Verb("Throw kept answers out of the shared cache.", ctl_answers.purge, arguments=_purge),
    "cache": Verb("How the shared cache serves, and what it holds.", ctl_answers.cache, arguments=_nothing),
    "drain": _of_command("Let members finish what they have.", "BALANCER/MEMBER… [--wait] [--timeout SECONDS]"),
    "enable": _of_command("Take members back into service.", "BALANCER/MEMBER…"),
    "disable": _of_command("Take members out of service.", "BALANCER/MEMBER…"),
    "standby": _of_command("Make members standbys.", "BALANCER/MEMBER…"),
    "spare": _of_command("Make members spares.", "BALANCER/MEMBER…"),
    "regular": _of_command("Make members regular ones.", "BALANCER/MEMBER…"),
    "weight": _of_command("Set the weight of members.", "BALANCER/MEMBER… NUMBER"),
    "get": Verb("What the site file says at a path.", ctl_answers.get, arguments=_path),
    "set": _of_command("Set an option.", "PATH VALUE"),
    "add": _of_command("Add a row to a list.", "LIST '{ KEY = VALUE, … }' [--before ROW]"),
    "move": _of_command("Move a row of a list.", "PATH [--before ROW]"),
    "remove": _of_command("Remove an option, a row or a table.", "PATH"),
    "ban": Verb("Keep a client out.", ctl_answers.ban, arguments=_ban),
    "apply": Verb("Take a whole site file.", ctl_answers.apply, arguments=_apply),
    "diff": Verb("What taking a whole site file would change.", ctl_answers.diff, arguments=_file),
    "confirm": _of_command("Keep the change that waits to be confirmed.", ""),
    "what-if": Verb(
        "What a change would do to the requests that are kept.",
        ctl_answers.what_if,
        "FILE | WORD …",
    ),
    "undo": _of_command("Take the last change back.", ""),
    "redo": _of_command("Do again what was undone last.", ""),
    "revert": _of_command("Take back what one generation did, and nothing else.", "GENERATION"),
    "restore": _of_command("Bring a generation back, without all that came after it.", "GENERATION"),
    "reload": _of_command("Take the site file as it stands on disk.", ""),
    "keep": _of_command("Write the running site over what somebody else wrote to the file.", ""),
    "merge": _of_command("Make what is not saved again, on top of what somebody else wrote.", ""),
    "history": Verb("What was applied, by whom, and what it did.", ctl_answers.history, arguments=_number),
    "explain": Verb("What would become of a request.", ctl_answers.explain, arguments=question_line.arguments),
    "tail": Verb("Finished requests, as they come.", ctl_tail.tail, arguments=_tail),
    "test": Verb("What comes of each row of [[tests]] now.", ctl_answers.tests, arguments=_nothing),
    "problems": Verb("What is wrong now.", ctl_answers.problems, arguments=_nothing),
    "note": Verb("Write a note for a ticket.", ctl_answers.note, arguments=_note),
    "map": Verb("Entries of a map.", ctl_answers.of_map, "get MAP [KEY] | set MAP KEY VALUE | unset MAP KEY"),
    "watch": Verb("What happens, as it happens.", ctl_answers.watch, arguments=_watch),
    "stop": Verb("Drain and stop the service.", ctl_answers.stop, arguments=_nothing),
    "upgrade": Verb("Let a new program take over.", ctl_answers.upgrade, arguments=_nothing),
}


def _common(parser: argparse.ArgumentParser, default: Any) -> None:
    help_ = "the socket, or its name, or a recording; not needed where one service runs"
    parser.add_argument("-s", dest="socket", metavar="SOCKET", default=default, help=help_)
    help_ = "only while this generation is in force (exit status 4 else)"
    parser.add_argument("--if", dest="on", type=int, metavar="GEN", default=default, help=help_)
    parser.add_argument("--json", action="store_true", default=default, help="as JSON, for programs")


def _arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, None)
    verbs = parser.add_subparsers(title="words", metavar="WORD", dest="verb", required=True)
    for name, verb in VERBS.items():
        usage = f"rproxy ctl {name} {verb.usage} [-s SOCKET] [--if GEN] [--json]" if verb.arguments is None else None
        one = verbs.add_parser(name, help=verb.about, description=verb.about, usage=usage, prog=f"rproxy ctl {name}")
        _common(one, argparse.SUPPRESS)
        if verb.arguments is not None:
            verb.arguments(one)
        else:
            _terms(one)
            if name == "drain":
                one.add_argument("--wait", action="store_true", default=argparse.SUPPRESS, help="until it is drained")
                one.add_argument("--timeout", type=int, default=argparse.SUPPRESS, help="seconds to wait at most")
            one.add_argument("words", nargs=argparse.REMAINDER, metavar="…", help=verb.usage or "nothing more")


def _run(given: Namespace) -> int:
    words = _own_options(given, list(getattr(given, "words", ())))
    if VERBS[given.verb].arguments is None:  # those that stand before any word are argparse's
        words = [*(["--confirm", given.confirm] if given.confirm else []), *["--force"] * given.force, *words]
    if given.on is not None and given.on < 1:
        raise ArgumentTypeError("--if takes a generation, as rproxy ctl history lists them")
    path = named_socket(given.socket, "rproxy ctl", "-s ")
    if isinstance(path, int):
        return path
    client = _client(path)
    if isinstance(client, int):
        return client
    with closing(client):
        call = Call(client, given, (given.verb, *words), given.on or 0, bool(given.json))
        try:
            return VERBS[given.verb].run(call)
        except (BadWords, ValueError) as error:
            raise ArgumentTypeError(str(error)) from error
        except Denied as denied:
            report_all(denied.refused.problems)
            return EXIT_USAGE if denied.status == 400 else EXIT_REFUSED
        except NobodyThere as error:
            tell(printable(f"rproxy ctl: {error}"))
            return EXIT_NOBODY
        except KeyboardInterrupt:
            return 0


def _client(path: Path) -> DoorClient | int:
    """Who asks the service, or the recording, at a path; else the exit status."""
    if not is_database(path):
        return DoorClient(path)
    from proxy_core.control.cli.recorded_client import RecordedClient  # what answers is loaded for a recording alone

    try:
        return RecordedClient(path)
    except OSError as error:
        tell(printable(f"rproxy ctl: {error}"))
        return EXIT_NOBODY


def _own_options(given: Namespace, words: list[str]) -> list[str]:
    """The words of a command, without the options of ctl itself that stand among them."""
    left: list[str] = []
    given.wait, given.timeout = getattr(given, "wait", False), getattr(given, "timeout", None)
    rest = iter(words)
    for word in rest:
        if word == "--" or word in ctl_words.OPTIONS:
            left.append(word)
            left += rest if word == "--" else [each for each in (next(rest, None),) if each is not None]
        elif word in ("--json", "--wait"):
            setattr(given, word[2:], True)
        elif word in ("-s", "--if", "--timeout"):
            found = next(rest, None)
            if found is None or (word != "-s" and not found.isdecimal()):
                raise ArgumentTypeError(f"{word} wants {'a socket' if word == '-s' else 'a whole number'}")
            name = {"-s": "socket", "--if": "on", "--timeout": "timeout"}[word]
            setattr(given, name, found if word == "-s" else int(found))
        else:
            left.append(word)
    return left


def named_socket(said: str | None, program: str, option: str) -> Path | int:
    """The socket that is meant, or the exit status where that cannot be told, which ``program`` then says."""
    if said is not None and ("/" in said or Path(said).is_socket() or is_database(Path(said))):
        return Path(said)
    running = sockets()
    found = [path for path in running if said in (None, path.name, path.stem)]
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n  {option}{path}" for path in found or running)
    if not found:
        which = "no service runs here whose socket may be asked" if said is None else f"no service is called {said}"
        tell(printable(f"{program}: {which}") + (f"; there are:{listed}" if listed else ""))
        return EXIT_NOBODY
    tell(f"{program}: several services run here: say which{listed}")
    return EXIT_USAGE


CTL = Subcommand(
    _arguments,
    _run,
    "The exit status is 0 when it is done, 1 when it was refused (standard error says why), 2 when it is not "
    "understood, 4 when another generation is in force than --if says, 5 when nobody answers.",
)
