"""What is wrong with [[env]], [[rewrites]], [maps] and [[locations]].

An error does not compile, or names what is not there. A warning works but hardly means what it says: a rule that can
never match, a route whose requests a rule takes first, a pattern that looks as if it could run away, %20 where a
condition's group is meant to Apache, decoded text put into a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from proxy_core.config.folders import serves_files
from proxy_core.config.model import EnvRule, Location, RewriteCond, RewriteMap, RewriteRule, Route, Site
from proxy_core.errors import Address, Problem
from proxy_core.rules.env import TRANSFORMS
from proxy_core.rules.expression.evaluation import compile_expr
from proxy_core.rules.lint.client_chosen import chosen_host
from proxy_core.rules.lint.climbing import climbing
from proxy_core.rules.lint.problems import each_refused, error, missing, refused, unknown, warning
from proxy_core.rules.lint.texts import group_count, looks_runaway, patterns, texts
from proxy_core.rules.lint.unreachable_rewrites import order, redirects
from proxy_core.rules.lint.upstreams import host_parts
from proxy_core.rules.rewriting import conditions, flags
from proxy_core.rules.rewriting.conditions import Condition
from proxy_core.rules.rewriting.flags import Flags
from proxy_core.rules.text import template

_NEEDS: dict[str, tuple[str, ...]] = {
    "txt": ("file", "entries"),
    "rnd": ("file", "entries"),
    "int": ("function",),
    "dbm": ("file",),
    "prg": ("command",),
    "dbd": ("dsn", "query"),
    "fastdbd": ("dsn", "query"),
}
"""Keys of a map by its type: one of the two for txt and rnd, all of them for the others."""
_KEYS = ("file", "entries", "function", "command", "dsn", "query")


def lint_rules(site: Site) -> Iterator[Problem]:
    """Errors and warnings of these rows, and of the hosts that they and routes name."""
    for rows in ("routes", "env", "rewrites", "locations"):
        for row in getattr(site, rows):
            yield from missing((rows, row.id), "host", row.host, site.hosts)
    places = {row.id: row.host for row in site.locations}
    for setter in site.env:
        yield from _unless_off(setter.enabled, _env(site, setter))
        yield from _place(("env", setter.id, "location"), setter, places)
    for route in site.routes:
        yield from _place(("routes", route.id, "location"), route, places)
    for rule in site.rewrites:
        yield from _unless_off(rule.enabled, _rule(site, rule))
        yield from _place(("rewrites", rule.id, "location"), rule, places)
    for name in ("", *site.hosts):
        yield from order(site, name)
    for name, settings in site.maps.items():
        yield from _map(site, name, settings)
    for location in site.locations:
        yield from _location(site, location)


def _place(address: Address, row: EnvRule | RewriteRule | Route, places: Mapping[str, str]) -> Iterator[Problem]:
    if row.location and places.get(row.location) not in ("", row.host):
        yield unknown(address, "location", row.location, places)


def _unless_off(enabled: bool, problems: Iterator[Problem]) -> Iterator[Problem]:
    """Problems of a row; while it is off none of them keeps the site from being served."""
    for problem in problems:
        yield problem if enabled else structs.replace(problem, severity="warning")


def _env(site: Site, row: EnvRule) -> Iterator[Problem]:
    address: Address = ("env", row.id)
    for name in row.transform:
        if name not in TRANSFORMS:
            yield unknown((*address, "transform"), "transformation", name, TRANSFORMS)
    if row.expr and (row.from_ or row.fields or row.capture or row.transform):
        yield error(
            (*address, "expr"),
            "expr looks for itself, so from, fields, transform and capture mean nothing",
            "delete one",
        )
    if row.fields and row.from_:
        yield error((*address, "fields"), "the row looks at a field and at from", "delete one")
    if row.fields:
        yield from patterns((*address, "fields"), row.fields, row.nocase)
    if not (row.expr or row.from_ or row.fields or row.unset or row.value is not None):
        yield error(address, f"the row does not say what {row.name} comes from", 'add from = "%{REMOTE_ADDR}"')
    if row.unset and row.value is not None:
        yield warning((*address, "value"), "the variable is taken away, so its value means nothing", "delete one")
    if row.negate and not (row.capture or row.expr):
        yield warning((*address, "negate"), "without capture it always holds, so this never does", "add a capture")
    if row.expr:
        yield from refused((*address, "expr"), "correct the expression", compile_expr, row.expr)
    groups = 0
    if row.capture:
        yield from patterns((*address, "capture"), row.capture, row.nocase)
        groups = group_count(row.capture)
    yield from texts(site, (*address, "from"), row.from_, 0, 0)
    if row.value is not None:
        yield from texts(site, (*address, "value"), row.value, groups, 9)


def _rule(site: Site, row: RewriteRule) -> Iterator[Problem]:
    address: Address = ("rewrites", row.id)
    wrong = [*each_refused((*address, "flags"), "", flags.parse, row.flags)]
    yield from wrong
    given = Flags() if wrong else flags.parse(row.flags)
    negated = row.pattern.startswith("!")
    text = row.pattern.removeprefix("!")
    yield from patterns((*address, "pattern"), text, given.nocase)
    groups = 0 if negated else group_count(text)
    found = 0
    for number, each in enumerate(row.conditions):
        where = (*address, "conditions", each.id)
        compiled = None
        try:
            compiled = conditions.compile(each)
        except conditions.ConditionError as bad:
            yield error((*where, bad.field), str(bad), bad.todo)
        else:
            yield from _condition(site, where, each, compiled, groups, found)
        if not each.pattern.startswith("!"):
            known = compiled is not None and compiled.kind != "expr"
            its = compiled.pattern.groups if compiled is not None and compiled.pattern is not None else 0
            found = max(found, its) if known else 9
        if number == len(row.conditions) - 1 and "or" in {conditions.FLAGS.get(f.upper()) for f in each.flags}:
            what = "the last condition has OR, and nothing follows: the rule acts whatever the conditions say"
            yield warning((*where, "flags"), what, "remove OR")
    if not (given.answers or redirects(row, given) or negated or row.location):
        yield from climbing((*address, "pattern"), text, row.substitution)
    if not given.answers:
        yield from texts(site, (*address, "substitution"), row.substitution, groups, found)
    for extra in (*given.env, *given.cookies):
        yield from texts(site, (*address, "flags"), extra, groups, found)
    if row.folder and (
        row.location or given.proxy or given.redirect or given.answers or given.passthrough
        or not row.substitution.startswith("/")
    ):  # fmt: skip
        what = "folder is for a rule of a server whose substitution is a path in it, such as /$1, without P, R or PT"
        yield error((*address, "folder"), what, "remove it")
    if given.proxy and not given.answers:
        yield from chosen_host(site, row)
    if not wrong:
        yield from _flags(site, row, given)


def _condition(
    site: Site, address: Address, row: RewriteCond, compiled: Condition, groups: int, found: int
) -> Iterator[Problem]:
    if compiled.pattern is not None and looks_runaway(compiled.pattern.text):
        yield from patterns((*address, "pattern"), compiled.pattern.text)
    nocase = "nc" in {conditions.FLAGS[flag.strip().upper()] for flag in row.flags}
    if nocase and compiled.kind not in ("pattern", "text"):
        yield warning((*address, "flags"), f"NC means nothing to {row.pattern}", "remove it")
    if compiled.kind != "expr":
        yield from texts(site, (*address, "test"), row.test, groups, found)


def _flags(site: Site, row: RewriteRule, given: Flags) -> Iterator[Problem]:
    """Flags that contradict each other, or the substitution."""
    address: Address = ("rewrites", row.id, "flags")
    made, local = row.substitution, row.substitution.startswith("/")
    if given.proxy and (given.redirect or given.answers):
        wins = "P has no say beside a status that is answered" if given.answers else "R has no say beside P"
        yield warning(address, f"P forwards and R, F or G answer: {wins}", "remove one of them")
    if given.proxy and given.passthrough:
        yield warning(address, "P forwards at once, so PT has nothing to pass on", "remove PT")
    if given.answers and made != "-":
        yield warning(
            ("rewrites", row.id, "substitution"), "the rule answers at once and makes nothing of it", "write -"
        )
    if made == "-" and not given.answers and (given.proxy or given.redirect):
        yield warning(address, "there is nothing to forward or redirect to: - changes nothing", "write the URL")
    if given.proxy and local:
        what = "the rule forwards to a path, which is this proxy itself: requests would go round"
        yield warning(("rewrites", row.id, "substitution"), what, "write a URL, or PT instead of P")
    for word, value in (("T", given.type), ("H", given.handler)):
        if value:
            what = f"{word} has no effect: files have the type of their name, and there are no handlers"
            yield warning(address, what, "remove it")
    query = made.partition("?")[2]
    if any(kind in ("rule", "condition") for kind, _ in template.compile(query).names) and not given.backrefs:
        what = (
            "what the pattern found is decoded, and goes into the query as it is: a & in it would begin another field"
        )
        yield warning(address, what, "add B, so that it is escaped again")
    scheme, parts = host_parts(template.compile(made))
    pool = "".join(map(str, parts))
    if scheme == "balancer" and all(isinstance(part, str) for part in parts) and pool not in site.balancers:
        yield unknown(("rewrites", row.id, "substitution"), "balancer", pool, site.balancers)


def _map(site: Site, name: str, settings: RewriteMap) -> Iterator[Problem]:
    address: Address = ("maps", name)
    wanted = _NEEDS[settings.type]
    given = [key for key in _KEYS if getattr(settings, key)]
    either = wanted == ("file", "entries")
    chosen = [key for key in given if key in wanted]
    if either and len(chosen) == 2:
        yield error(address, f"map {name} has both file and entries", "give one of the two")
    if either and not chosen:
        yield warning(address, f"map {name} is empty: it has nothing for any key", "give it entries, or a file")
    for key in () if either else wanted:
        if key not in given:
            yield error(address, f"map {name} of type {settings.type} has no {key}", f"add {key}")
    for key in given:
        if key not in wanted:
            yield error((*address, key), f"{key} means nothing to a map of type {settings.type}", "delete it")
    if settings.query and settings.query.count("%s") != 1:
        yield error((*address, "query"), "the query must hold %s once, where the key goes", "write … WHERE key = %s")
    if name not in _maps_used(site):
        yield warning(
            address, f"no rule looks anything up in map {name}", f"use it: ${{{name}:key|default}}, or remove it"
        )


def _maps_used(site: Site) -> set[str]:
    texts = [row.from_ for row in site.env] + [row.value or "" for row in site.env]
    texts += [group.key for group in site.balancers.values()]
    for rule in site.rewrites:
        texts += [rule.substitution, *rule.flags, *(each.test for each in rule.conditions)]
    return {name for text in texts for kind, name in template.compile(text).names if kind == "map"}


def _location(site: Site, row: Location) -> Iterator[Problem]:
    address: Address = ("locations", row.id)
    for key in ("target_regex", "path_regex", "folder_regex", "files"):
        if (regex := getattr(row, key)) is not None:
            yield from patterns((*address, key), regex)
    if row.expr:
        yield from refused((*address, "expr"), "correct the expression", compile_expr, row.expr)
    if row.merging != "off" and not row.require:
        what = "there is nothing to be joined with what was required before"
        yield warning((*address, "merging"), what, "say what is required, or remove it")
    of_files = next((key for key in ("folder", "folder_regex", "files") if getattr(row, key) is not None), "")
    if of_files and not serves_files(site):
        what = "the row is for files, and the site serves none"
        yield warning((*address, of_files), what, "add a document_root or a folder")
    if row.follow_links is not None and (row.folder is None or row.files is not None or row.expr):
        what = "links are followed by the folders that they are in, so only a row with folder alone says which"
        yield error((*address, "follow_links"), what, "write a row with that folder, or delete it")
