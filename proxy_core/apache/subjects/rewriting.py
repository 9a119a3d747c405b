"""mod_rewrite: rules with their conditions, and what a virtual host makes of the main server's. Maps are in
``rewrite_maps``.

Words are taken over as they stand, for site files spell rules as Apache does. In, RewriteOptions and RewriteEngine are
kept as options of the server; ``rewriting`` makes of them what ``config_server_merge`` in mod_rewrite.c does: where the
main server's rules hold as they stand, its rows have no host, and each host says whether they come before its own,
after them, or not at all. Sections have the engine of their server, and its rows come when all of it is known
(``sections``). Out, a virtual host says so itself, and one that takes none of the main server's rules knows none of its
maps either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.blocks import Block, block, table
from proxy_core.apache.draft import CLOSED, DraftRow, DraftSection, DraftServer, SiteDraft, below, refusing
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, rewrite_word, rewrite_words
from proxy_core.apache.options import by_name, first, is_on
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import files, rewrite_maps, routes
from proxy_core.apache.subjects.balancing import without_user
from proxy_core.apache.subjects.hosts import by_host, unreached
from proxy_core.config.model import Location, RewriteRule, Site
from proxy_core.rules.rewriting import flags

_ALL = "^"
"""A pattern for what an empty one is found in."""
_WITHOUT_EFFECT = {"allownoslash", "allowanyuri", "mergebase", "ignorecontextinfo", "longurloptimization"}
_OPTIONS = {
    "inherit", "inheritbefore", "inheritdown", "inheritdownbefore", "ignoreinherit", "legacyprefixdocroot",
    *_WITHOUT_EFFECT,
}  # fmt: skip


def engine(context: ImportContext, directive: Directive) -> None:
    """RewriteEngine On|Off"""
    place = context.rewritten()
    if isinstance(place, DraftSection):
        place.engine = is_on(directive)
    else:
        context.set(directive, "engine", is_on(directive))


def options(context: ImportContext, directive: Directive) -> None:
    """RewriteOptions word …"""
    place = context.rewritten()
    words = {word.lower() for word in directive.args}
    for word in sorted(words - _OPTIONS):
        context.lose(f"the option {word} is not known")
    if isinstance(place, DraftSection):
        place.options = words | (place.options or set())
    else:
        context.set(directive, "rewriteoptions", words | (context.server.option("rewriteoptions") or set()))


def flag_words(word: str) -> list[str]:
    """[a,b=c] as a list."""
    inside = word.removeprefix("[").removesuffix("]")
    return [flag.strip() for flag in inside.split(",") if flag.strip()]


def condition(context: ImportContext, directive: Directive) -> None:
    """RewriteCond test pattern [flags]"""
    place = context.rewritten()
    test, pattern, *more = rewrite_words(directive.raw)
    row: dict[str, Any] = {"test": test, "pattern": pattern or _ALL}
    if more:
        row["flags"] = flag_words(more[0])
    place.conditions.append((row, directive))


def rule(context: ImportContext, directive: Directive) -> None:
    """RewriteRule pattern substitution [flags]"""
    place = context.rewritten()
    pattern, substitution, *more = rewrite_words(directive.raw)
    row: dict[str, Any] = {"pattern": pattern or _ALL, "substitution": substitution}
    if more and flag_words(more[0]):
        row["flags"] = flag_words(more[0])
    if _forwards(row):
        row["substitution"] = without_user(substitution)
    waiting, place.conditions = place.conditions, []
    if waiting:
        row["conditions"] = [each for each, _ in waiting]
    if why := _lost(row):
        context.lose(why)
        row = refusing(row)
    elif any(_handlers(row)):
        context.lose("files have the type of their name")
    made = DraftRow(row, [*(origin for _, origin in waiting), directive])
    (place.rules if isinstance(place, DraftSection) else place.rewrites).append(made)


def _handlers(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The handlers (H) and types (T) that a rule names, but for those that files have anyway, and for what is
    forwarded."""
    for name, _, value in (flag.partition("=") for flag in row.get("flags", ()) if not _forwards(row)):
        if name.strip().upper() in _OF_FILES and value.lower() not in ("", "none", "default-handler"):
            yield _OF_FILES[name.strip().upper()], value


_OF_FILES = {"H": "H", "HANDLER": "H", "T": "T", "TYPE": "T"}


def _forwards(row: Mapping[str, Any]) -> bool:
    return not {flag.strip().upper() for flag in row.get("flags", ())}.isdisjoint(("P", "PROXY"))


def _lost(row: Mapping[str, Any]) -> str:
    """What a rule has requests answered by that there is not here; "" for nothing."""
    for name, value in _handlers(row):
        if name == "H" or files.PROGRAMS.search(value):
            return f"there is no handler {value}, so 503 answers what the rule takes; let a member answer it"
    url = row["substitution"]
    if _forwards(row) and _WITH_SCHEME(url) and not routes.forwards(url):
        return routes.UNFORWARDED
    return ""


def base(context: ImportContext, directive: Directive) -> None:
    """RewriteBase path: where paths without a slash in front belong."""
    place = context.rewritten()
    if not isinstance(place, DraftSection):
        raise Unsupported("it is for sections")
    place.base = first(directive)


def folder_of(directive: Directive) -> str:
    """The folder of the file system that a rule of a server names ("" for none): httpd takes its result for a file
    where the first name in it is one (``prefix_stat`` in mod_rewrite.c)."""
    _, substitution, flags, *_ = (*rewrite_words(directive.raw), "", "", "")
    found = re.match(r"/[^/$%?\\]+/(?:[^/$%?\\]+/)*", substitution)
    names = {flag.partition("=")[0].upper() for flag in flag_words(flags)}
    if found is None or names & _NO_FILE or not Path(found[0][: found[0].index("/", 1)]).exists():
        return ""
    return found[0].rstrip("/")


_NO_FILE = {"P", "PROXY", "R", "REDIRECT", "PT", "PASSTHROUGH", "F", "FORBIDDEN", "G", "GONE"}


def folders(draft: SiteDraft) -> None:
    """Rules of servers whose results are files get the folder of these. What is in the document_root is found there."""
    for server in draft.servers():
        root = server.option("document_root") or draft.main.option("document_root") or ""
        for row in server.rewrites:
            place = folder_of(row.origins[-1])
            if not place or (root and below(place, draft.whole(root))) or row.content["substitution"] == "-":
                continue
            if {"L", "LAST", "END"} & {flag.upper() for flag in row.content.get("flags", ())}:
                row.content["substitution"] = row.content["substitution"][len(place) :]
                row.content["folder"] = draft.path(place)
            else:
                draft.lose(row.origins[-1:], "its result is a file, and rules behind it would see that: add [L]; until "
                           "then 503 answers what it takes")  # fmt: skip
                row.content = refusing(row.content)


_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match
HANDLERS = {
    "rewriteengine": engine,
    "rewriteoptions": options,
    "rewritecond": condition,
    "rewriterule": rule,
    "rewritebase": base,
}
IGNORED = by_name({"explain says what rules do": "rewritelog rewriteloglevel"})


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Blocks of rules and maps, and what hosts say about the server's rules."""

    blocks: list[Block]
    inherits: dict[DraftServer, str]


def rewriting(draft: SiteDraft, answers: bool) -> Rewriting:
    """``answers`` says that some listener leads to no virtual host, so that the main server has requests of its own."""
    main = draft.main
    ways = {server: way(main, server) for server in draft.hosts}
    inherited = any(each in ("before", "after") for each in ways.values())
    runs = bool(main.option("engine"))
    shared = bool(main.rewrites) and (inherited or (answers and runs))
    copied = shared and (answers and not runs)
    blocks: list[Block] = []
    tables: dict[str, DraftRow] = {}
    maps = rewrite_maps.name_maps(draft, ways, tables)
    if main.rewrites and shared and not copied:
        blocks += [rule_block(main, row, maps[main], tables) for row in main.rewrites]
    _of_one_map(draft, ways, maps)
    blocks += [rule_block(main, row, maps[main], tables) for row in main.inner]
    inherits: dict[DraftServer, str] = {}
    for server, how in ways.items():
        own = server.rewrites if how != "off" else []
        if copied and how == "before":
            own = [*main.rewrites, *own]
        elif how == "after" and (copied or _shadows(main, server)):
            own = [*own, *main.rewrites]
        blocks += [rule_block(server, row, maps[server], tables) for row in (*own, *server.inner)]
        if main.rewrites and shared and not copied and how != "before":
            inherits[server] = "own" if _shadows(main, server) else how
    blocks += [table(("maps", name), row) for name, row in tables.items()]
    return Rewriting(blocks, inherits)


def _of_one_map(draft: SiteDraft, ways: Iterable[DraftServer], maps: Mapping[DraftServer, Mapping[str, str]]) -> None:
    """A rule of a section of the main server asks the maps of the host that is asked: one map for all, or none."""
    for row in draft.main.inner:
        names = _LOOKUP.findall(str(row.content))
        if any(maps[draft.main].get(name) != maps[server].get(name) for name in names for server in ways):
            why = (
                "a host has another map of that name, or none: write the section into the hosts, or RewriteOptions "
                "Inherit; until then 503 answers what it takes"
            )
            draft.lose(row.origins[-1:], why)
            row.content = refusing(row.content)


def way(main: DraftServer, server: DraftServer) -> str:
    """What a virtual host makes of the main server's rules: config_server_merge in mod_rewrite.c."""
    engine, own = server.option("engine"), server.option("rewriteoptions")
    if not server.rewrites_anything or not (main.option("engine") if engine is None else engine):
        return "off"
    base = main.option("rewriteoptions") or set()
    own = base if own is None else own
    ignores = "ignoreinherit" in own
    if "inherit" in own or ("inheritdown" in base and not ignores):
        return "after"
    if "inheritbefore" in own or ("inheritdownbefore" in base and not ignores):
        return "before"
    return "own"


_LOOKUP = re.compile(r"\$\{([^:}]+):")


def _shadows(main: DraftServer, server: DraftServer) -> bool:
    """Whether a host that inherits rules has maps of its own under names that they ask."""
    return not server.maps.keys().isdisjoint(_LOOKUP.findall(str([row.content for row in main.rewrites])))


def rule_block(server: DraftServer, row: DraftRow, maps: Mapping[str, str], tables: dict[str, DraftRow]) -> Block:
    """A rule, with its maps and balancers under the names that they have in the site."""

    def named(found: re.Match[str]) -> str:
        empty = DraftRow({"type": "txt"}, row.origins[-1:])
        return f"${{{maps.get(found[1]) or rewrite_maps.named_map(found[1], empty, tables)}:"

    def filled(text: str) -> str:
        return _LOOKUP.sub(named, text)

    content = dict(row.content)
    content["substitution"] = filled(content["substitution"])
    for key in ("flags", "conditions"):
        if key in content:
            content[key] = [
                filled(each) if isinstance(each, str) else {**each, "test": filled(each["test"])}
                for each in content[key]
            ]
    return block("rewrites", server, DraftRow(content, row.origins))


def plain(site: Site, folder: Path, beside: Path, lose: Lose) -> tuple[Site, dict[Path, str]]:
    """Rules and maps as Apache can say them, and the files that maps need."""
    maps, files = rewrite_maps.plain(site, folder, beside, lose)
    off = {name for name, host in site.hosts.items() if host.rewrites == "off"}
    rows = [row for row in by_host(site, site.rewrites) if row.location or row.host not in off]
    kept = [_based(site, row, lose) for row in rows if _fits(row, lose)]
    ids = {row.id for row in kept}
    lost = [row for row in rows if row.id not in ids and row.enabled and row.location]
    guards = {row.location for row in lost if flags.parse(row.flags).answers}
    locations = tuple(
        replace(row, require=(CLOSED,), merging="off", final=True) if row.id in guards else row
        for row in site.locations
    )
    return replace(site, maps=maps, rewrites=tuple(kept), locations=locations), files


def _based(site: Site, row: RewriteRule, lose: Lose) -> RewriteRule:
    """The rule with what is put before its relative results, as far as Apache has it: one for each <Directory>."""
    its = [each.base for each in site.rewrites if each.location == row.location and each.base]
    place = next((each for each in site.locations if each.id == row.location), None)
    whole = place is not None and place.folder is not None and place.files is None and not place.expr
    if not row.base or (whole and row.base == its[0]):
        return row
    lose(("rewrites", row.id, "base"), "Apache has one RewriteBase for a <Directory>, and none elsewhere")
    return replace(row, base="")


def inherited(site: Site) -> Site:
    """Rules of the main server that nobody has are left out; without any, hosts say nothing of them."""
    shared = any(host.rewrites in ("before", "after") for host in site.hosts.values())
    rows = site.rewrites
    if not shared and site.hosts and not unreached(site):
        rows = tuple(row for row in rows if row.host or row.location)
    if any(not row.host and not row.location and row.enabled for row in rows):
        return replace(site, rewrites=rows)
    hosts = {name: replace(host, rewrites="before") for name, host in site.hosts.items()}
    return replace(site, rewrites=rows, hosts=hosts)


def _fits(row: RewriteRule, lose: Lose) -> bool:
    """Whether there is a line for a rule."""
    fits = not any("," in word for words in (row.flags, *(each.flags for each in row.conditions)) for word in words)
    if not fits:
        lose(("rewrites", row.id, "flags"), "a comma ends a flag")
    return fits


def lines(site: Site, host: str) -> Lines:
    """What one server says of rules and maps, before its rules. Raises Unsayable."""
    own = any(row.host == host and not row.location for row in site.rewrites)
    own = own or any(row.host == host and row.name in ("SCRIPT_URL", "SCRIPT_URI") for row in site.env)
    shared = bool(site.maps) or any(not row.host and not row.location for row in site.rewrites)
    if not own and not shared:
        return []
    if not host:
        return ["RewriteEngine On", *["RewriteOptions InheritDownBefore"] * bool(site.hosts), *rewrite_maps.lines(site)]
    match site.hosts[host].rewrites:
        case "off":
            return ["RewriteEngine Off"]
        case "own":
            return ["RewriteEngine On", "RewriteOptions IgnoreInherit", *rewrite_maps.lines(site)]
        case "after":
            return ["RewriteEngine On", "RewriteOptions Inherit"]
        case _:
            return ["RewriteEngine On"]


def bases(site: Site, row: Location) -> list[str]:
    """What is put before relative results of a location's rules, once each."""
    return list(dict.fromkeys(rule.base for rule in site.rewrites if rule.location == row.id and rule.base))


def spelled(site: Site, row: RewriteRule, folder: Path) -> Lines:
    """A row of [[rewrites]]: its conditions, then the rule. Raises Unsayable."""
    conditions = [
        " ".join(["RewriteCond", *map(rewrite_word, (each.test, each.pattern)), *_flags(each.flags)])
        for each in row.conditions
    ]
    place = str((folder / row.folder).absolute()) if row.folder else ""
    words = map(rewrite_word, (row.pattern, place + row.substitution))
    return [*conditions, " ".join(["RewriteRule", *words, *_flags(row.flags)])]


def _flags(words: Sequence[str]) -> list[str]:
    return [rewrite_word(f"[{','.join(words)}]")] if words else []


SPELL = {"rewrites": spelled}
