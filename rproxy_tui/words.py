"""Numbers and states as people read them: one wording and one width for each, wherever the console shows them.

Numbers keep to a small fixed width, so that a column of them stays still while they move. State is said by a word and
a glyph; the style named beside it only repeats what the word says. Text from outside passes through ``printable``
before it reaches the terminal, and ``clip`` and ``middle`` see to that themselves.
"""

from __future__ import annotations

import time
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from proxy_core.control.question import Verdict
from proxy_core.control.view import ListenerState, MemberLoad
from proxy_core.printable import printable as printable  # one of the words of the console

NOTHING = "–"
"""Stands where nothing was measured."""

OLD = 60.0
"""Seconds after which a request that holds up a drain is pointed out."""


def count(number: float) -> str:
    """A number of things in at most five cells: 7, 950, 9,999, 12.3k, 4.56M; ``NOTHING`` for one that is not known."""
    if number < 0:
        return NOTHING
    if number < 10_000:
        return f"{number:,.0f}"
    for unit in "kMGT":
        number /= 1000
        if number < 999.5 or unit == "T":
            break
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}{unit}"


def rate(per_second: float) -> str:
    """Things a second in at most five cells; a decimal only where it says something."""
    return f"{per_second:.1f}" if 0 < per_second < 9.95 else count(per_second)


def millis(seconds: float) -> str:
    """A duration in milliseconds with three digits, in at most six cells; ``NOTHING`` for what was not measured."""
    if seconds < 0:
        return NOTHING
    number = seconds * 1000
    if number >= 99.95:
        return f"{number:,.0f}" if number < 99_999.5 else f"{number / 1000:.0f}k"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def percent(fraction: float) -> str:
    return f"{fraction * 100:.0f}%" if fraction >= 0 else NOTHING


def weight(number: float) -> str:
    return f"{number:g}" if number >= 0 else NOTHING


def span(seconds: float) -> str:
    """A duration as one says it: 12 s, 3 min, 5 h, 2 days."""
    if seconds < 99.5:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 5970:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


@lru_cache(maxsize=4096)
def _clock(at: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def clock(at: float) -> str:
    """Local time of day of an epoch time, to the second."""
    return _clock(int(at))


def when(at: float, now: float) -> str:
    """Local time of an epoch time in at most 12 cells, with its date where that is not today's."""
    moment, today = time.localtime(at), time.localtime(now)
    return clock(at) if moment[:3] == today[:3] else time.strftime("%b %d %H:%M", moment)


def clip(text: str, width: int) -> str:
    """At most ``width`` cells of ``text``, made printable; what is cut off at the end is shown by an ellipsis."""
    text = printable(text)
    if cells(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else "…"[:width]


def middle(text: str, width: int) -> str:
    """At most ``width`` cells of ``text``, made printable and cut in the middle: both ends of a path tell what it
    is."""
    text = printable(text)
    if cells(text) <= width:
        return text
    if not text.isascii():
        return clip(text, width)
    head = (width - 1) // 2
    tail = width - 1 - head
    return f"{text[:head]}…{text[-tail:]}" if tail > 0 else "…"[:width]


def pad(text: str, width: int, right: bool = False) -> str:
    """``text`` (not wider than that) filled up with spaces to ``width`` cells."""
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    fill = " " * (width - cell_len(text))
    return fill + text if right else text + fill


def cells(text: str) -> int:
    """How wide a text is in the terminal."""
    return len(text) if text.isascii() else cell_len(text)


def reachable(listener: ListenerState) -> str:
    """Host and port by which this machine reaches a listener."""
    host = listener.address.rpartition(":")[0]
    return f"{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{listener.port}"


def member_name(balancer: str, member: str) -> str:
    """``backend/a``; the origin alone for the upstream of a plain URL."""
    return f"{balancer}/{member}" if balancer else member.removeprefix("http://").removeprefix("https://")


def member_fit(balancer: str, member: str, width: int) -> tuple[str, str]:
    """The member's name in at most ``width`` cells, as prefix and name: the balancer gives way first."""
    balancer, name = printable(balancer), printable(member_name("", member))
    if len(name) > width:
        return "", middle(name, width)
    room = width - len(name) - 1
    if not balancer or room < min(len(balancer), 4):
        return "", name
    return clip(balancer, room) + "/", name


def status_glyph(status: int) -> str:
    """A sign for the class of a status: the eye finds what failed without reading numbers."""
    if status == 499:
        return "○"
    return {2: "·", 3: "→", 4: "▲", 5: "■"}.get(status // 100, "·")


def status_style(status: int) -> str:
    return "muted" if status == 499 else {2: "good", 3: "muted", 4: "warning", 5: "error"}.get(status // 100, "")


def verdict(step: Verdict) -> tuple[str, str]:
    """What came of a rule that was tried, with its sign, and the style of that."""
    return {"match": ("● match", "good"), "skipped": ("○ skipped", "muted")}.get(step.verdict, ("· no match", "muted"))


def member_state_word(load: MemberLoad) -> str:
    """The same as ``member_state`` in a word of at most eight cells, where there is no room for more."""
    if not load.known:
        return "not kept"
    if load.retired:
        return "retired"
    if load.status == "draining":
        return f"drain {load.busy}" if load.busy else "drained" if load.drained else "drain"
    if load.status != "enabled":
        return load.status
    if load.health == "up":
        if load.ill:
            return load.ill.replace(", ", "+")
        return f"up {percent(load.ramp)}" if load.ramp < 1 else "up" if load.role == "regular" else load.role
    return {"unknown": "untried", "unresolved": "no name"}.get(load.health, load.health)


def member_state(load: MemberLoad) -> tuple[str, str, str]:
    """Glyph, words and style of a member's state. What was configured comes before what was seen: a member that was
    taken out of service is not in trouble."""
    busy = load.busy
    if not load.known:
        return "·", "state not kept", "muted"
    if load.retired:
        return "○", f"retired: {busy} in flight" if busy else "retired", "muted"
    if load.status in ("disabled", "stopped"):
        return "○", f"{load.status}: {busy} in flight" if busy else load.status, "muted"
    if load.status == "draining":
        if not busy:
            return ("○", "drained: safe to stop", "good") if load.drained else ("▼", "draining: no request", "muted")
        if load.oldest > OLD:
            return "▼", f"draining: {busy} for {span(load.oldest)}", "warning"
        return "▼", f"draining: {busy} in flight", "warning"
    match load.health:
        case "error" if load.retry_in > 0:
            return "▲", f"error: retry in {span(load.retry_in)}", "error"
        case "error":
            return "▲", "error: next try now", "error"
        case "failing":
            return "▲", "failing its checks", "error"
        case "ejected":
            return "▲", f"ejected: back in {span(load.retry_in)}", "error"
        case "unresolved":
            return "▲", "unresolved", "error"
        case "up" if load.ill:
            return "▲", f"up, but {load.ill}", "error"
        case "up" if load.ramp < 1:
            return "●", f"up: ramp at {percent(load.ramp)}", "good"
        case "up":
            return "●", "up" if load.role == "regular" else f"up, {load.role}", "good"
        case "unknown":
            return "·", "not tried yet" if load.role == "regular" else f"{load.role}, not tried", "muted"
