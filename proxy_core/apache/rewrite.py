"""mod_rewrite: rules with their conditions, maps, and what a virtual host inherits.

Words are taken over as they stand, for site files spell rules as Apache does. RewriteOptions and RewriteEngine are
kept as options of the server; ``assembly`` makes of them what ``config_server_merge`` in mod_rewrite.c does.
"""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache import files
from proxy_core.apache.draft import Here, Ignored, Row, Section, Server, Unsupported
from proxy_core.apache.lexer import Directive, rewrite_words
from proxy_core.apache.table import Handler, on, text

_OPTIONS = {
    "inherit", "inheritbefore", "inheritdown", "inheritdownbefore", "ignoreinherit", "ignorecontextinfo",
    "longurloptimization", "allownoslash", "mergebase", "legacyprefixdocroot", "allowanyuri",
}  # fmt: skip
_ALL = "^"
"""A pattern for what an empty one is found in."""


_WITHOUT_EFFECT = {"allownoslash", "allowanyuri", "mergebase", "ignorecontextinfo", "longurloptimization"}
_SECTIONS = {"location", "locationmatch", "directory", "if"}


def _place(here: Here) -> Server | Section:
    """What rules belong to: the server, or the section at hand."""
    if here.section is None:
        here.server.rewrites_anything = True
        return here.server
    if here.section.kind not in _SECTIONS:
        raise Unsupported(f"rules inside {here.section.directive} are not tried here; move it into a <Location>")
    here.section.rewriting = True
    return here.section


def engine(here: Here, said: Directive) -> None:
    place = _place(here)
    if isinstance(place, Section):
        place.engine = on(said)
    else:
        place.options["engine"] = (on(said), said)


def options(here: Here, said: Directive) -> None:
    """RewriteOptions word …"""
    place = _place(here)
    if isinstance(place, Section):
        words = {word.lower() for word in said.args}
        if unknown := words - {"inherit", "inheritbefore", *_WITHOUT_EFFECT}:
            here.lose(f"{', '.join(sorted(unknown))} is for servers")
        place.inherits = "before" if "inheritbefore" in words else "after" if "inherit" in words else ""
        return
    known = set(here.server.said("rewriteoptions") or ())
    for word in said.args:
        if word.lower() not in _OPTIONS:
            here.lose(f"the option {word} is not known")
        known.add(word.lower())
    here.server.options["rewriteoptions"] = (known, said)


def flags(word: str) -> list[str]:
    """[a,b=c] as a list."""
    inside = word.removeprefix("[").removesuffix("]")
    return [flag.strip() for flag in inside.split(",") if flag.strip()]


def condition(here: Here, said: Directive) -> None:
    """RewriteCond test pattern [flags]"""
    place = _place(here)
    test, pattern, *more = rewrite_words(said.raw)
    row: dict[str, Any] = {"test": test, "pattern": pattern or _ALL}
    if more:
        row["flags"] = flags(more[0])
    place.conditions.append((row, said))


def rule(here: Here, said: Directive) -> None:
    """RewriteRule pattern substitution [flags]"""
    place = _place(here)
    pattern, substitution, *more = rewrite_words(said.raw)
    row: dict[str, Any] = {"pattern": pattern or _ALL, "substitution": substitution}
    if more and flags(more[0]):
        row["flags"] = flags(more[0])
    waiting, place.conditions = place.conditions, []
    if waiting:
        row["conditions"] = [each for each, _ in waiting]
    made = Row(row, [*(origin for _, origin in waiting), said])
    (place.rules if isinstance(place, Section) else place.rewrites).append(made)


def base(here: Here, said: Directive) -> None:
    """RewriteBase path: where paths without a slash in front belong."""
    place = _place(here)
    if not isinstance(place, Section):
        raise Unsupported("it is for sections")
    place.base = text(said)


def finished(here: Here) -> None:
    """A section is over: its rules get its row. Of several that hold, the last that says anything of rewriting counts,
    and its engine is that of those round it unless it says so itself (``config_perdir_merge``)."""
    section = here.section
    if section is None or not section.rewriting:
        return
    around = [each for known in {here.draft.main: 0, here.server: 0} for each in known.within if holds(each, section)]
    if section.engine is None:
        section.engine = around[-1].engine if around else False
    here.server.within.append(section)
    base = [Row(dict(row.content), row.origins) for row in around[-1].rules] if around and section.inherits else []
    section.rules = [*base, *section.rules] if section.inherits == "before" else [*section.rules, *base]
    if not section.engine:
        section.rules = []
    if not section.rules and not any(each.rules for each in around):
        return
    where = here.location(section.directive).content["id"]
    section.rules = section.rules or [Row({"pattern": "^", "substitution": "-"}, [section.directive])]
    for row in section.rules:
        row.content = {**row.content, "location": where}
        made = row.content["substitution"]
        if section.kind == "directory" and _RELATIVE(made):
            try:
                start = section.base or files.url(here.draft, here.draft.whole(section.argument))
            except Unsupported as why:
                here.draft.lose({row.origins[-1].place}, str(why))
                row.content["enabled"] = False
            else:
                row.content["substitution"] = start + made
        here.server.inner.append(row)


_RELATIVE = re.compile(r"(?!-$|/|%\{|\$\{|[A-Za-z][A-Za-z0-9+.-]*:)").match


def holds(outer: Section, inner: Section) -> bool:
    """Whether paths of the inner section are in the outer one, as far as their arguments tell."""
    there = outer.argument.rstrip("/") + "/"
    kind = inner.kind
    if kind == "if":
        kind = inner.outer.kind if inner.outer is not None else "location"
    return outer.kind == kind != "locationmatch" and (inner.argument.rstrip("/") + "/").startswith(there)


def rewrite_map(here: Here, said: Directive) -> None:
    """RewriteMap name type:source"""
    if isinstance(_place(here), Section):
        raise Unsupported("maps are for servers")
    name, source, *_ = said.args
    kind, colon, place = source.partition(":")
    kind, _, form = kind.lower().partition("=")
    row: dict[str, Any] = {"type": kind}
    if not colon:
        row, kind, place = {"type": "txt"}, "txt", source
    here.server.refused_maps.add(name)
    if kind in ("prg", "dbd", "fastdbd") and not here.draft.allow_programs:
        raise Unsupported("programs and databases, and the rules that ask them, come in with --allow-programs alone")
    match kind:
        case "txt" | "rnd":
            row["file"] = here.draft.path(place)
        case "dbm":
            row["file"] = here.draft.path(place)
            if form in ("sdbm", "gdbm", "db"):
                row["format"] = form
        case "int":
            row["function"] = place.lower()
        case "prg":
            program, *words = place.split()
            row["command"] = [here.draft.path(program), *words]
        case "dbd" | "fastdbd":
            row |= {"dsn": "", "query": place}
        case _:
            raise Unsupported(f"there are no maps of type {kind}")
    here.server.refused_maps.discard(name)
    here.server.maps[name] = Row(row, [said])


def no_use(here: Here, said: Directive) -> None:
    raise Ignored("maps and programs lock by themselves")


def dbd_driver(here: Here, said: Directive) -> None:
    here.server.options["dbddriver"] = (said.args[0].lower(), said)


def dbd_params(here: Here, said: Directive) -> None:
    here.server.options["dbdparams"] = (said.args[0], said)


def dsn(driver: str, params: str) -> str:
    """What site files call the database of DBDriver and DBDParams. Raises Unsupported."""
    if driver in ("sqlite3", "sqlite"):
        return f"sqlite:{params}"
    if driver == "pgsql":
        known = dict(re.findall(r"(\w+)\s*=\s*'?([^\s']*)'?", params))
        host, port, user, name = (known.get(key, "") for key in ("host", "port", "user", "dbname"))
        password = f":{known['password']}" if known.get("password") else ""
        return f"postgresql://{user}{password}@{host or 'localhost'}{':' + port if port else ''}/{name}"
    raise Unsupported(f"there is no {driver or 'DBDriver'} here; sqlite3 and pgsql are")


HANDLERS: dict[str, Handler] = {
    "rewriteengine": engine,
    "rewriteoptions": options,
    "rewritecond": condition,
    "rewriterule": rule,
    "rewritebase": base,
    "rewritemap": rewrite_map,
    "rewritelock": no_use,
    "dbdriver": dbd_driver,
    "dbdparams": dbd_params,
    **dict.fromkeys(("dbdmin", "dbdkeep", "dbdmax", "dbdexptime", "dbdpersist", "dbdpreparesql"), no_use),
}
