"""What an edit did to a message, or why it did nothing, as a line of a Trace. Pure; made only where people ask."""

from __future__ import annotations

from collections.abc import Iterable

from proxy_core.http.target import readable
from proxy_core.rules.decision import Step
from proxy_core.rules.fields.edits import Edit

_DONE = {"id": "set", "via": "append", "via+": "add"}
_IDLE = {
    "unset": "there is no {}",
    "edit": "its pattern is found in no {}",
    "edit*": "its pattern is found in no {}",
    "setifempty": "{} is there already",
    "merge": "{} has it already",
    "echo": "the request has no such field",
    "id": "the client is trusted with its own",
}


def step(edit: Edit, before: list[bytes], after: list[bytes], why: str) -> Step:
    """What an edit did, with the lines that it made; or why it did nothing."""
    name = edit.spelled.decode("latin-1")
    if edit.action == "note" and not why:
        noted = [readable(each) for each in after if each.partition(b":")[0].lower() == edit.name][:1]
        return Step(edit.address, "match" if noted else "no match", f"note {name}", tuple(noted))
    if why or before == after:
        idle = _IDLE.get(edit.action, "{} stays as it is: the value is the same, or none that a field can carry")
        return Step(edit.address, "no match", why or idle.format(name))
    made = [readable(each) for each in after if each not in before]
    if edit.action == "id":
        made = ["a new one for each request"]
    return Step(edit.address, "match", f"{_DONE.get(edit.action, edit.action)} {name}".rstrip(), tuple(made))


def dropped(edits: Iterable[Edit], line: bytes, name: bytes) -> Step:
    """A field of the client's that is not passed on, for a member may take it for ``name``, which an edit is about."""
    edit = next(edit for edit in edits if edit.name == name)
    seen = readable(line.partition(b":")[0])
    return Step(edit.address, "match", f"drop {seen}: members may take it for {edit.spelled.decode('latin-1')}")


def awaited(edit: Edit) -> Step:
    """An edit of an answer that has not come."""
    name = edit.spelled.decode("latin-1")
    when = ", if its condition holds then" if edit.holds is not None else ""
    what = f"{_DONE.get(edit.action, edit.action)} {name}".rstrip()
    return Step(edit.address, "skipped", f"{what}: in the answer{when}")
