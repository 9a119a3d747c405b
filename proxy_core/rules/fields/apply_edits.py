"""Edits of header fields done: what mod_headers makes of the field lines of a message.

Edits are done one after the other on a list of lines, as ``do_headers_fixup`` in modules/metadata/mod_headers.c works
on httpd's tables. Every line is written by ``line``, the one place that refuses what would end a line early: a value
with a control character in it is not sent. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from proxy_core.http.escaping import breaks_field
from proxy_core.http.hop_by_hop import as_cgi
from proxy_core.rules.decision import Trace
from proxy_core.rules.expression.evaluation import ExprFailure
from proxy_core.rules.expression.sub_and_split import Walk, steps
from proxy_core.rules.facts import Unknown
from proxy_core.rules.fields import edit_trace
from proxy_core.rules.fields.edit_scope import Moment, found, value_of
from proxy_core.rules.fields.edits import Edit, Edits
from proxy_core.rules.text.pattern import Runaway, filled

_LOOKING = ("append", "merge", "edit", "edit*")
"""Actions that look at what a field says."""


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


def without_twins(lines: list[bytes], edits: Edits, trace: Trace | None = None) -> list[bytes]:
    """The fields of a request without those that a member behind CGI takes for one that an edit is about
    (``X_Internal_Secret``): what the site sets or takes away must come in under no other name."""
    names, alike = edits.names, {as_cgi(name): name for name in edits.names}
    kept = []
    for each in lines if names else ():
        name = each.partition(b":")[0].lower()
        if name in names or as_cgi(name) not in alike:
            kept.append(each)
        elif trace is not None:
            trace.append(edit_trace.dropped((*edits.early, *edits.request), each, alike[as_cgi(name)]))
    return kept if names else lines


def line(name: bytes, value: str) -> bytes | None:
    """A field line, None for a value that no line can carry: one that holds a control character, or is not bytes."""
    if breaks_field(value):
        return None
    try:
        return b"%b: %b" % (name, value.encode("latin-1"))
    except UnicodeEncodeError:
        return None


def edited(edits: Sequence[Edit], lines: list[bytes], moment: Moment, trace: Trace | None = None) -> list[bytes]:
    """The lines after all edits; ``lines`` itself stays. An edit whose value cannot be had is not done. Raises Unknown
    for a fact that an edit of a request asks for; an answer does not wait for one."""
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
    assert edit.walk is not None
    made = []
    for number in at:
        new = _swapped(edit.walk, value_of(lines[number]), edit.value(moment), edit.action == "edit*")
        each = line(lines[number].partition(b":")[0], new)
        made.append(lines[number] if each is None else each)
    _drop(lines, at)
    lines += made


def _swapped(walk: Walk, value: str, template: str, every: bool) -> str:
    """``process_regexp``: the first find is replaced, or each."""
    done = []
    for step in steps(walk, value):
        if step.groups is None:
            done.append(step.before)
            break
        done.append(step.before + filled(template, step.groups))
        if not every:
            done.append(step.rest)
            break
    return "".join(done)
