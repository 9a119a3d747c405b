"""The pane under the members: how the one under the cursor is, and what the next keys would do to the shares.

Where members are marked the keys act on those, so that the pane speaks of them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from textual.content import Content

from proxy_core.control.view import MemberLoad
from rproxy_tui import forecast, member_facts, sentences, words
from rproxy_tui.theme import STYLES


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
    lines = [_state(load)]
    if condition := member_facts.condition(load, now):
        lines.append(Content.styled(condition, "$secondary"))
    if load.retired:
        lines.append(Content("It is removed, and stays listed until its last request has ended."))
    elif load.status == "enabled":
        lines += _nudges(members, [load.member])
    else:
        lines.append(would("e", "enable", members, [load.member], status="enabled"))
    return Content("\n").join(lines)


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
