"""mod_rewrite: rules with their conditions, maps, and what a virtual host inherits.

Words are taken over as they stand, for site files spell rules as Apache does. RewriteOptions and RewriteEngine are
kept as options of the server; ``assembly`` makes of them what ``config_server_merge`` in mod_rewrite.c does.
"""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache.draft import Here, Ignored, Row, Unsupported
from proxy_core.apache.lexer import Directive, rewrite_words
from proxy_core.apache.table import Handler, on

_OPTIONS = {
    "inherit", "inheritbefore", "inheritdown", "inheritdownbefore", "ignoreinherit", "ignorecontextinfo",
    "longurloptimization", "allownoslash", "mergebase", "legacyprefixdocroot", "allowanyuri",
}  # fmt: skip


def _of_a_server(here: Here) -> None:
    if here.section is not None or here.condition:
        where = here.section.directive if here.section is not None else "<If>"
        raise Unsupported(f"rules inside {where} see names of files; write it outside, with the path in its pattern")
    here.server.rewrites_anything = True


def engine(here: Here, said: Directive) -> None:
    _of_a_server(here)
    here.server.options["engine"] = (on(said), said)


def options(here: Here, said: Directive) -> None:
    """RewriteOptions word …"""
    _of_a_server(here)
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
    _of_a_server(here)
    test, pattern, *more = rewrite_words(said.raw)
    row: dict[str, Any] = {"test": test, "pattern": pattern}
    if more:
        row["flags"] = flags(more[0])
    here.server.conditions.append((row, said))


def rule(here: Here, said: Directive) -> None:
    """RewriteRule pattern substitution [flags]"""
    _of_a_server(here)
    pattern, substitution, *more = rewrite_words(said.raw)
    row: dict[str, Any] = {"pattern": pattern, "substitution": substitution}
    if more and flags(more[0]):
        row["flags"] = flags(more[0])
    waiting, here.server.conditions = here.server.conditions, []
    if waiting:
        row["conditions"] = [each for each, _ in waiting]
    here.server.rewrites.append(Row(row, [*(origin for _, origin in waiting), said]))


def rewrite_map(here: Here, said: Directive) -> None:
    """RewriteMap name type:source"""
    _of_a_server(here)
    name, source, *_ = said.args
    kind, colon, place = source.partition(":")
    kind, _, form = kind.lower().partition("=")
    row: dict[str, Any] = {"type": kind}
    if not colon:
        row, kind, place = {"type": "txt"}, "txt", source
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
    "rewritemap": rewrite_map,
    "rewritelock": no_use,
    "dbdriver": dbd_driver,
    "dbdparams": dbd_params,
    **dict.fromkeys(("dbdmin", "dbdkeep", "dbdmax", "dbdexptime", "dbdpersist", "dbdpreparesql"), no_use),
}
