"""What is known of a member beyond the columns of a table: for the pane under it, and for two side by side.

Each fact is a line of words, and a number where two members can be held against each other by it. The pane says how the
member under the cursor is, and what the next keys would do to the shares; where members are marked the keys act on
those, so that it speaks of them instead. Nothing here knows a screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from proxy_core.control.view import MemberLoad
from rproxy_tui import forecast, sentences, words
from rproxy_tui.content import Content
from rproxy_tui.theme import STYLES


class Fact(NamedTuple):
    """``number`` is what makes ``text`` comparable, -1 for nothing that is; ``less`` says that less of it is better."""

    label: str
    text: Callable[[MemberLoad], str]
    number: Callable[[MemberLoad], float] = lambda load: -1.0
    less: bool = False


def condition(load: MemberLoad, now: float) -> str:
    """What checks, ejections, slow start and names say of a member, in one line; "" for nothing."""
    return " · ".join(filter(None, (drain(load), checks(load, now), ramp(load), ejections(load), address(load))))


def drain(load: MemberLoad) -> str:
    if load.cut_in >= 0:
        return f"what is left is cut in {words.span(load.cut_in)}"
    if load.status == "draining" and not load.busy and not load.drained:
        return "its sessions may still come; x ends them"
    return ""


def checks(load: MemberLoad, now: float) -> str:
    check = load.check
    if check is None:
        return ""
    if not check.at:
        return f"first check in {words.span(check.next_in)}"
    outcome = "passed" if check.passed else "failed"
    times = f"{words.count(check.streak)} times in a row, " if check.streak > 1 else ""
    return (
        f"check {outcome} {times}{words.span(now - check.at)} ago ({words.printable(check.result)}), "
        f"next in {words.span(check.next_in)}"
    )


def ramp(load: MemberLoad) -> str:
    return f"gets {words.percent(load.ramp)} of its weight, rising" if load.ramp < 1 else ""


def ejections(load: MemberLoad) -> str:
    return f"ejected {words.count(load.ejections)} time{'s' if load.ejections != 1 else ''}" if load.ejections else ""


def address(load: MemberLoad) -> str:
    name = load.name
    if name is None:
        return ""
    if name.trouble:
        kept = f"; {name.addresses[0]} of {words.span(name.age)} ago is used" if name.addresses else ""
        return f"{words.printable(name.trouble)}{kept}"
    return f"at one of {len(name.addresses)} addresses" if len(name.addresses) > 1 else ""


def state(load: MemberLoad) -> str:
    glyph, text, _style = words.member_state(load)
    return f"{glyph} {text}"


def classes(load: MemberLoad) -> str:
    """``9,120 14 3 1``: answers of 2xx to 5xx."""
    return " ".join(words.count(number) for number in load.classes[1:]) or words.NOTHING


def _latency(name: str) -> Fact:
    def of(load: MemberLoad) -> float:
        return float(getattr(load.latency, name))

    return Fact(f"{name} ms", lambda load: words.millis(of(load)), of, less=True)


def _part(name: str) -> Fact:
    def of(load: MemberLoad) -> float:
        return 100 * float(getattr(load, f"part_{name}"))

    return Fact(f"{name} %", lambda load: f"{of(load):.1f}" if of(load) >= 0 else words.NOTHING, of, less=True)


FACTS = (
    Fact("state", state),
    _part("5xx"),
    _part("4xx"),
    _latency("p95"),
    Fact("errors", lambda load: words.count(load.errors), lambda load: load.errors, less=True),
    Fact("in flight", lambda load: words.count(load.busy), lambda load: load.busy, less=True),
    Fact("req/s", lambda load: words.rate(load.rate), lambda load: load.rate),
    Fact("at", lambda load: words.member_name("", load.url)),
    Fact("weight", lambda load: words.weight(load.weight), lambda load: load.weight),
    Fact("share", lambda load: words.percent(load.share), lambda load: load.share),
    Fact("promised", lambda load: words.percent(load.promised), lambda load: load.promised),
    Fact("oldest", lambda load: words.span(load.oldest) if load.busy > 0 else words.NOTHING),
    _latency("p50"),
    _latency("p99"),
    Fact("2xx 3xx 4xx 5xx", classes),
    Fact("requests", lambda load: words.count(load.elected), lambda load: load.elected),
    Fact("retries", lambda load: words.count(load.retries), lambda load: load.retries, less=True),
    Fact("ejections", lambda load: words.count(load.ejections), lambda load: load.ejections, less=True),
    Fact("sent", lambda load: words.count(load.sent), lambda load: load.sent),
    Fact("received", lambda load: words.count(load.received), lambda load: load.received),
    Fact("role, set", lambda load: f"{load.role}, {load.lbset}"),
    Fact("last error", lambda load: words.printable(load.last_error) or words.NOTHING),
)
"""What two members are compared by, what matters most first. Checks and names have lines of their own."""


def about(load: MemberLoad, marked: Sequence[str], members: Sequence[MemberLoad], now: float) -> Content:
    """``load`` is under the cursor, ``marked`` are names; ``members`` are all of the balancer."""
    if marked:
        lines = [
            Content.styled(f"{len(marked)} marked: {forecast.listed(marked, 6)}", "bold $text-accent"),
            would("D", "drain", members, marked, status="draining"),
            would("e", "enable", members, marked, status="enabled"),
        ]
        lines += _nudges(members, marked)
        return Content("\n").join(lines)
    lines = [stands(load, now)]
    if load.retired:
        lines.append(Content("It is removed, and stays listed until its last request has ended."))
    elif load.status == "enabled":
        lines += _nudges(members, [load.member])
    else:
        lines.append(would("e", "enable", members, [load.member], status="enabled"))
    return Content("\n").join(lines)


def stands(load: MemberLoad, now: float) -> Content:
    """How the member is: its state, and what checks, ejections, slow start and names say of it."""
    known = condition(load, now)
    return _state(load) + Content.styled(f"\n{known}" if known else "", "$secondary")


def _state(load: MemberLoad) -> Content:
    glyph, state, style = words.member_state(load)
    error = f"  {words.printable(load.last_error)}" if load.last_error and load.health == "error" else ""
    return Content.assemble(
        (f"{load.balancer}/{load.member}", "bold"),
        f"  {load.url}  ",
        (f"{glyph} {state}", STYLES[style]),
        (error, "$secondary"),
    )


def would(key: str, what: str, members: Sequence[MemberLoad], names: Sequence[str], **fields: Any) -> Content:
    """``+ weight 2: a 33% → 50%, b 67% → 50%``: what a key would do to the promised shares."""
    return _effect(key, what, members, names, forecast.supposing(members, names, **fields))


def _nudges(members: Sequence[MemberLoad], names: Sequence[str]) -> list[Content]:
    """What ``+`` and ``-`` would do, each where it would do anything."""
    lines = []
    for step, key in ((1, "+"), (-1, "-")):
        weights = {each.member: sentences.nudged(each.weight, step) for each in members if each.member in names}
        after = [replace(each, weight=weights.get(each.member, each.weight)) for each in members]
        if after != list(members):
            what = f"weight {forecast.listed([words.weight(weight) for weight in weights.values()])}"
            lines.append(_effect(key, what, members, names, after))
    return lines


def _effect(
    key: str, what: str, members: Sequence[MemberLoad], names: Sequence[str], then: Sequence[MemberLoad]
) -> Content:
    after = forecast.promised(then)
    effect = forecast.shifts(forecast.promised(members), after, names) or "no share changes"
    if not any(after.values()):
        effect = "no member is left, requests get 503"
    return Content.assemble((key, "bold $text-accent"), (f" {what}: ", "$secondary"), effect)
