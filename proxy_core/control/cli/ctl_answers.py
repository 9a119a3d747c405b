"""What each word of ``rproxy ctl`` asks, and how the answer reads: for people, or as JSON for programs."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.config.editing import spelling
from proxy_core.config.reading.toml_syntax import values
from proxy_core.config.site_addresses import at, resolved
from proxy_core.control.cli.asked_moment import moment_of
from proxy_core.control.cli.cache_report import cache_report
from proxy_core.control.cli.shadow_report import shadow_report
from proxy_core.control.cli.subcommand import report_all, say, tell
from proxy_core.control.cli.text_table import table
from proxy_core.control.door.client import DoorClient
from proxy_core.control.editing import changes, ctl_words
from proxy_core.control.editing.commands import Change, Command, Refused, Replace, Result, Stale
from proxy_core.control.editing.ctl_words import BadWords
from proxy_core.control.explaining import rule_tests
from proxy_core.control.explaining.explain import spelled
from proxy_core.control.explaining.question_line import question
from proxy_core.control.foreseen import in_words
from proxy_core.control.view import Generation, MemberLoad, Snapshot
from proxy_core.control.watching import effects, trouble_words
from proxy_core.control.watching.member_standing import standings
from proxy_core.errors import errors
from proxy_core.printable import printable, printable_json

EXIT_REFUSED = 1
EXIT_STALE = 4
ASK_AGAIN = 0.5
"""Seconds between two looks, where one waits or follows."""
EACH_SECOND = 1.0
NEAR = 10.0
"""Seconds by which a moment that is kept may be beside the one that is asked for, unsaid."""


class Call(Struct, frozen=True):
    """One call of ctl."""

    client: DoorClient
    given: Namespace
    """The arguments, parsed."""
    words: Sequence[str]
    """The word and what stands behind it, where that is a Command."""
    on: int
    """The generation that must be in force; 0 for any."""
    as_json: bool
    """For programs."""


def _show(call: Call, answer: Any, text: str) -> int:
    say(_json(answer) if call.as_json else text)
    return 0


def _json(answer: Any) -> str:
    return printable_json(msgspec.json.format(msgspec.json.encode(answer)).decode())


def _ended(call: Call, result: Result) -> int:
    """Tell what a command came to."""
    if isinstance(result, Refused):
        if call.as_json:
            say(_json(result))
        report_all(result.problems)
        if isinstance(result, Stale):
            if result.diff:
                tell(result.diff.rstrip("\n"))
            return EXIT_STALE
        return EXIT_REFUSED
    _show(call, result, f"generation {result.generation}: {result.sentence}")
    if result.pending is not None and not call.as_json:
        left = result.pending.until - result.pending.at
        say(f"it takes itself back in {left:.0f} s, or where {result.pending.words}; rproxy ctl confirm keeps it")
    report_all(result.warnings)
    return 0


def _submit(call: Call, asked: Command, on: int = 0) -> int:
    return _ended(call, call.client.submit(asked, call.on or on))


# ---- what changes


def command(call: Call) -> int:
    """Words that are a Command."""
    asked = ctl_words.parse(call.words)
    status = _submit(call, asked)
    if status or not call.given.wait:
        return status
    if call.words[0] != "drain" or not isinstance(asked, Change):
        raise BadWords("--wait is for drain")
    return _wait(call, {(edit.address[1], edit.address[3]) for edit in asked.edits})


def _wait(call: Call, members: set[tuple[str, str]]) -> int:
    """Wait until members have nothing left."""
    deadline = time.monotonic() + call.given.timeout if call.given.timeout is not None else None
    while True:
        loads = call.client.snapshot().members
        left = [load for load in loads if (load.balancer, load.member) in members and not load.drained]
        if not left:
            say("drained: safe to stop")
            return 0
        if deadline is not None and time.monotonic() > deadline:
            busy = ", ".join(f"{load.balancer}/{load.member} has {load.busy} in flight" for load in left)
            tell(f"rproxy ctl: not drained in {call.given.timeout} s: {busy}")
            return EXIT_REFUSED
        time.sleep(ASK_AGAIN)


def ban(call: Call) -> int:
    state = call.client.site()
    change = changes.ban(state.site, call.given.client, call.given.span, time.time())
    if isinstance(change, str):
        raise BadWords(change)
    return _submit(call, change, state.generation)


def apply(call: Call) -> int:
    if call.given.text is None and call.given.file is None:
        raise BadWords("it goes: apply FILE")
    text = _content(call.given.file) if call.given.text is None else call.given.text
    confirm = ctl_words.seconds(call.given.confirm) if call.given.confirm else 0.0
    return _submit(call, Replace(text=text, confirm=confirm, force=call.given.force))


def diff(call: Call) -> int:
    preview = call.client.preview(Replace(text=_content(call.given.file)))
    if preview.diff or call.as_json:
        _show(call, preview, preview.diff.rstrip("\n"))
    report_all(preview.problems)
    return EXIT_REFUSED if errors(preview.problems) else 0


def what_if(call: Call) -> int:
    """``what-if FILE``, or ``what-if weight shop/a 3``."""
    given = call.words[1:]
    if not given:
        raise BadWords("it goes: what-if FILE, or what-if and a command: what-if weight shop/a 3")
    is_file = len(given) == 1 and given[0] not in ctl_words.BARE
    command = Replace(text=_content(given[0])) if is_file else ctl_words.parse(given)
    found = call.client.what_if(command)
    return _show(call, found, "\n".join(map(printable, in_words(found))))


def _content(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else regular_files.content(Path(file))
        return raw.decode()
    except OSError as error:
        raise BadWords(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadWords(f"{file} is no UTF-8 at byte {error.start}") from None


def stop(call: Call) -> int:
    done = call.client.stop()
    return _show(call, done, done.sentence)


def upgrade(call: Call) -> int:
    done = call.client.upgrade()
    return _show(call, done, done.sentence)


# ---- what asks


def status(call: Call) -> int:
    hello, snapshot, found = call.client.hello(), call.client.snapshot(), call.client.problems()
    if call.as_json:
        answer = {"hello": hello, "snapshot": snapshot, "problems": found}
        return _show(call, answer, "")
    wrong = len(errors(found))
    lines = [
        f"{hello.file}: generation {snapshot.generation}, {snapshot.saved}",
        f"rproxy {hello.version}, pid {hello.pid}, up {_span(snapshot.uptime)}, {_listeners(snapshot)}",
        f"{snapshot.rate:.1f} requests/s, {snapshot.in_flight} in flight, "
        f"{snapshot.rate_4xx:.1f} 4xx/s, {snapshot.rate_5xx:.1f} 5xx/s, p95 {millis(snapshot.latency.p95)}",
        standings(snapshot.members),
        f"{wrong} errors, {len(found) - wrong} warnings" if found else "no problems",
    ]
    if snapshot.troubles:
        generations = call.client.history().generations
        lines += [f"! {trouble_words.sentence(trouble, generations)}" for trouble in snapshot.troubles]
    return _show(call, None, "\n".join(lines))


def _listeners(snapshot: Snapshot) -> str:
    return ", ".join(listener.url for listener in snapshot.listeners if not listener.draining) or "no listener"


def moment(call: Call) -> float:
    """The moment that is asked for, 0 for now. Raises ValueError."""
    return moment_of(call.given.at, call.client.snapshot().at) if call.given.at else 0.0


def snapshot_of(call: Call) -> Snapshot:
    """The numbers of that moment."""
    at = moment(call)
    found = call.client.snapshot(at)
    if at and abs(found.at - at) > NEAR:
        tell(f"rproxy ctl: nothing is kept of {when(at)}; the nearest is {when(found.at)}")
    return found


def members(call: Call) -> int:
    while True:
        loads = snapshot_of(call).members
        _show(call, loads, table(MEMBER_COLUMNS, map(_member, loads)))
        if not call.given.watch or call.given.at:
            return 0
        time.sleep(EACH_SECOND)
        say("")


MEMBER_COLUMNS = ("member", "status", "health", "weight", "share", "busy", "req/s", "errors", "p95", "url")


def _member(load: MemberLoad) -> tuple[str, ...]:
    name = f"{load.balancer}/{load.member}" if load.balancer else load.member
    state = "drained" if load.drained else "retired" if load.retired else load.status
    return (
        name, state if load.role == "regular" else f"{state} ({load.role})", load.health, f"{load.weight:g}",
        f"{load.share:.0%}", str(load.busy), f"{load.rate:.1f}", str(load.errors), millis(load.latency.p95), load.url,
    )  # fmt: skip


def shadow(call: Call) -> int:
    loads = call.client.snapshot().shadows
    return _show(call, loads, shadow_report(loads))


def purge(call: Call) -> int:
    given = call.given
    done = call.client.purge(given.url, given.prefix, given.tag)
    return _show(call, done, f"{done.count} kept {'answer is' if done.count == 1 else 'answers are'} thrown out")


def cache(call: Call) -> int:
    load = call.client.snapshot().cache
    return _show(call, load, cache_report(load))


def get(call: Call) -> int:
    place = ctl_words.address(call.given.path)
    data = values(call.client.text()).data
    path, found = resolved(data, place)
    if found < len(place):
        tell(f"rproxy ctl: the site file says nothing at {call.given.path}")
        return EXIT_REFUSED
    content = at(data, path)
    if call.as_json:
        return _show(call, content, "")
    if isinstance(content, dict):
        return _show(call, None, spelling.table(path, content).rstrip("\n"))
    return _show(call, None, content if isinstance(content, str) else spelling.value(content))


def history(call: Call) -> int:
    past, number = call.client.history(), call.given.number
    if call.given.at:
        until = moment(call)
        past = replace(past, generations=tuple(each for each in past.generations if each.at <= until))
    if number is not None:
        return _generation(call, next((each for each in past.generations if each.number == number), None))
    rows = [
        (str(each.number), when(each.at), each.author, each.sentence, effects.sentence(each.effect, each.number))
        for each in past.generations
    ]
    return _show(call, past, table(("gen", "at", "by", "what", "did"), rows))


def _generation(call: Call, found: Generation | None) -> int:
    """One of them, with its diff."""
    if found is None:
        tell(f"rproxy ctl: generation {call.given.number} is not kept")
        return EXIT_REFUSED
    did = effects.sentence(found.effect, found.number)
    head = f"# generation {found.number}, {when(found.at)}, {found.author}: {found.sentence}"
    return _show(call, found, "\n".join(filter(None, (head, did and f"# {did}", found.diff.rstrip("\n")))))


def explain(call: Call) -> int:
    explanation = call.client.explain(question(call.given))
    return _show(call, explanation, spelled(explanation))


def note(call: Call) -> int:
    seconds = changes.span_of(call.given.since)
    if seconds is None:
        raise BadWords(f"{call.given.since} is no time: write 30m, 1h or 24h")
    found = call.client.note(seconds, moment(call))
    return _show(call, found, found.folder)


def tests(call: Call) -> int:
    outcomes = call.client.tests()
    _show(call, outcomes, rule_tests.spelled(outcomes))
    return EXIT_REFUSED if any(each.otherwise for each in outcomes) else 0


def problems(call: Call) -> int:
    found = call.client.problems()
    return _show(call, found, "\n".join(map(str, found)) or "no problems")


def of_map(call: Call) -> int:
    if call.words[1:2] != ("get",):
        return command(call)
    if len(call.words) not in (3, 4):
        raise BadWords("it goes: map get MAP [KEY]")
    name, *key = call.words[2:]
    content = call.client.map(name, *key)
    if not key:
        return _show(call, content.rows, "\n".join(f"{row.key} {row.value}" for row in content.rows))
    if content.value is None:
        tell(f"rproxy ctl: map {name} has nothing for {key[0]}")
        return EXIT_REFUSED
    return _show(call, content.value, content.value)


def watch(call: Call) -> int:
    for line in call.client.watch(call.given.after):
        if call.as_json:
            say(printable_json(msgspec.json.encode(line).decode()))
        elif line.kind != "alive":
            say(f"{when(line.at)} {line.level:<7} {line.text}")
    return 0


# ---- words


def when(at_second: float) -> str:
    return datetime.fromtimestamp(at_second).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def millis(seconds: float) -> str:
    return "-" if seconds < 0 else f"{seconds * 1000:.0f} ms"


def _span(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
    return " ".join([f"{number} {unit}" for number, unit in units if number][:2]) or "0 s"
