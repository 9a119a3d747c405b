"""Sections of several kinds that hold for one request: <Directory>, then <Files>, then <Location>, then <If>.

Rows of a site lay access and users over each other as a whole. httpd merges each directive by itself, whatever the kind
of the section (``ap_process_request_internal``, ``merge_auth_basic_dir_config``), and what SSLRequireSSL says no other
section takes back. So what a later kind would open is closed, and users that would have to be put together of several
kinds are told as lost. What the sections of one kind say together is worked out in ``users`` and ``access``.
"""

from __future__ import annotations

from collections.abc import Iterable

from proxy_core.apache.draft import PLACES, DraftSection, DraftServer, SiteDraft, holds
from proxy_core.apache.lexer import Directive

_LATE = {"files": 1, "location": 2, "locationmatch": 2, "if": 3}
"""How late a kind is laid over the others; all not named here are 0."""

_OF_USERS = {"authtype": "type", "authname": "name", "authuserfile": "file"}


def settled(draft: SiteDraft) -> None:
    """Closes, and tells, what sections of several kinds would have to say together."""
    for server in draft.servers():
        beside = [draft.main, server] if server is not draft.main else draft.servers()
        for section in server.guarded:
            later = [
                each
                for other in beside
                for each in other.guarded
                if each.access and (_behind(section, each) or _within(section, each, server, other, draft))
            ]
            needs = [need for need in section.needs if any(not _takes_back(need, each) for each in later)]
            _close(draft, server, section, needs)
        for section in server.asking:
            for other in beside:
                for each in other.asking:
                    _told(draft, section, each, _within(each, section, other, server, draft))


def _within(outer: DraftSection, inner: DraftSection, host: DraftServer, main: DraftServer, draft: SiteDraft) -> bool:
    """Whether a folder of a host has one of the main server in it, which is laid over it without knowing it."""
    return host is not main and main is draft.main and outer.kind == "directory" and holds(outer, inner)


def _behind(section: DraftSection, other: DraftSection) -> bool:
    """Whether the other section is laid over this one without knowing what it says."""
    one, two = (_LATE.get(each.kind, 0) for each in (section, other))
    return two > one or (two == one and section is not other and section.kind.endswith("match"))


def _takes_back(need: str, other: DraftSection) -> bool:
    """Whether a section has a word of its own for the certificate that is needed."""
    return "SSL_CLIENT_VERIFY" in need and any(each.key == "sslverifyclient" for each in other.directive.inside or ())


def _close(draft: SiteDraft, server: DraftServer, section: DraftSection, needs: Iterable[str]) -> None:
    """What a section asks beside all others keeps people out, whatever sections of other kinds let in."""
    content = section.row.content if section.row is not None else {}
    where = {key: content[key] for key in (*PLACES - {"id"}, "folder_regex") if key in content}
    for need in needs:
        test = f"!({need.removeprefix('expr ')})" if need.startswith("expr ") else "true"
        expr = f"({where['expr']}) && {test}" if "expr" in where else test
        draft.close(server, where | {"expr": expr}, section.directive, "needed")


def _told(draft: SiteDraft, section: DraftSection, other: DraftSection, within: bool) -> None:
    """What a section says of users is lost where another one, which it is laid over, says what it leaves open."""
    if section.auth.get("type") == "none" or not (_behind(other, section) or within):
        return
    said = {_OF_USERS[each.key] for each in _users(section)} if within else section.auth.keys()
    left_open = [each for each in _users(other) if _OF_USERS[each.key] not in said]
    if left_open:
        why = f"{left_open[0]} of {other.directive} is not known to it: write all of them into {section.directive}"
        draft.lose(_users(section), why)


def _users(section: DraftSection) -> list[Directive]:
    return [each for each in section.directive.inside or () if each.key in _OF_USERS]
