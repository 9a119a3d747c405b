"""Rewrite rules of sections, tried when it is known where a request goes: mod_rewrite in <Location> and <Directory>.

This is ``hook_fixup`` in modules/mappers/mod_rewrite.c, which runs behind access. A pattern is searched in "proxy:" and
the URL that the request is forwarded to, or in the path of the file that answers it; a row with a folder sees the path
from its folder. A path as result is not forwarded by itself: the request is looked up anew (``ap_internal_redirect``),
and the rules that hold there are tried. Pure.
"""

from __future__ import annotations

import posixpath

from msgspec import Struct

from proxy_core.http.target import Reading, as_bytes_text, escaped
from proxy_core.rules.decision import Decision, Extras, Forward, Respond, Trace
from proxy_core.rules.extras import after, extras_of
from proxy_core.rules.locations import BoundSection, SectionSubject
from proxy_core.rules.rewriting import rewrite
from proxy_core.rules.rewriting.outcome import Proxying, decided
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text.variables import Scope


class InternalRedirect(Struct, frozen=True):
    """Another request-target to look up instead; ``env`` and ``extras`` go along. ``ended``: by [END]."""

    target: bytes
    env: tuple[tuple[str, str], ...]
    extras: Extras
    ended: bool


def within(
    section: BoundSection,
    decision: Forward | Respond,
    subject: SectionSubject,
    scope: Scope,
    reading: Reading,
    forward: Proxying,
    trace: Trace | None,
) -> Decision | InternalRedirect:
    """What the rules make of where a request goes. ``forward`` is what [P] does. Raises Unknown and Runaway."""
    args = scope.args
    begun = f"proxy:{subject.url}" if subject.url else scope.whole(subject.file) or scope.path
    same = {begun}
    if section.row.folder is not None and subject.file:
        begun = _below(section.row.folder, subject.file)
        same = {begun, scope.path}
    else:
        scope.file = ""
    scope.uri = begun
    hits: list[RuleState] = []
    ending = rewrite.run(section.rules, scope, hits, trace)
    extras = after(decision.extras, extras_of(scope, hits))
    made = decided(ending, scope, args, extras, forward, passes=False)
    if made is not None:
        return made
    if ending.kind in ("changed", "pass") and (scope.uri not in same or scope.args != args):
        return _elsewhere(scope, extras, reading)
    return decision._replace(extras=extras)


def _below(folder: str, file: str) -> str:
    """The file, seen from the folder."""
    start = posixpath.normpath(as_bytes_text(folder)).rstrip("/") + "/"
    return file.removeprefix(start)


def _elsewhere(scope: Scope, extras: Extras, reading: Reading) -> InternalRedirect:
    """Variables go along with REDIRECT_ before their names, beside httpd's own (``internal_internal_redirect``)."""
    query = "" if scope.args is None else "?" + scope.args
    own = (*scope.env.values(), ("SCRIPT_URL", scope.env_value("SCRIPT_URL")), ("STATUS", "200"))
    env = tuple((f"REDIRECT_{name}", value) for name, value in own)
    target = escaped(scope.below_root(scope.uri), reading) + query.encode("latin-1")
    return InternalRedirect(target, env, extras, scope.ended)
