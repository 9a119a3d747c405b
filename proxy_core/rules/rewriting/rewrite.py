"""Rewrite rules: one request's way through a list of them.

This is ``apply_rewrite_list`` and ``apply_rewrite_rule`` of modules/mappers/mod_rewrite.c in server context. The
pattern is tried first, then the conditions; then the substitution is filled in, then [E] and [CO] are. What one rule
made of the path, the next one sees. ``outcome`` says what comes of it in the end (``hook_uri2file``). No list of rules
can hold up other requests: the rounds of [N], the length of the path and the number of rules tried are bounded. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.model import RewriteRule
from proxy_core.errors import Address
from proxy_core.http.escaping import breaks_field
from proxy_core.http.target import as_bytes_text, origin, readable
from proxy_core.rules.decision import BoundRoute, Step, Trace
from proxy_core.rules.expression.functions import number
from proxy_core.rules.rewriting import conditions, cookie_flag, flags
from proxy_core.rules.rewriting.conditions import Condition
from proxy_core.rules.rewriting.flags import Flags
from proxy_core.rules.rewriting.urls import reference_escape, scheme_length, split_query
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.pattern import Groups
from proxy_core.rules.text.template import Escape, Template
from proxy_core.rules.text.variables import DEFAULT_PORTS, Scope, ourselves

LONGEST = 2 * 8190
"""Twice LimitRequestLine: a path that rules made longer is a loop."""
_ORIGIN = re.compile(r"https?://[^/?]*", re.IGNORECASE)
TRIES = 10_000
"""Rules that are tried for one request beyond one pass through the list."""
LOOKS = 16
"""Rules that are looked at in another round, which count as one that is tried."""

Verdict = Literal["nothing", "matched", "changed", "refused"]


class BoundRewrite(Struct, frozen=True):
    """A rule as requests meet it."""

    id: str
    """The row's own."""
    search: Callable[[str], Groups | None]
    """Finds the pattern in a path."""
    finds: Callable[[str], object]
    """The same without groups: None where it is not found."""
    prefix: str
    """What every path begins with that the pattern is found in."""
    needs: str
    """What every path has in it that the pattern is found in."""
    negated: bool
    """Whether the rule takes the paths in which the pattern is not found."""
    substitution: Template | None
    """What the path becomes; None where it stays."""
    slashes: bool
    """Whether the substitution begins with two slashes, which then stay."""
    drops: bool
    """Whether the query is taken away: a ? ends the substitution."""
    conditions: tuple[Condition, ...]
    """What must hold besides, in order."""
    fails: Callable[[Scope], bool] | None
    """Tells of a request that the first of these does not hold, and none in its place (``conditions.first_fails``)."""
    flags: Flags
    """The flags as they are read."""
    env: tuple[Template, ...]
    """What [E] sets, "NAME:value" or "!NAME" when it is filled in."""
    cookies: tuple[Template, ...]
    """What [CO] sets."""
    escape: Escape | None
    """What [B] and its kin do to what groups hold."""
    state: RuleState
    """Where its hits are counted."""
    row: RewriteRule
    """The row as configured."""
    by: BoundRoute
    """The route that a decision of the rule itself names."""

    @property
    def address(self) -> Address:
        return ("rewrites", self.id)


class RewriteResult(Struct, frozen=True):
    """How the list ended. ``kind``: nothing (no rule changed anything), status (answer it), proxy, pass (PT), changed
    (a URL or a path: ``outcome`` tells). ``rule`` is the one that decided."""

    kind: Literal["nothing", "status", "proxy", "pass", "changed"]
    rule: BoundRewrite | None = None
    status: int = 0
    raw: bool = False
    why: str = ""


def compile(row: RewriteRule, state: RuleState) -> BoundRewrite:
    """Compile a row that ``lint`` found no error in. Raises PatternError, FlagError or ConditionError."""
    given = flags.parse((*row.flags, "L")) if row.folder else flags.parse(row.flags)
    text, negated = row.pattern, row.pattern.startswith("!")
    found = pattern.compile(text[1:] if negated else text, given.nocase)
    output, drops = row.substitution, False
    if output.endswith("?"):
        if given.qsappend:
            given = flags.parse((*row.flags, "QSL"))
        else:
            output, drops = output[:-1], True
    elif given.qsdiscard and "?" not in output:
        drops = True
    substitution = None if given.answers or row.substitution == "-" else template.compile(output)
    env, cookies = tuple(map(template.compile, given.env)), tuple(map(template.compile, given.cookies))
    subjects = (template.compile(each.test) for each in row.conditions)
    texts = (*env, *cookies, *subjects, *((substitution,) if substitution is not None else ()))
    captures = any(kind == "condition" for text in texts for kind, _ in text.names)
    required = tuple(conditions.compile(each, captures) for each in row.conditions)
    return BoundRewrite(
        id=row.id,
        search=found.search,
        finds=found.finds,
        prefix="" if negated else found.prefix,
        needs="" if negated else found.needs,
        negated=negated,
        substitution=substitution,
        slashes=output.startswith("//"),
        drops=drops,
        conditions=required,
        fails=conditions.first_fails(required),
        flags=given,
        env=env,
        cookies=cookies,
        escape=reference_escape(given) if given.backrefs else None,
        state=state,
        row=row,
        by=BoundRoute(row.id, "", None, b"", 0.0, False, (), state, "rewrites"),
    )


def fixed_origin(rule: BoundRewrite) -> str | None:
    """The origin that a [P] rule always forwards to, None where a request decides it."""
    made = rule.substitution
    if made is None or not rule.flags.proxy or not made.parts or not isinstance(made.parts[0], template.Fixed):
        return None
    start = made.parts[0].text
    found = _ORIGIN.match(start)
    if found is None or (found.end() == len(start) and made.constant is None):
        return None
    try:
        return origin(found[0]).url
    except ValueError:
        return None


def run(
    rules: Sequence[BoundRewrite], scope: Scope, hits: list[RuleState], trace: Trace | None = None
) -> RewriteResult:
    """Take a request through the rules: ``scope.uri`` and ``scope.args`` are moved on, ``hits`` gets the states of the
    rules that took it. Raises Unknown and Runaway."""
    ending = _run(rules, scope, hits, trace)
    if scope.cookies and any(map(breaks_field, scope.cookies.values())):
        scope.cookies.clear()
        return RewriteResult("status", ending.rule, 500, why="a cookie would hold a control character")
    return ending


def _run(rules: Sequence[BoundRewrite], scope: Scope, hits: list[RuleState], trace: Trace | None) -> RewriteResult:
    count, at, rounds, tries = len(rules), 0, 1, 0
    ending = RewriteResult("nothing")
    while at < count:
        rule = rules[at]
        at += 1
        given = rule.flags
        uri = scope.uri
        if rule.needs not in uri or ((given.nosubreq or given.redirect) and scope.subrequest):
            verdict: Verdict = "nothing"
            if trace is not None:
                trace.append(Step(rule.address, "no match", f'"{rule.row.pattern}" is not found in "{readable(uri)}"'))
        else:
            tries += 1
            if tries > count + TRIES:
                return RewriteResult("status", rule, 500, why=f"rules went round: more than {tries - 1} were tried")
            if trace is None and (
                (rule.fails is not None and rule.fails(scope)) or (rule.finds(uri) is None) is not rule.negated
            ):  # nothing is made ready for what does not take the request
                verdict = "nothing"
            else:
                verdict = _apply(rule, scope, hits, trace)
        if verdict == "nothing":
            while given.chain and at < count:
                if trace is not None:
                    trace.append(
                        Step(rules[at].address, "skipped", f"rule {rule.id} above is chained and did not match")
                    )
                given = rules[at].flags
                at += 1
            continue
        if verdict == "refused":
            return RewriteResult("status", rule, 403, why="a ? from the request would begin the query (UnsafeAllow3F)")
        if len(scope.uri) > LONGEST:
            return RewriteResult("status", rule, 500, why=f"the path was rewritten to more than {LONGEST} bytes")
        if given.answers:
            return RewriteResult("status", rule, given.status, why=f"rule {rule.id} answers {given.status}")
        if verdict == "changed":
            if given.proxy:
                return RewriteResult("proxy", rule, raw=given.noescape)
            ending = RewriteResult("changed", rule, given.status if scheme_length(scope.uri) else 0, given.noescape)
        if given.passthrough:
            return replace(ending, kind="pass", rule=rule, raw=False)
        scope.ended = given.end
        if given.end or given.proxy or given.last:
            break
        if given.next:
            rounds += 1
            if rounds >= given.rounds:
                return RewriteResult("status", rule, 500, why=f"[N] went round {rounds - 1} times")
            at, tries = 0, tries + count // LOOKS
        elif given.skip:
            for skipped in rules[at : at + given.skip] if trace is not None else ():
                assert trace is not None
                trace.append(Step(skipped.address, "skipped", f"rule {rule.id} above skips {given.skip}"))
            at += given.skip
    return ending


def _apply(rule: BoundRewrite, scope: Scope, hits: list[RuleState], trace: Trace | None) -> Verdict:
    """One rule: what came of it. Its line of the trace is written here."""
    details: list[str] | None = None if trace is None else []
    if trace is not None:
        scope.looked_up = details
    before = scope.uri
    verdict, why = _applied(rule, scope, hits, details)
    if verdict != "nothing":
        hits.append(rule.state)
    if trace is not None:
        shown = f' and makes it "{readable(scope.uri)}"' if verdict == "changed" else ""
        why = why or f'"{rule.row.pattern}" takes "{readable(before)}"{shown}'
        trace.append(Step(rule.address, "no match" if verdict == "nothing" else "match", why, details or ()))
    return verdict


def _applied(rule: BoundRewrite, scope: Scope, hits: list[RuleState], details: list[str] | None) -> tuple[Verdict, str]:
    uri, given = scope.uri, rule.flags
    groups = rule.search(uri)
    if (groups is None) is not rule.negated:
        if details is None:
            return "nothing", ""
        return "nothing", f'"{rule.row.pattern}" is {"not " * (not rule.negated)}found in "{readable(uri)}"'
    scope.vary.clear()
    scope.condition = None
    scope.rule = groups
    if details is not None and groups is not None:
        details += [f'${n} = "{readable(each or "")}"' for n, each in enumerate(groups) if n]
    if rule.conditions and not _conditions(rule.conditions, scope, details):
        if details is None:
            return "nothing", ""
        return "nothing", f'"{rule.row.pattern}" takes "{readable(uri)}", but its conditions do not hold'
    made = ""
    if rule.substitution is not None:
        if given.unsafe_allow3f:
            made = rule.substitution.expand(scope, rule.escape)
        else:
            made, unsafe = rule.substitution.expand_watching(scope, rule.escape, given.qslast)
            if unsafe:
                return "refused", "a ? from the request would begin the query"
    for each in rule.env:
        _set(scope, each.expand(scope), details)
    for each in rule.cookies:
        cookie_flag.add(scope, each.expand(scope), details)
    if details is not None:
        details += [
            f"{flag} has no effect: it is about files of httpd" for flag in flags.without_effect(rule.row.flags)
        ]
    if rule.substitution is None:
        return "matched", ""
    _substitute(rule, scope, made)
    if details is not None:
        details.append(f"query: {'none' if scope.args is None else f'{chr(34)}{readable(scope.args)}{chr(34)}'}")
    return "changed", ""


def _conditions(rows: Sequence[Condition], scope: Scope, details: list[str] | None) -> bool:
    """Whether they hold: all, OR binding tighter. ``details`` gets the fields that those looked at which counted."""
    vary: dict[str, None] = {}
    settled = False  # one before it holds, and so does this with it
    for row in rows:
        if settled:
            settled = row.or_next
            continue
        held = row.holds(scope, details)
        if not (held or row.or_next):
            return False
        settled = held and row.or_next
        if details is not None:
            if held and not row.no_vary:
                vary |= dict.fromkeys(scope.vary)
            scope.vary.clear()
    if details is not None and vary:
        details.append(f"looked at: {', '.join(vary)}")
    return True


def _substitute(rule: BoundRewrite, scope: Scope, made: str) -> None:
    """The substitution, filled in, becomes the path or URL that the next rule sees."""
    given = rule.flags
    leaves = given.proxy or given.redirect
    rooted = made.startswith("/") or scheme_length(made)
    if rule.row.base and not rooted:
        made, rooted = as_bytes_text(rule.row.base) + made, 1
    prefixed = not (rooted or leaves)
    made, scope.args = split_query("/" + made if prefixed else made, scope.args, given, rule.drops)
    if leaves:
        slash = "" if made.startswith("/") else "/"
        # A path to be forwarded stays one and is refused later: the name of ourselves is the client's to choose.
        scope.uri = made if given.proxy or (rooted and slash) else f"{ourselves(scope)}{slash}{made}"
        return
    made = _reduced(scope, made)
    if not (given.unc or prefixed or rule.slashes or scheme_length(made)):
        while made.startswith("//"):
            made = made[1:]
    scope.uri = made


def _reduced(scope: Scope, uri: str) -> str:
    """A URL of our own, which is no redirect but a path (``reduce_uri``)."""
    scheme = scope.view.scheme + "://"
    if len(uri) <= len(scheme) or uri[: len(scheme)].lower() != scheme:
        return uri
    authority, slash, path = uri[len(scheme) :].partition("/")
    host, colon, port = authority.partition(":")
    asked = number(port) if colon else int(DEFAULT_PORTS[scope.view.scheme])
    if asked != (scope.port or scope.view.connection.port) or not scope.ours(host.lower()):
        return uri
    return slash + path or "/"


def _set(scope: Scope, assignment: str, details: list[str] | None) -> None:
    if assignment.startswith("!"):
        scope.unset(assignment[1:])
        change = f"unset {assignment[1:]}"
    else:
        name, _, value = assignment.partition(":")
        scope.set(name, value)
        change = f'set {name} = "{readable(value)}"'
    if details is not None:
        details.append(change)
