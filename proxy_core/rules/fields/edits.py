"""Header rules: what mod_headers does to the fields of a request on its way up and of an answer on its way down.

A row is compiled into an Edit; edits are done one after the other on a list of field lines, as ``do_headers_fixup`` in
modules/metadata/mod_headers.c works on httpd's tables. An edit that says the same for every request is *steady*: what
it makes of one block of lines may be used again for an equal block. Every line is written by ``line``, the one place
that refuses what would end it early: a value with a control character in it is not sent. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from proxy_core.config.model import HeaderRule
from proxy_core.errors import Address
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.decision import Trace
from proxy_core.rules.expression.evaluation import Expr, ExprFailure, compile_expr, compile_string
from proxy_core.rules.expression.substitution import Walk, steps, walk
from proxy_core.rules.facts import Unknown
from proxy_core.rules.fields import edit_trace
from proxy_core.rules.fields.edit_scope import Moment, found, value_of
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import Groups, Pattern, Runaway

FRAMING = frozenset((
    b"connection", b"content-length", b"expect", b"http2-settings", b"keep-alive", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade",
))  # fmt: skip
"""Fields that say where a message ends and what the connection becomes. The proxy writes them itself, always."""

_LOOKING = ("append", "merge", "edit", "edit*")
_TAG = re.compile(r"%\{([^}]*)\}([es])|%([tD%])|\\([rnt\\])|(%)")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_REFERENCE = re.compile(r"\$([0-9])|\\([$&])")
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}


Value = Callable[[Moment], str]


class Edit(NamedTuple):
    """A row, ready to be done."""

    address: Address
    """Where it stands in the site."""
    action: str
    """What it does: set, add, unset, …"""
    name: bytes
    """The field, in lower case."""
    spelled: bytes
    """The field, as configured."""
    value: Value
    """The value for a request."""
    steady: bool
    """It says the same for every request."""
    regex: Pattern | None = None
    """What echo looks for among the names of fields."""
    way: Walk | None = None
    """What edit replaces."""
    holds: Callable[[Moment], bool] | None = None
    """Its condition, None for none."""
    asks: bool = False
    """Its condition or its value is an expression, which may ask for a fact."""


@dataclass(frozen=True, slots=True, eq=False)
class Edits:
    """All edits of one kind of request. ``steady``: they say the same for every one of them. ``server`` and ``adds``
    are what a host says of X-Forwarded-*: its own name, and whether they are added at all; None where the site's word
    holds. ``early`` are those that are done before the rules."""

    request: tuple[Edit, ...]
    response: tuple[Edit, ...]
    always: tuple[Edit, ...]
    server: bytes | None = None
    adds: bool | None = None
    early: tuple[Edit, ...] = ()

    @property
    def requests(self) -> bool:
        """Whether requests are changed in any way."""
        return bool(self.request) or self.server is not None or self.adds is not None

    @property
    def asking(self) -> tuple[Edit, ...]:
        """The edits of answers that may ask for a fact."""
        return tuple(edit for edit in (*self.always, *self.response) if edit.asks)

    @property
    def steady_request(self) -> bool:
        return all(edit.steady for edit in self.request)

    @property
    def steady_answer(self) -> bool:
        return all(edit.steady for edit in (*self.response, *self.always))


def compile_edit(row: HeaderRule) -> Edit:
    """A row that ``lint`` found no error in. Raises PatternError, ExprError and ValueError."""
    value, steady = compile_value(row.value)
    regex = pattern.compile(row.pattern) if row.action == "echo" else None
    way = walk(as_bytes_text(row.pattern), False) if row.action in ("edit", "edit*") else None
    holds = _condition(row)
    spelled = row.name.encode("latin-1")
    asks = bool(row.expr) or (row.value.startswith("expr=") and not steady)
    steady = steady and holds is None and row.action not in ("echo", "note")
    return Edit(("headers", row.id), row.action, spelled.lower(), spelled, value, steady, regex, way, holds, asks)


def compile_value(text: str) -> tuple[Value, bool]:
    """The value for a request, and whether it is always the same (``parse_format_string``). Raises ValueError for a
    format that is none, ExprError for an expression that is none."""
    if text.startswith("expr="):
        made = compile_string(text.removeprefix("expr="))
        if made.constant is not None:
            constant = made.constant
            return (lambda moment: constant), True
        return (lambda moment: made.value(moment.scope)), False
    parts: list[Value | str] = []
    at = 0
    whole = as_bytes_text(text)
    for tag in _TAG.finditer(whole):
        parts.append(whole[at : tag.start()])
        at = tag.end()
        parts.append(_tag(tag, whole))
    parts.append(whole[at:])
    if all(isinstance(part, str) for part in parts):
        joined = "".join(part for part in parts if isinstance(part, str))
        return (lambda moment: joined), True
    return (lambda moment: "".join([part if isinstance(part, str) else part(moment) for part in parts])), False


def _tag(tag: re.Match[str], whole: str) -> Value | str:
    name, kind, single, escaped, stray = tag.groups()
    if stray is not None:
        raise ValueError(f"the % at character {tag.start() + 1} begins no format: %{{NAME}}e, %{{NAME}}s, %t, %D or %%")
    if escaped is not None:
        return _ESCAPED[str(escaped)]
    if single is not None:
        if single == "%":
            return "%"
        return (lambda moment: f"t={moment.at}") if single == "t" else (lambda moment: f"D={moment.taken}")
    if kind == "e":
        return lambda moment: _flat(moment.scope.env.get(str(name).lower(), ("", "(null)"))[1])
    return lambda moment: _flat(moment.scope.variable(f"SSL:{name}") or "(null)")


def _flat(value: str) -> str:
    """A value without line ends, each being a blank (``unwrap_header``)."""
    return value.replace("\r", " ").replace("\n", " ")


def _condition(row: HeaderRule) -> Callable[[Moment], bool] | None:
    if row.expr:
        expr = compile_expr(row.expr)
        return lambda moment: _true(expr, moment)
    if row.env:
        name, wanted = row.env.removeprefix("!").lower(), not row.env.startswith("!")
        return lambda moment: (name in moment.scope.env) is wanted
    return None


def _true(expr: Expr, moment: Moment) -> bool:
    """httpd does what a condition that fails to be evaluated was about."""
    try:
        return expr.truth(moment.scope)
    except ExprFailure:
        return True
    except Unknown:
        if not moment.scope.status:
            raise
        return True


def joined(lines: list[bytes], edits: Sequence[Edit]) -> list[bytes]:
    """The lines with those of one name in one where an edit looks at what they say: httpd has all fields of a request
    so from the start (``ap_get_mime_headers_core``)."""
    names = {edit.name for edit in edits if edit.action in _LOOKING}
    made: dict[bytes, int] = {}
    kept: list[bytes] = []
    for each in lines if names else ():
        name = each.partition(b":")[0].lower()
        if name in names and name in made:
            kept[made[name]] += b", " + each.partition(b":")[2].strip(b" \t")
        else:
            made[name] = len(kept)
            kept.append(each)
    return kept or lines


def line(name: bytes, value: str) -> bytes | None:
    """A field line, None for a value that no line can carry: one that holds a control character, or is not bytes."""
    if _UNSENDABLE(value):
        return None
    try:
        return b"%b: %b" % (name, value.encode("latin-1"))
    except UnicodeEncodeError:
        return None


def edited(edits: Sequence[Edit], lines: list[bytes], moment: Moment, trace: Trace | None = None) -> list[bytes]:
    """The lines after all edits; ``lines`` itself stays. An edit whose value cannot be had is not done. Raises Unknown
    for a fact that a request's edit asks for; an answer does not wait for one."""
    lines = list(lines)
    for edit in edits:
        before, why = (list(lines) if trace is not None else lines), ""
        try:
            if edit.holds is None or edit.holds(moment):
                _do(edit, lines, moment)
            else:
                why = "its condition does not hold"
        except Unknown:
            if not moment.scope.status:
                raise
            why = "its value cannot be had"
        except (ExprFailure, Runaway):
            why = "its value cannot be had"
        if trace is not None:
            trace.append(edit_trace.step(edit, before, lines, why))
    return lines


def ask_for(edits: Sequence[Edit], moment: Moment) -> None:
    """Ask what edits of an answer will ask for, as far as the request alone tells. Raises Unknown."""
    for edit in edits:
        with suppress(ExprFailure, Runaway):
            if edit.holds is None or edit.holds(moment):
                edit.value(moment)


def _do(edit: Edit, lines: list[bytes], moment: Moment) -> None:
    at = found(lines, edit.name)
    match edit.action:
        case "unset":
            _drop(lines, at)
        case "set":
            _set(edit, lines, at, edit.value(moment))
        case "setifempty":
            if not at:
                _set(edit, lines, at, edit.value(moment))
        case "add":
            _set(edit, lines, [], edit.value(moment))
        case "append" | "merge":
            value = edit.value(moment)
            if edit.action == "merge" and at and value in _items(value_of(lines[at[0]])):
                return
            if not at:
                _set(edit, lines, at, value)
            elif made := line(lines[at[0]].partition(b":")[0], f"{value_of(lines[at[0]])}, {value}"):
                lines[at[0]] = made
        case "edit" | "edit*":
            _replace(edit, lines, at, moment)
        case "echo":
            assert edit.regex is not None
            head = moment.scope.view.head.split(b"\r\n")[1:-2]
            lines += [each for each in head if edit.regex.search(each.partition(b":")[0].decode("latin-1")) is not None]
        case "note":
            if at:
                moment.scope.notes[edit.value(moment).lower()] = value_of(lines[at[0]])
        case "via" | "via+":  # httpd adds a second line to answers
            before = [value_of(lines[number]) for number in at] if edit.action == "via" else []
            value = ", ".join([*before, f"{moment.version} {edit.value(moment)}"])
            _set(edit, lines, at if edit.action == "via" else [], value)
        case "id":
            known = value_of(lines[at[0]]) if len(at) == 1 else ""
            if not (moment.trusted and 0 < len(known) <= 128 and known.isprintable()):
                _set(edit, lines, at, moment.new_id())


def _set(edit: Edit, lines: list[bytes], at: list[int], value: str) -> None:
    made = line(edit.spelled, value)
    if made is None:
        return
    if not at:
        lines.append(made)
        return
    lines[at[0]] = made
    _drop(lines, at[1:])


def _drop(lines: list[bytes], at: list[int]) -> None:
    for number in reversed(at):
        del lines[number]


def _items(value: str) -> list[str]:
    """The items of a list, a comma inside quotes being none (``ap_get_token``)."""
    return [item.lstrip(" \t") for item in re.findall(r'((?:"[^"]*(?:"|\Z)|[^,"])+)', value)]


def _replace(edit: Edit, lines: list[bytes], at: list[int], moment: Moment) -> None:
    """Each line of the field is edited, and then stands at the end."""
    assert edit.way is not None
    made = []
    for number in at:
        new = _swapped(edit.way, value_of(lines[number]), edit.value(moment), edit.action == "edit*")
        each = line(lines[number].partition(b":")[0], new)
        made.append(lines[number] if each is None else each)
    _drop(lines, at)
    lines += made


def _swapped(way: Walk, value: str, template: str, every: bool) -> str:
    """``process_regexp``: the first find is replaced, or each."""
    done = []
    for step in steps(way, value):
        if step.groups is None:
            done.append(step.before)
            break
        done.append(step.before + _filled(template, step.groups))
        if not every:
            done.append(step.rest)
            break
    return "".join(done)


def _filled(template: str, groups: Groups) -> str:
    def put(reference: re.Match[str]) -> str:
        if reference[1] is None:
            return str(reference[2])
        number = int(reference[1])
        return (groups[number] or "") if number < len(groups) else ""

    return _REFERENCE.sub(put, template)
