"""The rows of the frame that every page has: masthead and banner on top, vital signs and key hints at the bottom.

The upper ones are worked out from a Snapshot by pure functions that take the width they may use. A state is always a
word; colour only repeats it. Numbers have a stable width, so that rows do not jitter. A row's text is a list of parts,
so that one that is too narrow gives up what matters least instead of being cut at the end (``fit``), and it is painted
only when it changes.

Hints come from the bindings that are active, so they are never out of date and show remapped keys. The outcome of a
command takes their place for some seconds: where one looks for the next key, and without covering anything, as a toast
would.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from textual.binding import Binding
from textual.events import Resize
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from proxy_core.control.door.link import Link
from proxy_core.control.editing.commands import Applied
from proxy_core.control.editing.pending import Pending
from proxy_core.control.view import Saved, Snapshot
from proxy_core.control.watching.member_standing import by_standing
from proxy_core.errors import Problem
from rproxy_tui.content import Content
from rproxy_tui.keys import PAGES
from rproxy_tui.words import printable


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a row. ``forms`` go from the fullest to the shortest (which may be empty: the part can be left
    out); among parts the one with the lowest ``worth`` gives way first."""

    worth: int
    forms: tuple[Content, ...]


def fit(parts: list[Part], width: int, gap: str = "  ") -> Content:
    """The fullest row of ``parts`` that is not wider than ``width`` cells, or the shortest there is."""
    chosen = [0] * len(parts)

    def row() -> Content:
        return Content(gap).join(part.forms[n] for part, n in zip(parts, chosen, strict=True) if part.forms[n].plain)

    while (line := row()).cell_length > width:
        shrinkable = [n for n, part in enumerate(parts) if chosen[n] < len(part.forms) - 1]
        if not shrinkable:
            break
        chosen[min(shrinkable, key=lambda n: parts[n].worth)] += 1
    return line


def heading(text: str) -> Content:
    """The line above a block of text."""
    return Content.styled(text, "bold $text-accent")


class Line(Widget):
    """A row; ``show`` paints it anew when the text differs."""

    ALLOW_SELECT = False

    content = Content("")

    def show(self, content: Content) -> None:
        if content != self.content:
            self.content = content
            self.refresh()

    def render(self) -> Content:
        return self.content


SAVED = {
    "saved": ("saved", "$text-muted"),
    "unsaved": ("unsaved", "$text-warning"),
    "failed": ("not saved: disk refused", "$text-error"),
    "drift": ("changed on disk", "$text-warning"),
}
NOTHING = Content("")


def milliseconds(seconds: float) -> str:
    """A duration in milliseconds, right-aligned in five cells: three significant digits at most; "–" for none."""
    if seconds < 0:
        return "    –"
    ms = seconds * 1000
    return f"{ms:5.1f}" if ms < 10 else f"{ms:5.0f}"


def labelled(value: str, label: str, style: str = "") -> Content:
    """A number and, fainter, what it counts."""
    return Content.assemble((value, style), " ", (label, "$text-muted"))


def tabs(current: str, pad: str, named: bool = True) -> Content:
    """The pages' keys and names with ``pad`` round each; not ``named``: only the current page's name."""

    def tab(key: str, name: str) -> Content:
        text = f"{pad}{key} {name.title()}{pad}" if named or key == current else f" {key} "
        style = "bold $text-accent on $block-cursor-background"
        return (
            Content.from_markup(f"[@click=app.page('{key}')]{text}[/]")
            if key != current
            else Content.styled(text, style)
        )

    return Content("" if pad else " ").join(tab(key, name) for key, name in PAGES.items())


def masthead(current: str, file: str, snapshot: Snapshot, read_only: bool, width: int) -> Content:
    """Tabs on the left; on the right the site file, how it is saved, and the generation in force. Tabs give up room
    and names where the state of the file would not fit."""
    word, style = SAVED[snapshot.saved]
    word = word.split(":")[0] if width < 100 else word
    needed = len(word) + (11 if read_only else 0) + 2
    forms = (tabs(current, " "), tabs(current, ""), tabs(current, " ", named=False))
    left = next((form for form in forms if form.cell_length + needed <= width), forms[-1])
    right = fit(
        [
            Part(8, (Content.styled("read-only", "$text-accent"), NOTHING) if read_only else (NOTHING,)),
            Part(1, (Content.styled("demo", "$text-accent"), NOTHING) if snapshot.demo else (NOTHING,)),
            Part(3, (Content(file), NOTHING)),
            Part(9, (Content.styled(word, style),)),
            Part(2, (Content.styled(f"g{snapshot.generation}", "$text-muted"), NOTHING)),
        ],
        width - left.cell_length - 2,
    )
    return Content.assemble(left, " " * max(1, width - left.cell_length - right.cell_length - 1), right)


def vital_signs(snapshot: Snapshot, cost: float, width: int, link: Link | None = None, moment: str = "") -> Content:
    """Traffic, errors, latencies, members, and what the loop suffers; ``cost`` is the console's part of it (0–1),
    ``link`` is there where the console is not in that loop; ``moment`` says which one it is, "" for now."""
    s, p = snapshot, snapshot.latency
    rate = f"{s.rate:6,.0f}" if s.rate >= 10 else f"{s.rate:6.1f}"
    percentiles = [("p50", p.p50), ("p95", p.p95), ("p99", p.p99)]

    def latency(wanted: list[tuple[str, float]]) -> Content:
        pairs = [labelled(milliseconds(seconds), name) for name, seconds in wanted]
        return Content.assemble(Content(" ").join(pairs), (" ms", "$text-muted"))

    late = s.lateness * 1000
    lost = link is not None and link.lost != ""  # what was measured before that may fall out
    crowded = moment != "" and width < 80
    taken = [latency(percentiles[first:]) for first in range(3)]
    in_flight = labelled(f"{s.in_flight:3}", "in flight") if s.in_flight >= 0 else NOTHING
    then = Content.styled(f"◀ {moment}" if moment else "", "bold $text-warning")
    way_back = Content.assemble(then, "  ", labelled("0", "now")) if moment else NOTHING
    return fit(
        [
            Part(11, (way_back, then)),
            Part(9, (labelled(rate, "req/s"),)),
            Part(4, (in_flight, NOTHING)),
            Part(6, (labelled(f"{s.rate_4xx:4.1f}", "4xx/s"), NOTHING)),
            Part(8, (labelled(f"{s.rate_5xx:4.1f}", "5xx/s", "$text-error" if s.rate_5xx else ""),)),
            Part(8 if crowded else 5, (*taken, NOTHING) if crowded or lost else (*taken,)),
            Part(7, members(snapshot)),
            Part(3, (labelled(f"{late:3.0f}", "ms late", "$text-warning" if late > 50 else ""), NOTHING))
            if late >= 0
            else Part(3, (NOTHING,)),
            Part(2, (labelled(f"{cost * 100:2.0f} %", "console"), NOTHING)) if link is None else line(link),
        ],
        width,
        gap="  ",
    )


def line(link: Link) -> Part:
    """How long the line takes, there and back."""
    if link.lost:
        return Part(10, (Content.styled("no answer", "$text-error"),))
    delay, style = f"{link.delay * 1000:3.0f}", "$text-warning" if link.delay > 0.5 else ""
    return Part(7, (labelled(delay, "ms line", style), labelled(delay, "ms", style), NOTHING))


def members(snapshot: Snapshot) -> tuple[Content, ...]:
    """How many members are up, ill, draining and down (those out of service are so by intention and not counted), with
    the signs that the tables have for them."""
    up, ill, draining, down, _ = map(len, by_standing(snapshot.members).values())
    states = [
        (up, f"● {up}", "up", "$text-success" if up else "$text-muted"),
        (ill, f"▲ {ill}", "ill", "$text-error"),
        (draining, f"▼ {draining}", "draining", "$text-warning"),
        (down, f"▲ {down}", "down", "$text-error"),
    ]
    shown = [state for state in states if state[0]] or states[:1]
    words = Content(" ").join(Content.styled(f"{figure} {word}", style) for _, figure, word, style in shown)
    figures = Content(" ").join(Content.styled(figure, style) for _, figure, _, style in shown)
    return (words, figures)


def waiting(pending: Pending, now: float, width: int) -> Content:
    """The row for a change that waits to be confirmed: how long still, and the keys that end it."""
    left = f" ◷ g{pending.generation} takes itself back in {max(0, ceil(pending.until - now))} s"
    return fit(
        [
            Part(9, (Content.styled(left, "bold $text-warning"),)),
            Part(3, (Content(printable(f"{pending.sentence} ({pending.author})")), NOTHING)),
            Part(8, (Content("y keeps it   n takes it back"), Content("y/n"))),
            Part(1, (Content.styled(printable(f"before that: {pending.words}"), "$text-muted"), NOTHING)),
        ],
        width,
        gap="   ",
    )


def banner(saved: Saved, file: str, problems: tuple[Problem, ...], width: int) -> Content:
    """The row for what is wrong, with the key that helps; empty when nothing is."""
    if saved == "drift":
        return Content.assemble((f" ! {file} was changed on disk", "$text-warning"), "  p: take theirs, or keep ours")
    if not problems:
        return NOTHING
    first = min(problems, key=lambda problem: problem.severity != "error")
    glyph = "✗" if first.severity == "error" else "!"
    more = f"  p: all {len(problems)}" if len(problems) > 1 else "  p: what to do"
    words = Content(printable(f"{glyph} {first.what}")).truncate(max(width - len(more) - 2, 10), ellipsis=True)
    return Content.assemble(" ", words.stylize(f"$text-{first.severity}"), (more, "$text-muted"))


def outcome(result: Applied, warnings: int, ctl: str, width: int) -> Content:
    """What was applied, how many warnings it brought, and the line for a shell that does the same."""
    new = f"p: {warnings} new warning{'s' if warnings > 1 else ''}" if warnings else ""
    forms = (
        (4, (f"applied as g{result.generation}: {result.sentence}",)),
        (1, ("" if result.pending is not None else "u takes it back", "")),
        (3, (new,)),
        (2, (f"y: {ctl}", "y copies its ctl line", "") if result.pending is None else ("",)),
    )
    return fit([Part(worth, tuple(Content(printable(text)) for text in texts)) for worth, texts in forms], width, "   ")


class Masthead(Line):
    """The row on top."""


class Banner(Line):
    """The row under the masthead, there only when something is wrong."""


class StatusLine(Line):
    """The row of vital signs, above the key hints."""


NOTICE_SECONDS = 8.0
ALWAYS = ("help", "quit")


class KeyHints(Line):
    """Hints, or the notice that ``say`` was given last."""

    _notice: Timer | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def on_resize(self, _event: Resize) -> None:
        self._hint()

    def _changed(self, _screen: Screen[object]) -> None:
        self.call_after_refresh(self._hint)

    def say(self, notice: Content) -> None:
        """Show an outcome for some seconds instead of the hints."""
        if self._notice is not None:
            self._notice.stop()
        self._notice = self.set_timer(NOTICE_SECONDS, self._hush)
        self.show(notice)

    def _hush(self) -> None:
        self._notice = None
        self._hint()

    def _hint(self) -> None:
        if self._notice is not None or not self.is_attached:
            return
        shown = [active.binding for active in self.screen.active_bindings.values() if active.enabled]
        self.show(hints([(each, self.app.get_key_display(each)) for each in shown if each.show], self.size.width))


def hints(bindings: list[tuple[Binding, str]], width: int) -> Content:
    """``key what`` for each binding, the console's own keys last; one hint for keys that do the same.

    Where there is no room for all, those of ``ALWAYS`` stay: who is lost needs them most.
    """
    first: dict[str, tuple[Binding, str]] = {}
    for binding, key in bindings:
        if binding.description:
            first.setdefault(binding.action, (binding, key))
    shown = [
        (
            binding.id in ALWAYS,
            Content.assemble(" ", (key, "bold $text-accent"), " ", (binding.description, "$text-muted"), " "),
        )
        for binding, key in first.values()
    ]
    spare = width - sum(hint.cell_length for always, hint in shown if always)
    row = Content("")
    for always, hint in shown:
        if not always:
            if hint.cell_length > spare:
                continue
            spare -= hint.cell_length
        row = row + hint
    return row
