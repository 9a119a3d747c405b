"""Rewrite rules that answer, redirect or forward by themselves, in the order in which they are tried.

A rule of which HAProxy cannot say the whole has its pattern said at least: where that is found the request goes down
the lane, and where it is not the rule has no part in it (``rules.rewriting.rewrite``). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.haproxy.forwards import HaproxyForward, climbing, usable
from proxy_core.haproxy.part import LEAVE, HostPart, answer, lane
from proxy_core.haproxy.requests import SELF, condition, found, only_variable, tame, url_text
from proxy_core.haproxy.words import HandOver, Lines, argument, equal, group, joined, name, quoted
from proxy_core.rules.decision import Forward
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.text.template import Filled, Fixed, Template

_UNDECIDED = "!{ var(txn.be) -m found } !{ var(txn.ended) -m found }"
_BEYOND = ("backrefs", "chain", "cookies", "env", "next", "passthrough", "qsappend", "qsdiscard", "qslast",
           "skip", "unc", "unsafe_allow3f")  # fmt: skip
_TARGET = re.compile(r"(http://[A-Za-z0-9.:\[\]-]+|balancer://[^/]+)(/.*|)", re.DOTALL).fullmatch


def rewrites(part: HostPart, forwards: list[HaproxyForward]) -> Iterator[str]:
    """The lines of a host's rules; ``forwards`` gets what they forward to."""
    chained = False
    for rule in part.rules.rules:
        inside, chained = chained, rule.flags.chain
        if inside:
            continue  # it is tried only where the first of its chain was found, which is the lane's
        address = ("rewrites", rule.id)
        try:
            led = list[HaproxyForward]()
            lines = list(_rule(part, rule, led))
            forwards += led
            yield from lines
        except HandOver as why:
            try:
                yield from lane(part, address, str(why), _UNDECIDED, _found(part, rule))
            except HandOver:
                yield from lane(part, address, f"{why}; so is every rule and route below it", _UNDECIDED)
                return


def _found(part: HostPart, rule: BoundRewrite) -> str:
    """The condition that a rule's pattern is found. Raises HandOver."""
    return found("path", rule.row.pattern.removeprefix("!"), rule.flags.nocase, rule.negated)


def _rule(part: HostPart, rule: BoundRewrite, forwards: list[HaproxyForward]) -> Iterator[str]:
    given = rule.flags
    said = next((each for each in _BEYOND if getattr(given, each)), None)
    if said is not None or rule.row.folder or rule.row.base:
        raise HandOver(f"{' '.join(rule.row.flags) or rule.row.folder or rule.row.base} has no equal")
    conditions = [
        condition(part, each, row.pattern, bool({"NC", "NOCASE"} & {flag.strip().upper() for flag in row.flags}))
        for each, row in zip(rule.conditions, rule.row.conditions, strict=True)
    ]
    when = (_UNDECIDED, _found(part, rule), *conditions)
    made = rule.substitution
    if given.answers:
        yield from answer(part, given.status, *when)
    elif made is None:
        if given.last or given.end:
            yield f"http-request set-var(txn.ended) bool(true){joined(part.when, *when)}"
    elif given.proxy:
        yield from _forwarded(part, rule, when, forwards)
    elif given.redirect:
        if not (given.last or given.end):
            raise HandOver("rules below it see what it makes of the path")
        yield from _redirect(part, rule, when)
    else:
        raise HandOver("it makes another path")


def _groups(part: HostPart, rule: BoundRewrite, text: Template | None = None) -> dict[str, str]:
    """The fetch of each group that a rule's substitution names: of its pattern, and of its last condition, where no
    sign of it needs an escape. Raises HandOver."""
    made = text or rule.substitution
    named = {piece.name for piece in made.parts if isinstance(piece, Filled)} if made is not None else set()
    found_in: dict[str, str] = {}
    for each in sorted(named):
        number = each[1:]
        if each[:1] == "$" and number.isdigit() and not rule.negated:
            found_in[each] = f"var(txn.g{number})"
        elif each[:1] == "%" and number.isdigit():
            _last(part, rule)
            found_in[each] = f"var(txn.c{number})"
    return found_in


def _last(part: HostPart, rule: BoundRewrite) -> tuple[str, str, bool]:
    """Fetch, pattern and case of the condition that %1 is of. Raises HandOver."""
    at = max((at for at, each in enumerate(rule.conditions) if each.kind == "pattern" and not each.negated), default=-1)
    if at < 0:
        raise HandOver("%1 without a condition")
    variable, row = only_variable(rule.conditions[at].subject), rule.row.conditions[at]
    assert variable is not None  # every condition is spoken
    nocase = bool({"NC", "NOCASE"} & {flag.strip().upper() for flag in row.flags})
    if variable.upper().startswith("ENV:"):
        return f"var(txn.e.{name(variable[4:].lower())})", row.pattern, nocase
    return tame(part, variable), row.pattern, nocase


def _set_groups(part: HostPart, rule: BoundRewrite, when: tuple[str, ...], names: dict[str, str]) -> Iterator[str]:
    for each, variable in names.items():
        number = int(each[1:])
        if each[0] == "$":
            source = group("path", rule.row.pattern, number, rule.flags.nocase)
        else:
            subject, text, nocase = _last(part, rule)
            source = group(subject, text, number, nocase)
        yield f"http-request set-{variable} {source}{joined(part.when, *when)}"


def _redirect(part: HostPart, rule: BoundRewrite, when: tuple[str, ...]) -> Iterator[str]:
    made = rule.substitution
    assert made is not None
    pieces, drops, query = list(made.parts), rule.drops, ""
    if pieces and isinstance(last := pieces[-1], Fixed) and "?" in last.text:
        path, _, query = last.text.partition("?")
        pieces[-1], drops = Fixed(path), True
    if not re.fullmatch(r"[A-Za-z0-9_.~=&-]*", query):
        raise HandOver(f"the query {query}")
    groups = _groups(part, rule)
    location = url_text(part, pieces, groups)
    first = pieces[0] if pieces else None
    if isinstance(first, Fixed) and not first.text.startswith(("http://", "https://")):
        location = f"{part.scheme}://{SELF}{'' if first.text.startswith('/') else '/'}{location}"
    elif not isinstance(first, Fixed) and (first is None or first.name.upper() != "%{REQUEST_SCHEME}"):
        raise HandOver("where it leads is the request's to say")
    yield from _set_groups(part, rule, when, groups)
    yield from moved(part, rule.flags.status or 302, location + (f"?{query}" if query else ""), not drops, *when)


def moved(part: HostPart, status: int, location: str, query: bool, *conditions: str) -> Lines:
    """The lines of a redirect to a format; ``query`` says that the request's own goes along. Raises HandOver."""
    said = f"http-request return status {status} hdr location "
    whole = joined(part.when, *conditions)
    if not query:
        return [f"{said}{quoted(location)}{whole}"]
    return [
        f"{said}{quoted(location + '?%[query]')}{joined(part.when, *conditions, '{ query -m found }')}",
        f"{said}{quoted(location)}{whole}",
    ]


def _forwarded(
    part: HostPart, rule: BoundRewrite, when: tuple[str, ...], forwards: list[HaproxyForward]
) -> Iterator[str]:
    made = rule.substitution
    assert made is not None
    first = made.parts[0] if made.parts else None
    if isinstance(first, Fixed) and first.text == "http://" and len(made.parts) > 1:
        yield from _by_map(part, rule, when, forwards)
        return
    found_in = _TARGET(first.text) if isinstance(first, Fixed) else None
    if found_in is None or (len(made.parts) > 1 and not found_in[2]) or rule.drops:
        raise HandOver("where it forwards to is the request's to say")
    target = found_in[1]
    groups = _groups(part, rule)
    path = url_text(part, [Fixed(found_in[2]), *made.parts[1:]], groups)
    forward = _forward(part, rule, target)
    forwards.append(forward)
    yield from _set_groups(part, rule, when, groups)
    yield f"http-request set-var-fmt(txn.to) {quoted(path or '/')}{joined(part.when, *when)}"
    yield from climbing(part, *when)
    yield from forward.chosen(*when)


def _forward(part: HostPart, rule: BoundRewrite, target: str, label: str = "") -> HaproxyForward:
    """What a rule forwards to. Raises HandOver."""
    leads = part.rules.targets.forward(rule, f"{target}/", None, False, None)
    if not isinstance(leads, Forward):
        raise HandOver("where it forwards to is nowhere")
    made = HaproxyForward(part, leads.route, ("http-request set-path %[var(txn.to)]",), label)
    usable(made)
    return made


_AUTHORITY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::\d+)?").fullmatch
_MOST_TARGETS = 64


def _by_map(part: HostPart, rule: BoundRewrite, when: tuple[str, ...], forwards: list[HaproxyForward]) -> Iterator[str]:
    """A rule whose member is what a text map says. Raises HandOver."""
    made = rule.substitution
    assert made is not None
    chosen, rest = made.parts[1], made.parts[2:]
    if not isinstance(chosen, Filled) or chosen.looks_up is None or rule.drops:
        raise HandOver("where it forwards to is the request's to say")
    key, default = chosen.looks_up
    if not rest or not isinstance(rest[0], Fixed) or not rest[0].text.startswith("/"):
        raise HandOver("where it forwards to is the request's to say")
    if default is not None and default.constant is None:
        raise HandOver("the default of its map is the request's to say")
    file, entries = part.table(chosen.name[2:-1])
    fallback = default.constant or "" if default is not None else ""
    targets = list(dict.fromkeys([*entries.values(), *([fallback] if fallback else [])]))
    if len(targets) > _MOST_TARGETS or not all(map(_AUTHORITY, targets)):
        raise HandOver("its map names more than members")
    groups = _groups(part, rule) | _groups(part, rule, key)
    path, asked = url_text(part, rest, groups), url_text(part, key.parts, groups)
    made_of = [_forward(part, rule, f"http://{each}", f".{number}") for number, each in enumerate(targets)]
    whole = joined(part.when, *when)
    yield from _set_groups(part, rule, when, groups)
    yield f"http-request set-var-fmt(txn.to) {quoted(path)}{whole}"
    yield from climbing(part, *when)
    yield f"http-request set-var-fmt(txn.key) {quoted(asked)}{whole}"
    looked = f"var(txn.key),map_str({argument(file)}{',' + argument(fallback) if fallback else ''})"
    yield f"http-request set-var(txn.member) {quoted(looked)}{whole}"
    for each, forward in zip(targets, made_of, strict=True):
        forwards.append(forward)
        yield from forward.chosen(*when, equal("var(txn.member)", each))
    yield f"http-request set-var(txn.lane) bool(true){joined(part.when, *when)}"
    yield LEAVE
