"""The routes of a host: the first row that takes a path decides, in the order of the file (``rules.routing``).

Rows that HAProxy cannot say keep their place: what they take goes down the lane, and what they do not goes on. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import Route
from proxy_core.haproxy.forwards import HaproxyForward, climbing, usable
from proxy_core.haproxy.part import OPEN, HostPart, answer, lane
from proxy_core.haproxy.requests import SELF, found
from proxy_core.haproxy.rewriting import moved
from proxy_core.haproxy.spoken import unspoken
from proxy_core.haproxy.words import HandOver, fixed, group, joined, quoted, regex
from proxy_core.http.target import as_bytes_text, escaped
from proxy_core.rules.decision import BoundRoute
from proxy_core.rules.rewriting.flags import is_redirect

_SAFE = re.compile(r"[A-Za-z0-9_.~$+!*'(),;:@&=/-]*").fullmatch
_GROUP = re.compile(r"\$([0-9])")


def routes(part: HostPart, forwards: list[HaproxyForward]) -> Iterator[str]:
    """The lines of a host's routes; ``forwards`` gets those that forward."""
    rows = [each for table in part.rules.routes for each in zip(table.rows, table.bound, strict=True)]
    rows = [(row, route) for row, route in rows if row.enabled and not row.location]
    for at, (row, route) in enumerate(rows):
        address = ("routes", row.id)
        try:
            takes = taken(route)
            try:
                answers_below = any(_answers(below) and _meet(row, below) for below, _ in rows[at:])
                led = list[HaproxyForward]()
                lines = list(_row(part, row, route, takes, answers_below, led))
                forwards += led
                yield from lines
            except HandOver as why:
                yield from lane(part, address, str(why), OPEN, takes)
        except HandOver as why:
            yield from lane(part, address, f"{why}; so are the rows below it", OPEN)
            return


def _answers(row: Route) -> bool:
    return row.redirect is not None or row.folder is not None


def _meet(row: Route, other: Route) -> bool:
    """Whether there may be a path that both take."""
    if row.path is None or other.path is None:
        return True
    return row.path.startswith(other.path) or other.path.startswith(row.path)


def taken(route: BoundRoute) -> str:
    """The condition that a row takes a path, "" for every one. Raises HandOver."""
    if route.regex is not None:
        return found("path", route.regex.text)
    return prefix(route.path)


def prefix(path: str) -> str:
    """The condition that a prefix takes a path by whole segments, "" for every one."""
    if path == "/":
        return ""
    if path.endswith("/"):
        return f"{{ path -m beg -- {quoted(escaped(path).decode())} }}"
    return f"{{ path -m reg {quoted(regex(f'^{re.escape(escaped(path).decode())}(?:/|$)'))} }}"


def _row(
    part: HostPart, row: Route, route: BoundRoute, takes: str, answers_below: bool, forwards: list[HaproxyForward]
) -> Iterator[str]:
    for where, why in unspoken(row, ("routes", row.id)):
        raise HandOver(f"{where[-1]}: {why}")
    if route.redirect is not None:
        yield from _redirect(part, row, route, takes)
    elif route.pool is None:
        if answers_below or part.rules.root:
            raise HandOver("what it excepts may be a file, or a redirect below it")
        yield f"http-request set-var(txn.be) str(-){joined(part.when, OPEN, takes)}"
    else:
        yield from _forward(part, route, takes, forwards)


def _redirect(part: HostPart, row: Route, route: BoundRoute, takes: str) -> Iterator[str]:
    assert route.redirect is not None
    status, to = route.redirect.status, as_bytes_text(route.redirect.to)
    if not is_redirect(status):
        yield from answer(part, status, OPEN, takes, route=row.id)
        return
    start = f"{part.scheme}://{SELF}" if to.startswith("/") else ""
    if route.regex is not None:
        pieces = _template(route, to, takes, part)
        yield from pieces[0]
        location = pieces[1]
    else:
        if not re.fullmatch(r"[!-~]*", to):
            raise HandOver(f"the URL {to}")
        cut = len(route.path)
        location = fixed(to) + (f"%[path,bytes({cut})]" if cut else "%[path]")
    if not re.match(r"/|https?://.", to):
        raise HandOver(f"the URL {to}")
    yield from moved(part, status, start + location, "?" not in to, OPEN, takes)


def _template(route: BoundRoute, text: str, takes: str, part: HostPart) -> tuple[list[str], str]:
    """The lines that find the groups which a text names, and the text as a format. Raises HandOver."""
    assert route.regex is not None
    if not _SAFE(text):
        raise HandOver(f"{text} in a URL")
    numbers = sorted({int(each) for each in _GROUP.findall(text)})
    lines = [
        f"http-request set-var(txn.g{each}) {group('path', route.regex.text, each)}{joined(part.when, OPEN, takes)}"
        for each in numbers
    ]
    return lines, _GROUP.sub(lambda number: f"%[var(txn.g{number[1]})]", text)


def _forward(part: HostPart, route: BoundRoute, takes: str, forwards: list[HaproxyForward]) -> Iterator[str]:
    if route.regex is not None:
        lines, made = _template(route, route.replacement, takes, part)
        made = made if lines else f"{made}%[path]"
        made = made if made.startswith("/") else f"/{made}" if not made.startswith("%[") else made
        if not lines and not route.replacement.startswith("/") and route.replacement:
            raise HandOver(f"the path {route.replacement}")
        forward = HaproxyForward(part, route, ("http-request set-path %[var(txn.to)]",))
        usable(forward)
        yield from lines
        yield f"http-request set-var-fmt(txn.to) {quoted(made)}{joined(part.when, OPEN, takes)}"
        yield from climbing(part, OPEN, takes)
    else:
        forward = HaproxyForward(part, route, _mapped(route))
        usable(forward)
    forwards.append(forward)
    yield from forward.chosen(OPEN, takes)


def _mapped(route: BoundRoute) -> tuple[str, ...]:
    """What puts the target in the place of the prefix."""
    before, after = escaped(route.path).decode(), route.target.decode("latin-1")
    if before == after:
        return ()
    rest = f"%[path,bytes({len(before)})]"
    if not after and not before.endswith("/"):
        # What is left of the prefix itself is no path, and "/" stands for it.
        return (f'http-request set-path \'%[path,bytes({len(before)}),regsub("^$","/")]\'',)
    return (f"http-request set-path {quoted(fixed(after) + rest)}",)
