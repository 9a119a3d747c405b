"""Sections that hold for one request together, of one kind or of several: <Directory>, <Files>, <Location>, <If>.

Rows of a site lay access and users over each other as a whole. httpd merges each module's words by themselves, whatever
the kind of the section (``ap_process_request_internal``, ``merge_auth_basic_dir_config``): Require holds beside Order,
Allow and Deny of another section (mod_access_compat, whose sections replace each other as a whole), users are put
together, and a certificate is needed until a section takes that back. What a row can say so, it says; what it cannot is
told as lost, and closed. What the sections of one kind say together of users is worked out in ``users``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy_core.apache.draft import CLOSED, OPEN, PLACES, DraftSection, DraftServer, SiteDraft, below, holds, overlap
from proxy_core.apache.lexer import Directive
from proxy_core.apache.subjects import access_compat
from proxy_core.apache.subjects.files import tests_of
from proxy_core.config.model import Location
from proxy_core.rules.locations import SEQUENTIAL, depth
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import PatternError, Runaway
from proxy_core.rules.text.wildcards import is_wild

_OF_TARGETS, _OF_FILES = {"proxy", "proxymatch"}, {"directory", "directorymatch", "files"}
"""What is forwarded is no file."""

_OF_USERS = {"authtype": "type", "authname": "name", "authuserfile": "file"}


def settled(draft: SiteDraft) -> None:
    """Says, or closes and tells, what sections say together."""
    order = _order(draft)
    for server in draft.servers():
        beside = [draft.main, server] if server is not draft.main else draft.servers()
        guarded = [each for other in beside for each in other.guarded]
        fenced = [each for other in beside for each in other.fenced]
        for section in server.guarded:
            _shut(draft, server, section, guarded)
        for section in server.guarded:
            _beside_order(draft, section, guarded, order)
            if section.satisfies_any:
                _satisfied(draft, section, guarded, fenced, order)
        for section in server.fenced:
            own = {*server.fenced, *draft.main.fenced}
            for each in fenced:
                _taken_back(draft, section, each, each in own, order)
        for section in server.redirecting:
            _behind_access(draft, server, section, [*guarded, *fenced])
        for section in server.asking:
            for other in beside:
                for each in other.asking:
                    later = order[section] > order[each] and _meet(each, section) and not holds(each, section)
                    _told(draft, section, each, later, _within(each, section, other, server, draft))


Order = Mapping[DraftSection, tuple[tuple[int, ...], int]]
"""Where sections stand among all others: the later one is laid over the earlier."""


def _order(draft: SiteDraft) -> Order:
    sections = [each for server in draft.servers() for each in (*server.guarded, *server.fenced, *server.asking)]
    rows = {id(row): number for number, row in enumerate(row for server in draft.servers() for row in server.locations)}
    return {each: (depth(Location(**place(each))), rows[id(each.row)]) for each in sections}


def place(section: DraftSection) -> dict[str, Any]:
    """What the section's row is for."""
    content = section.row.content if section.row is not None else {}
    return {key: content[key] for key in PLACES - {"id"} if key in content}


def _kind(section: DraftSection) -> str:
    """What a section is for: that of an <If> is what it stands in."""
    return _kind(section.outer) if section.kind == "if" and section.outer is not None else section.kind


def _meet(one: DraftSection, other: DraftSection) -> bool:
    """Whether some request may be for both sections."""
    kinds = {_kind(one), _kind(other)}
    if one is other or (kinds & _OF_TARGETS and kinds & _OF_FILES):
        return False
    plain = one.kind == other.kind in ("location", "directory") and not is_wild(one.argument + other.argument)
    return not plain or overlap(one.argument, other.argument)


def _shut(draft: SiteDraft, server: DraftServer, section: DraftSection, guarded: Sequence[DraftSection]) -> None:
    """What Order and Deny keep from everybody stays closed where no other section has words of theirs that open."""
    others = (each for each in guarded if each.compat and _meet(each, section))
    if section.access is None and _shuts(section) and all(map(_shuts, others)):
        assert section.row is not None
        del section.row.content["require"]
        draft.close(server, place(section), section.directive)


def _shuts(section: DraftSection) -> bool:
    return access_compat.shuts(section) and not section.satisfies_any


def _beside_order(draft: SiteDraft, section: DraftSection, guarded: Sequence[DraftSection], order: Order) -> None:
    """What a section asks, where it says Require and others Order, or the other way round."""
    if section.row is None or _final(section):
        return
    if section.merging == "off" and not section.satisfies_any and section.row.content["require"] == [CLOSED]:
        return
    under = [each for each in guarded if _meet(each, section) and order[section] > order[each]]
    under = [each for each in under if not _replaced(draft, each, guarded)]
    ordered = [each for each in under if access_compat.ordered(each) and not _final(each)]
    asking = [each for each in under if each.access is not None and each.access.conditions not in ([], [OPEN])]
    answered = [each for each in asking if each.satisfies_any]
    level = order[section][0][0]
    same = any(order[each][0][0] == level for each in under)
    beside = level > SEQUENTIAL and same and any(order[each][0][0] != level for each in (*ordered, *asking))
    both, merging = section.access is not None and bool(section.compat), section.merging
    limited = [each for each in (section, *under) if each.limits]
    if merging == "or" and any(each.compat for each in under) and not any(each.access for each in under):
        section.row.content.pop("merging", None)
        merging = "off"
    if merging != "off" and limited and section.access is not None:
        _lost(draft, section, limited[0])
    elif answered and (section.access is None or merging != "off"):
        _lost(draft, section, answered[0])
    elif section.satisfies_any and not both and not (access_compat.ordered(section) and asking):
        section.row.content["require"] = [OPEN]
    elif section.satisfies_any and asking and (not both or merging != "off"):
        _lost(draft, section, asking[0])
    elif merging == "or" and (compat := [each for each in under if each.compat and not _final(each)]):
        _lost(draft, section, compat[0])
    elif merging != "off" and both and ordered:
        _lost(draft, section, ordered[0])
    elif merging == "or" and both and asking:
        _lost(draft, section, asking[0])
    elif not both and section.compat:
        _joined(draft, section, asking, ordered, beside)
    elif not both and merging == "off":
        _joined(draft, section, ordered, asking, beside)


def _joined(
    draft: SiteDraft,
    section: DraftSection,
    others: Sequence[DraftSection],
    alike: Sequence[DraftSection],
    beside: bool,
) -> None:
    """A section holds beside the others; those that are like it, it would have to take the place of, and so would one
    of its own kind ``beside`` it with what both are laid over."""
    assert section.row is not None
    if others and (alike or beside):
        _lost(draft, section, others[0])
    elif others:
        section.row.content["merging"] = "and"


def _lost(draft: SiteDraft, section: DraftSection, other: DraftSection) -> None:
    assert section.row is not None
    section.row.content.pop("merging", None)
    section.row.content["require"] = [CLOSED]
    word = "Order, Allow and Deny" if other.compat else "Require"
    why = (
        f"what {other.directive} says by {word} holds beside it, which cannot be told apart here: write Require in both"
    )
    draft.lose(section.said, f"{why}; until then nobody is let in")


def _final(section: DraftSection) -> bool:
    return section.row is not None and "require" not in section.row.content


def _replaced(draft: SiteDraft, section: DraftSection, guarded: Sequence[DraftSection]) -> bool:
    """Whether what a <Directory> says is said anew for every folder below it that is served."""
    if section.kind != "directory" or is_wild(section.argument):
        return False
    whole = draft.whole(section.argument)
    inner = [
        draft.whole(each.argument)
        for each in guarded
        if each.kind == "directory" and not is_wild(each.argument)
        and bool(each.compat) >= bool(section.compat) and (each.access is not None) >= (section.access is not None)
    ]  # fmt: skip
    inner = [each for each in inner if each != whole and below(each, whole)]
    folders = [each for each in draft.served if overlap(each, whole)]
    return all(any(below(each, folder) for folder in inner) for each in folders)


def _satisfied(
    draft: SiteDraft,
    section: DraftSection,
    guarded: Sequence[DraftSection],
    fenced: Sequence[DraftSection],
    order: Order,
) -> None:
    """Satisfy Any is enough in itself to httpd; here what other modules ask holds, and what is laid over it."""
    holding = [each for each in fenced if each is section or _meet(each, section)]
    holding += [
        each
        for each in guarded
        if each.access is not None and not each.compat and _meet(each, section) and order[section] < order[each]
    ]
    for each in holding:
        why = f"what {each.directive} asks holds all the same: say it in one section"
        draft.lose([word for word in section.said if word.key == "satisfy"], why)


def _taken_back(draft: SiteDraft, section: DraftSection, other: DraftSection, own: bool, order: Order) -> None:
    """What a section needs of certificates another one does not, which is laid over it."""
    back = other.verify
    if section.shut is None or back is None or other.shut is not None or not _meet(section, other):
        return
    if order[section] > order[other]:
        return
    tests = tests_of(place(other)) if own else None
    if tests is None:
        draft.lose([back], f"a certificate is needed there, for {section.directive} asks for one")
    else:
        section.shut.content["expr"] += f" && !({' && '.join(tests) or 'true'})"


def _behind_access(
    draft: SiteDraft, server: DraftServer, section: DraftSection, guards: Sequence[DraftSection]
) -> None:
    """A redirect in a section for paths that says it all answers before access where nothing is forwarded
    (``translate_alias_redir``), and behind it where something is (``fixup_redir``), as here."""
    if section.redirected is None or _kind(section) not in _OF_PATHS or _forwards(draft, server, section):
        return
    guard = next((each for each in guards if _keeps_out(each) and _guards(each, section)), None)
    if guard is not None:
        why = f"it answers those alone whom {guard.directive} lets in, in httpd all: write Redirect outside of sections"
        draft.lose(section.redirected.origins, why)


def _guards(guard: DraftSection, section: DraftSection) -> bool:
    """Whether what a section is for is kept by another one, as far as their arguments tell."""
    if guard is section:
        return True
    match guard.kind, section.kind:
        case "location", "location":
            return _meet(guard, section)
        case "locationmatch", "location":
            return _found(guard.argument, section.argument)
        case "location", "locationmatch":
            return _found(section.argument, guard.argument)
    return False


def _found(regex: str, path: str) -> bool:
    try:
        return pattern.compile(regex).search(path) is not None
    except (PatternError, Runaway):  # told where its section is
        return False


_OF_PATHS = {"location", "locationmatch", "if"}


def _keeps_out(section: DraftSection) -> bool:
    """Whether there is somebody, or a method, that a section does not let in."""
    said = section.row.content if section.row is not None else {}
    return "methods" in said or section.shut is not None or said.get("require", [OPEN]) not in ([], [OPEN])


def _forwards(draft: SiteDraft, server: DraftServer, section: DraftSection) -> bool:
    """Whether what a section is for is forwarded, as far as prefixes tell: the first that takes it decides."""
    rows = [row.content for each in dict.fromkeys((draft.main, server)) for row in (*each.routes, *each.located)]
    prefixes = [row for row in rows if row.get("path")]
    row = next((row for row in prefixes if overlap(row["path"].rstrip("/"), section.argument)), None)
    return row is not None and "proxy" in row and below(section.argument, row["path"].rstrip("/"))


def _within(outer: DraftSection, inner: DraftSection, host: DraftServer, main: DraftServer, draft: SiteDraft) -> bool:
    """Whether a folder of a host has one of the main server in it, which is laid over it without knowing it."""
    return host is not main and main is draft.main and outer.kind == "directory" and holds(outer, inner)


def _told(draft: SiteDraft, section: DraftSection, other: DraftSection, later: bool, within: bool) -> None:
    """What a section says of users is lost where another one, which it is laid over, says what it leaves open."""
    if section.auth.get("type") == "none" or not (later or within):
        return
    said = {_OF_USERS[each.key] for each in _users(section)} if within else section.auth.keys()
    left_open = [each for each in _users(other) if _OF_USERS[each.key] not in said]
    if left_open:
        why = f"{left_open[0]} of {other.directive} is not known to it: write all of them into {section.directive}"
        draft.lose(_users(section), why)


def _users(section: DraftSection) -> list[Directive]:
    return [each for each in section.directive.inside or () if each.key in _OF_USERS]
