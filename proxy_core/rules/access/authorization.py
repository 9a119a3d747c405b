"""Who may ask for what: Require and its groups, and Basic authentication, decided before any upstream is asked.

A condition grants, denies, says nothing, or denies for want of a user. A group joins such verdicts as
``apply_authz_sections`` in mod_authz_core does. Conditions are first judged without a user. The client is asked for one
(RFC 7617) only where a user may change the verdict; then they are judged again. A password is never judged here: it is
a fact, looked up where passwords are kept. So is what a service says that is asked first (``forward_auth``): it is
asked when the conditions have nothing against a request, and may name the user. Pure. Nothing that is shown to people
holds a password.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.model import Access, Auth, Site
from proxy_core.errors import Address
from proxy_core.http.target import DEFAULT, Reading, as_bytes_text
from proxy_core.rules.access import forward_auth
from proxy_core.rules.access.forward_auth import Service
from proxy_core.rules.access.require import KINDS, AccessVerdict, Check
from proxy_core.rules.decision import Extras, Redirect, Respond, Step, Trace
from proxy_core.rules.text.variables import Scope

Match = Literal["any", "all", "none"]

NESTING = 20
"""Tables of [access] that may stand in one another."""
MOST = 10_000
"""Conditions that a table may come to with those that it names: each is asked for each request."""
OVERLOADED: Final = "overloaded"
"""The answer to a password that nobody had the time to judge."""


class AccessCondition(Struct, frozen=True):
    """A condition as it is written, and what checks it; how many it comes to, and how deep tables stand in it. One that
    several places make together has their ``parts`` in order: the conditions of each, and whether they must hold
    beside those before."""

    text: str
    check: Check
    size: int = 1
    depth: int = 0
    parts: tuple[tuple[bool, tuple[AccessCondition, ...]], ...] = ()


class AccessRule(Struct, frozen=True):
    """What is required in one place; ``address`` is that place."""

    address: Address
    conditions: tuple[AccessCondition, ...]


class Guard(Struct, frozen=True):
    """What holds for a request: the conditions to be met, who asks for users, and the service that is asked first."""

    rule: AccessRule | None = None
    auth: tuple[str, Auth] | None = None
    merging: Literal["off", "and", "or"] = "off"
    service: Service | None = None

    def under(self, later: Guard) -> Guard:
        """This with what a later section says in its place, or beside it (``merge_authz_core_dir_config``)."""
        rule = later.rule or self.rule
        if self.rule is not None and later.rule is not None and later.merging != "off":
            rule = _both(self.rule, later.rule, later.merging == "and")
        merging = later.merging if later.rule is not None else self.merging
        return Guard(rule, later.auth or self.auth, merging, later.service or self.service)


def _both(before: AccessRule, later: AccessRule, strict: bool) -> AccessRule:
    """Both, or with ``strict`` false one of the two."""
    if not strict:
        return AccessRule(later.address, before.conditions + later.conditions)
    text = " and ".join("(" + " or ".join(each.text for each in rule.conditions) + ")" for rule in (before, later))
    first, *more = before.conditions
    former = (*first.parts, (False, tuple(more))) if first.parts else ((False, before.conditions),)
    parts = (*former, (True, later.conditions))

    def check(scope: Scope) -> AccessVerdict:
        verdict = AccessVerdict.NEUTRAL
        for strictly, conditions in parts:  # never a check in a check: any number of places may be joined
            its = joined("any", (each.check(scope) for each in conditions))
            verdict = joined("all" if strictly else "any", [verdict, its])
        return verdict

    return AccessRule(later.address, (AccessCondition(text, check, parts=parts),))


OPEN = Guard()


def compile(
    site: Site, address: Address, require: Sequence[str], auth: str, merging: Literal["off", "and", "or"] = "off",
    service: str = "",
) -> Guard:  # fmt: skip
    """What one place of a site says. Raises ValueError, with a sentence, for a condition that is none."""
    known: Known = {}
    conditions = tuple(condition(text, "any", site.access, known) for text in require)
    rule = AccessRule(address, conditions) if conditions else None
    return Guard(rule, (auth, site.auth[auth]) if auth else None, merging, forward_auth.bound(site, service))


_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|(\S+)')


def words(text: str) -> list[str]:
    """The words of a condition; a quoted one may hold blanks (``ap_getword_conf``)."""
    return [re.sub(r"\\(.)", r"\1", q or s) if q or s else bare for q, s, bare in _WORD.findall(text)]


Tables = Mapping[str, Access]
Known = dict[str, AccessCondition]
"""Tables of [access] by name, as conditions, once they are compiled."""


def condition(text: str, inside: Match, tables: Tables, known: Known, seen: tuple[str, ...] = ()) -> AccessCondition:
    """A condition inside of a group of this kind. Tables that it names are added to ``known``; ``seen`` are those that
    it stands in. Raises ValueError."""
    name, rest = _split(text)
    negated = name == "not"
    if negated:
        if inside != "all":
            raise ValueError("not has an effect only where every condition must hold: in a table with match = all")
        name, rest = _split(rest)
    arguments = [rest] if name == "expr" else words(as_bytes_text(rest))
    if name == "access":
        made = _table(arguments, inside, tables, known, seen)
    elif name in KINDS:
        made = AccessCondition(text, KINDS[name](arguments))
    else:
        raise ValueError(f'"{name}" is no condition: write one of {", ".join(KINDS)}, access or not')
    check = made.check
    return replace(made, text=text, check=(lambda scope: _negated(check(scope))) if negated else check)


def _split(text: str) -> tuple[str, str]:
    name, _, rest = text.strip().partition(" ")
    return name.lower(), rest.strip()


def _table(
    arguments: Sequence[str], inside: Match, tables: Tables, known: Known, seen: tuple[str, ...]
) -> AccessCondition:
    if len(arguments) != 1 or arguments[0] not in tables:
        raise ValueError(f"there is no [access.{' '.join(arguments)}]")
    name = arguments[0]
    if name in seen:
        raise ValueError(f"access {name} goes round in a circle: {' in '.join((name, *reversed(seen)))}")
    if tables[name].match == "none" and inside != "all":
        raise ValueError(f"access {name} only refuses (match = none): name it where every condition must hold")
    if name not in known and len(seen) < NESTING:
        known[name] = _group(name, tables, known, (*seen, name))
    if name not in known or len(seen) + known[name].depth > NESTING:
        raise ValueError(f"tables of access stand in one another deeper than {NESTING} levels")
    if known[name].size > MOST:
        raise ValueError(f"access {name} comes to more than {MOST} conditions, through the tables that it names")
    return known[name]


def _group(name: str, tables: Tables, known: Known, seen: tuple[str, ...]) -> AccessCondition:
    group = tables[name]
    members = tuple(condition(each, group.match, tables, known, seen) for each in group.require)
    if group.match == "all" and members and all(member.text.lower().startswith("not ") for member in members):
        raise ValueError(f"access {name} says only what must not be: add one that grants, such as all granted")
    return AccessCondition(
        name,
        lambda scope: joined(group.match, (member.check(scope) for member in members)),
        sum(member.size for member in members),
        1 + max((member.depth for member in members), default=0),
    )


def joined(match: Match, results: Iterable[AccessVerdict]) -> AccessVerdict:
    """What a group makes of its members' results (``apply_authz_sections``): the first that decides is the last that
    is asked for."""
    decides, otherwise = AccessVerdict.GRANTED, AccessVerdict.DENIED
    if match == "all":
        decides, otherwise = otherwise, decides
    undecided = [AccessVerdict.UNKNOWN, AccessVerdict.WANTS_USER]
    if match == "any":  # a user may be what makes it hold, whoever the client is
        undecided.reverse()
    seen = set(_until(decides, results))
    made = next((each for each in (decides, *undecided, otherwise) if each in seen), AccessVerdict.NEUTRAL)
    return _negated(made) if match == "none" else made


def _until(last: AccessVerdict, results: Iterable[AccessVerdict]) -> Iterator[AccessVerdict]:
    """The results up to the first of this kind."""
    for each in results:
        yield each
        if each is last:
            return


def _negated(verdict: AccessVerdict) -> AccessVerdict:
    """Granted becomes denied, and everything else nothing: that a condition does not hold grants nothing. What nobody
    knows stays denied."""
    if verdict is AccessVerdict.UNKNOWN:
        return verdict
    return AccessVerdict.DENIED if verdict is AccessVerdict.GRANTED else AccessVerdict.NEUTRAL


def admitted(
    guard: Guard, scope: Scope, paths: Sequence[str] = (), reading: Reading = DEFAULT, trace: Trace | None = None
) -> Respond | Redirect | None:
    """None where the request may go on, else its answer. ``paths`` are those that it may be read as, of which a service
    is asked. ``scope`` gets the user, where one was asked for. Raises Unknown where a password has to be looked at, or
    a service to be asked."""
    rule, service = guard.rule, guard.service
    verdict = AccessVerdict.GRANTED if rule is None else _judged(rule, scope, trace)
    if rule is not None and verdict not in (AccessVerdict.GRANTED, AccessVerdict.WANTS_USER):
        return Respond(403, None, f"{_named(rule)} does not admit it")
    if service is not None and service.name:
        refused = forward_auth.refusal(service, scope, paths or (scope.path,), reading, trace)
        if refused is not None:
            return refused
        if rule is not None and scope.user and verdict is AccessVerdict.WANTS_USER:
            verdict = _judged(rule, scope, trace)
            if verdict is not AccessVerdict.GRANTED:
                why = f"user {_shown(scope.user)} is not one of those that {_named(rule)} admits"
                return Respond(403, None, why, Extras(user=scope.user))
    if rule is None or verdict is AccessVerdict.GRANTED:
        return None
    if guard.auth is None:
        return Respond(500, None, f"{_named(rule)} wants a user, and no auth asks for one")
    name, auth = guard.auth
    asked = credentials(scope.header("Authorization") or "")
    if asked is None:
        return _challenge(auth, "no user and password were sent")
    user = asked.partition(":")[0]
    right = scope.fact("password", auth.file, asked)
    if right is None:
        return Respond(500, None, f"the passwords in {auth.file} cannot be read")
    if right == OVERLOADED:
        cause = "more passwords came than can be judged in time"
        return Respond(503, None, cause, Extras((b"Retry-After: 1",), user=user))
    if not right:
        return _challenge(auth, f"user {_shown(user)} or the password is wrong", user)
    scope.user, scope.auth = user, name
    if _judged(rule, scope, trace) is AccessVerdict.GRANTED:
        return None
    scope.user = scope.auth = ""
    return _challenge(auth, f"user {_shown(user)} is not one of those that {_named(rule)} admits", user)


def credentials(field: str) -> str | None:
    """``user:password`` of an Authorization field, None where there are none of the scheme Basic."""
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(token.strip(), validate=True).decode("latin-1")
    except ValueError:
        return None
    user, colon, _ = decoded.partition(":")
    return decoded if colon and user and "\0" not in decoded else None


def _challenge(auth: Auth, cause: str, user: str = "") -> Respond:
    """``user`` goes to the log with it, as in httpd."""
    realm = as_bytes_text(auth.realm).replace("\\", "\\\\").replace('"', '\\"')
    line = f'WWW-Authenticate: Basic realm="{realm}"'.encode("latin-1")
    return Respond(401, None, cause, Extras((line,), user=user))


def _judged(rule: AccessRule, scope: Scope, trace: Trace | None) -> AccessVerdict:
    results = list(_until(AccessVerdict.GRANTED, (condition.check(scope) for condition in rule.conditions)))
    verdict = joined("any", results)
    if trace is not None:
        who = f" for user {_shown(scope.user)}" if scope.user else ""
        details = [f"{each.text}: {its.value}" for each, its in zip(rule.conditions, results, strict=False)]
        granted = verdict is AccessVerdict.GRANTED
        trace.append(Step(rule.address, "match" if granted else "no match", f"require{who}: {verdict.value}", details))
    return verdict


def _named(rule: AccessRule) -> str:
    return "the site's require" if rule.address == ("site",) else f"require of {' '.join(rule.address)}"


def _shown(user: str) -> str:
    return user.encode("latin-1").decode("utf-8", "backslashreplace").encode("unicode_escape").decode()
