"""The rules of one host in Apache's order: environment, rewriting, routes, locations, late environment.

``HostRules.decide`` is what the proxy does with a request, as a pure function of what was read of it and of the facts
that rules asked for. ``decided`` is the whole way; ``shortcuts`` come to the same sooner. The whole way is httpd's
translate_name phase: mod_rewrite's hook runs before mod_proxy's, so [P] beats a route, a rule that makes another path
without [PT] ends it (it is a file, or 404), and what no rule changed goes to the routes. Then come the locations that
hold: their variables, who may ask (``authorization``), and their rules (``per_directory``), whose result may be looked
up anew. A decision carries the locations that hold, so nobody has to find them again. Rows without a host come before a
host's own, as Apache merges a server into its virtual hosts. No I/O, no clock, and nothing is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeGuard

from msgspec import structs
from msgspec.structs import replace

from proxy_core.config.folders import FILES
from proxy_core.config.model import Site
from proxy_core.http.escaping import sendable
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import (
    CLIMBS,
    PLAIN,
    BadTarget,
    Reading,
    as_bytes_text,
    climbs,
    normalised,
    readable,
    readings_behind,
    readings_of_kept,
    split,
)
from proxy_core.rules import env, locations
from proxy_core.rules.access import authorization
from proxy_core.rules.access.authorization import Guard
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Decision, Extras, Forward, PathAndQuery, Respond, Trace
from proxy_core.rules.env import Setter
from proxy_core.rules.extras import after, counted, extras_of
from proxy_core.rules.facts import Facts, Need, Unknown
from proxy_core.rules.hosts import NO_OWN, Own
from proxy_core.rules.inputs import told
from proxy_core.rules.locations import BoundSection, SectionSubject
from proxy_core.rules.memory import Memory
from proxy_core.rules.rewriting import lookahead, rewrite
from proxy_core.rules.rewriting.outcome import decided, had_the_last_word
from proxy_core.rules.rewriting.per_directory import InternalRedirect, within
from proxy_core.rules.rewriting.proxy_flag import ProxyTargets
from proxy_core.rules.rewriting.rewrite import BoundRewrite, RewriteResult
from proxy_core.rules.routing import indexes, listings, mapping
from proxy_core.rules.routing.files import NO_TYPES, HostTypes, in_folder, refused_for_files, typed
from proxy_core.rules.routing.indexes import Found
from proxy_core.rules.routing.links import Links
from proxy_core.rules.routing.redirects import in_sections, redirected
from proxy_core.rules.routing.route_table import RouteTable, before_decoding, decision_of, skip
from proxy_core.rules.routing.straight import beginnings
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.shortcuts import Shortcuts
from proxy_core.rules.text.pattern import Runaway
from proxy_core.rules.text.variables import Scope

_SLASHES = re.compile(r"^/{2,}")
MOST_TURNS = 10
"""How often rules of sections may make another path of a request (LimitInternalRecursion)."""


@dataclass(slots=True, eq=False)
class HostRules:
    """The rules of one host, or of the server where no host answers."""

    name: str
    """The host's key in the site file, "" for the server."""
    site: Site
    """The site, with the host's own options laid over [site]."""
    server_name: str
    """What the host calls itself, without a port."""
    port: int
    """The port that its server_name gives, 0 for none."""
    ours: Callable[[str], bool]
    """Whether a name is one of the host's."""
    routes: tuple[RouteTable, ...]
    """The server's rows, then the host's own."""
    rules: tuple[BoundRewrite, ...] = ()
    """The rewrite rules, in the order in which they are tried."""
    env: tuple[Setter, ...] = ()
    """Variables that are set before rewriting."""
    late: tuple[Setter, ...] = ()
    """Variables that are set when it is known where a request goes (httpd's fixups)."""
    sections: tuple[BoundSection, ...] = ()
    """The rows of [[locations]], in the order in which they are laid over each other."""
    laid_on_answers: bool = False
    """Whether rows of header fields, error pages or reverse mapping are for some location: then it must be known which
    locations hold for what rules answer, too."""
    shows_paths: bool = False
    """Whether fields may tell the path that answers, so that the index of a folder must be known."""
    guard: Guard = authorization.OPEN
    """Who may ask, where no location says otherwise."""
    files: BoundRoute | None = None
    """The way to the files of the document_root."""
    folders: Mapping[str, BoundRoute] = field(default_factory=dict)
    """The ways to the files of rules that name a folder, by the rule."""
    own: Own = NO_OWN
    """What the host says that [site] has no word for."""
    reading: Reading = field(init=False)
    """How paths are read."""
    targets: ProxyTargets = field(init=False)
    """Where [P] forwards to."""
    root: str = field(init=False)
    """The document_root, "" for none."""
    types: HostTypes = NO_TYPES
    """Who has a word of its own on the types of files."""
    links: Links = field(init=False)
    """Which links on the way to files are followed."""
    settles: bool = field(init=False)
    """Whether sections or access may change anything once it is known where a request goes."""
    early: bool = field(init=False)
    """Whether some row looks at the path before it is decoded."""
    memory: Memory = field(default_factory=Memory)
    """What the whole rule set remembers of decisions."""
    shortcuts: Shortcuts = field(init=False)
    """The shorter ways to what ``decided`` comes to."""

    def __post_init__(self) -> None:
        self.reading = self.routes[0].basis.reading
        self.targets = ProxyTargets(self.site, self.reading, self.own)
        self.root = as_bytes_text(self.site.site.document_root)
        self.links = Links(self.site, self.sections)
        self.settles = bool(self.sections) or self.guard.rule is not None or self.links.asked
        self.early = any(table.early for table in self.routes)
        looked_at = self.env or self.late or self.files or self.settles or self.early or self.types.name
        begun = None if looked_at else beginnings(rule.prefix for rule in self.rules)
        read = told(self.rules, (*self.env, *self.late), self.guard, self.sections, self.memory.blocks)
        self.shortcuts = Shortcuts(self.routes, self.reading, begun, read, self.memory)

    def decide(self, view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
        """Where the request goes, or the ``Need`` of what has to be known for that. With a trace, and with variables of
        an internal redirect, which any row may read, it goes the whole way."""
        if trace is not None or view.env:
            return self.decided(view, facts, trace)
        found = self.shortcuts.by_target.get(view.target)
        if found:
            self.memory.targets.hits += 1
            return found
        return self.shortcuts.decide(view, facts, self.decided)

    def decided(self, view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
        """The whole way of a request."""
        try:
            decision = self._decided(view, facts, None, trace)
            for _ in range(MOST_TURNS):
                if not isinstance(decision, InternalRedirect):
                    return decision
                view = structs.replace(view, target=decision.target, env=decision.env)
                decision = self._decided(view, facts, decision, trace)
        except Unknown as unknown:
            return Need(unknown.key)
        except BadTarget as bad:
            return Respond(bad.status, None, bad.why)
        except Runaway as runaway:
            return Respond(500, None, str(runaway))
        return Respond(500, None, f"rules of locations went round: more than {MOST_TURNS} times")

    def _decided(self, view: RequestView, facts: Facts, before: InternalRedirect | None, trace: Trace | None) -> Found:
        """One turn: ``before`` is what rules of sections made of the request in the last one. Raises Unknown and
        Runaway."""
        plain = None if self.early else PLAIN(view.target)
        if plain is not None:
            raw_path, query = plain.groups()
            path = raw_path.decode("latin-1")
        else:
            try:
                raw_path, query = split(view.target)
                taken = before_decoding(self.routes, raw_path, query, self.reading, trace) if self.early else None
                if taken is not None:
                    taken = taken if before is None else taken._replace(extras=before.extras)
                    path, *others = readings_behind(raw_path, self.reading, taken.route.mapping == "servlet")
                    return self._settled(taken, self._scope(view, facts, path, query), trace, tuple(others))
                path = normalised(raw_path, self.reading)
            except BadTarget as bad:
                return self._refused(bad, view, facts, trace)
        scope = self._scope(view, facts, path, query)
        args = scope.args
        scope.ended = before is not None and before.ended
        scope.uri = ""  # nothing is made of the path yet
        env.run(self.env, scope, trace)
        scope.uri = path
        hits: list[RuleState] = []
        ending = RewriteResult("nothing")
        if self.rules and not scope.ended:
            ending = rewrite.run(self.rules, scope, hits, trace)
        extras = extras_of(scope, hits)
        if before is not None:
            extras = after(before.extras, extras)
        asked = (path, args) if before is None else None
        decision = self._ended(ending, scope, args, extras, trace)
        if not is_open(decision):
            return _rewritten(self._answered(decision, path, scope), scope, asked)
        settled = self._settled(decision, scope, trace)
        if self.late:
            settled = _lately(self.late, settled, scope, trace)
        settled = _rewritten(settled, scope, asked)
        if isinstance(settled, Forward) and settled.route.pool == FILES:
            return refused_for_files(view.method.decode("latin-1"), typed(settled, self.types))
        return settled

    def _looked(self, scope: Scope, uri: str) -> tuple[Scope, int]:
        """What a path would become as a request of its own (``lookahead``): the scope behind all that is decided of it,
        and a status, 200 where nothing is refused. Raises Unknown and Runaway."""
        ahead, decision = self._aside(scope, uri)
        env.run_late(self.late, ahead)
        return ahead, decision.status if isinstance(decision, Respond) and not decision.local else 200

    def _aside(
        self, scope: Scope, uri: str, extras: Extras | None = None, trace: Trace | None = None
    ) -> tuple[Scope, Found]:
        """What becomes of a path as a request of its own, and its scope."""
        ahead, status = lookahead.begun(scope, uri, self.reading)
        if status:
            return ahead, Respond(status, None, f"{readable(uri)} cannot be looked up")
        args, hits = ahead.args, list[RuleState]()
        ending = rewrite.run(self.rules, ahead, hits, trace)
        decision = self._ended(ending, ahead, args, after(extras or NO_EXTRAS, extras_of(ahead, hits)), trace)
        if not is_open(decision):
            return ahead, decision
        locations.about(decision, ahead, self.site)
        return ahead, self._settled(decision, ahead, trace)

    def _refused(self, bad: BadTarget, view: RequestView, facts: Facts, trace: Trace | None) -> Respond:
        """A path that nobody gets to see. Variables are set before paths are read, so the answer's fields know them."""
        path, question, query = view.target.partition(b"?")
        scope = self._scope(view, facts, path.decode("latin-1"), question + query)
        env.run(self.env, scope, trace)
        return Respond(bad.status, None, bad.why, extras_of(scope))

    def _scope(self, view: RequestView, facts: Facts, path: str, query: bytes) -> Scope:
        args = query[1:].decode("latin-1") if query else None
        env = {name.lower(): (name, value) for name, value in view.env}
        return Scope(
            view, facts, path, args, self.server_name, self.port, env, path, ahead=self._looked, ours=self.ours,
            canonical=bool(self.own.canonical), root=self.root, read=self.memory.blocks,
        )  # fmt: skip

    def _ended(
        self, ending: RewriteResult, scope: Scope, args: str | None, extras: Extras | None, trace: Trace | None
    ) -> Decision:
        """What came of rewriting (``hook_uri2file``), and the routes where it leaves the request to them."""
        made = decided(ending, scope, args, extras, self.targets.forward)
        if made is not None:
            return made
        uri = scope.uri
        match ending.kind:
            case "pass" if climbs(uri):
                return Respond(400, None, CLIMBS, extras)
            case "changed":
                if ending.rule is not None and ending.rule.id in self.folders and not climbs(uri):
                    return in_folder(self.folders[ending.rule.id], ending.rule, scope, self.reading, extras)
                uri = scope.below_root(uri)
                what = f"rewritten to {readable(uri)}, which is no URL, and no document_root is there"
                skip(self.routes, trace, f"rule {ending.rule.id if ending.rule else ''} has decided")
                by, extras = had_the_last_word(ending.rule, extras)
                nowhere = Respond(404, by, what, extras, local=True)
                return nowhere if climbs(uri) else self._local(nowhere, uri, scope.args)
            case "pass" if not uri.startswith("/"):
                return Respond(400, None, f"rewritten to {readable(uri)}, which is no path", extras)
            case "pass":
                scope.path = _SLASHES.sub("/", uri)
        if "no-proxy" in scope.env:
            kept = Respond(404, None, "the variable no-proxy keeps it from the routes", extras, local=True)
            return self._local(kept, scope.path, scope.args)
        route: BoundRoute | None = None
        for table in self.routes:
            found = table.find(scope.path, trace, route.id if route is not None else "")
            route = route or found
            if route is not None and trace is None:
                break
        if route is not None and route.pool is None and route.redirect is None:
            found = next((row for table in self.routes if (row := table.below(route, scope.path)) is not None), None)
            if found is not None:
                extras = counted(extras, route.state)
                route = found
        if route is not None and route.redirect is not None:
            # As mod_alias does while names are translated, when sections are known of the path as it came alone.
            return redirected(route, scope, extras)
        query = b"" if scope.args is None else b"?" + sendable(scope.args)
        if route is not None and route.interpolate:
            filled = mapping.interpolated(route, scope.env)
            if filled is None:
                return Respond(400, route, "a variable in the target of its route would lead to another folder", extras)
            route = filled
        try:
            decision = decision_of(route, scope.path, query, scope.view.target, self.reading, extras)
        except BadTarget as bad:
            return Respond(bad.status, route, bad.why, extras)
        return self._local(decision, scope.path, scope.args)

    def _local(self, decision: Forward | Respond, path: str, args: str | None) -> Forward | Respond:
        """What nothing forwards is looked for in files, where the site serves any. An exception still has its hit."""
        files = self.files
        if files is None or not (isinstance(decision, Respond) and decision.local and path.startswith("/")):
            return decision
        extras = decision.extras if decision.route is None else counted(decision.extras, decision.route.state)
        query = b"" if args is None else b"?" + sendable(args)
        return Forward(files, mapping.target(files, path, query, b"", self.reading), extras)

    def _answered(self, decision: Decision, path: str, scope: Scope) -> Decision:
        """What rules have answered themselves, with the locations that hold for the path as it came: httpd translates
        names before it checks access, but knows the sections by then. Raises Runaway and Unknown."""
        if not self.laid_on_answers or isinstance(decision, Need):
            return decision
        scope = replace(scope, path=path, uri=path, args=split(scope.view.target)[1][1:].decode("latin-1") or None)
        held = locations.holding(self.sections, SectionSubject(path), scope)
        return decision._replace(sections=_ids(held))

    def _settled(
        self, decision: Forward | Respond, scope: Scope, trace: Trace | None, behind: tuple[str, ...] = ()
    ) -> Found:
        """What sections make of a decision, and of a folder its index. ``behind`` are paths that members read besides.
        Raises Runaway, Unknown and BadTarget."""
        made, laid = self._judged(decision, scope, trace, behind) if self.settles else (decision, decision)
        if not isinstance(laid, Forward) or laid.route.pool != FILES or scope.subrequest:
            return made
        if not (self.settles or self.rules or self.shows_paths or indexes.decide_here(laid.route)):
            return made
        file = locations.subject(scope.path, laid, self.site).file
        extras = made.extras if isinstance(made, Forward) else laid.extras
        found = indexes.of_folder(file, laid, made, scope, self.site, partial(self._aside, extras=extras, trace=trace))
        if found is not None:
            return found
        return listings.of_folder(file, laid._replace(extras=extras), scope, self._judged if self.settles else None)

    def _judged(
        self, decision: Forward | Respond, scope: Scope, trace: Trace | None = None, behind: tuple[str, ...] = ()
    ) -> tuple[Found, Forward | Respond]:
        """What sections make of a decision, and the decision with their settings. Rules of sections are tried for who
        is admitted."""
        subject = locations.about(decision, scope, self.site)
        behind = behind or readings_of_kept(scope.path, self.reading)
        if behind:
            subject = subject._replace(behind=behind)
        held = locations.holding(self.sections, subject, scope, trace)
        setters = [setter for section in held for setter in section.setters]
        if setters:
            env.run(setters, scope, trace)
            decision = _with_variables(decision, scope)
        refused = self.links.refused(decision, subject.file, held, scope)
        if refused is not None:
            return refused, refused
        settled = locations.settle(held, self.guard, decision, scope, subject, self.reading, trace)
        settled = settled._replace(sections=_ids(held))
        laid = settled if is_open(settled) else decision
        if not is_open(settled):
            return settled, laid
        inner = next((section for section in reversed(held) if section.rules), None)
        made: Found = settled
        if inner is not None and not scope.ended:
            made = within(inner, settled, subject, scope, self.reading, self.targets.forward, trace)
        if isinstance(made, InternalRedirect) or is_open(made):
            made = in_sections(held, scope, made.extras, trace) or made
        if isinstance(made, InternalRedirect | Need):
            return made, laid
        if isinstance(made, Forward) and made.route is not settled.route:
            made = locations.laid_over(held, made)
        return made._replace(sections=_ids(held)), laid


def is_open(decision: Found) -> TypeGuard[Forward | Respond]:
    """Whether sections and late variables have a say: it is forwarded, or it is this server's own to answer."""
    return isinstance(decision, Forward) or (isinstance(decision, Respond) and decision.local)


def _lately(late: Sequence[Setter], decision: Found, scope: Scope, trace: Trace | None) -> Found:
    """The decision with the ``late`` variables (httpd's fixups). What rules or access have answered goes without
    them."""
    if not is_open(decision):
        return decision
    env.run_late(late, scope, trace)
    return _with_variables(decision, scope)


def _with_variables(decision: Forward | Respond, scope: Scope) -> Forward | Respond:
    return decision._replace(extras=(decision.extras or NO_EXTRAS)._replace(env=tuple(scope.env.values())))


def _rewritten(found: Found, scope: Scope, asked: PathAndQuery | None) -> Found:
    """The decision with the path and query that rules have made, where they are others than was asked with."""
    now = scope.path, scope.args
    if now == asked or isinstance(found, InternalRedirect | Need):
        return found
    return found._replace(extras=(found.extras or NO_EXTRAS)._replace(rewritten=now))


def _ids(held: Sequence[BoundSection]) -> tuple[str, ...]:
    return tuple(section.row.id for section in held)
