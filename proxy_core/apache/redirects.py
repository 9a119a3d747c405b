"""mod_alias: Redirect and Alias, which come behind what is forwarded, redirects first (``translate_alias_redir``); in a
<Location> redirects come before it."""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache.draft import Here, Ignored, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler

_WORDS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
_OF_ITS_NAME = {"redirectpermanent": 301, "redirecttemp": 302}


def redirect(here: Here, said: Directive) -> None:
    """Redirect [status] path [URL], RedirectMatch [status] regex [URL]; in a <Location> without the path."""
    args = list(said.args)
    status = _OF_ITS_NAME.get(said.key, 302)
    if args[0].lower() in _WORDS:
        status = _WORDS[args.pop(0).lower()]
    elif args[0].isdigit():
        status = int(args.pop(0))
    regex = said.key == "redirectmatch"
    goes = 300 <= status < 400
    if here.section is not None and here.section.kind == "if":
        return _where_it_holds(here, said, status, args, regex)
    if here.section is not None and len(args) == int(goes):
        if here.section.kind not in ("location", "locationmatch"):
            raise Unsupported(f"it stands inside {here.section.directive}; give it a path, outside")
        # Nothing is appended to the URL here: httpd takes it for one that says it all (``fixup_redir``).
        there = here.section.argument
        args.insert(0, f"^{re.escape(there.rstrip('/'))}(?:/|$)" if here.section.kind == "location" else there)
        args[1:] = [word.replace("$", "\\$") if not regex else word for word in args[1:]]
        regex = True
    row: dict[str, Any] = {"path_regex" if regex else "path": args[0], "redirect": {"status": status}}
    if goes:
        row["redirect"] = {"to": args[1], "status": status}
    (here.server.redirects if here.section is None else here.server.located).append(Row(row, [said]))


def _where_it_holds(here: Here, said: Directive, status: int, args: list[str], regex: bool) -> None:
    """In an <If>: a rule of its section, with what is matched as a condition."""
    goes = 300 <= status < 400
    section = here.section
    assert section is not None
    row: dict[str, Any] = {"pattern": "^", "substitution": args[-1] if goes else "-", "flags": [f"R={status}", "L"]}
    if len(args) > int(goes):
        path = args[0] if regex else f"^{re.escape(args[0])}{'(.*)$' if args[0].endswith('/') else '(/.*)?$'}"
        row["conditions"] = [{"test": "%{REQUEST_URI}", "pattern": path}]
        if goes:
            row["substitution"] = re.sub(r"\$([0-9])", r"%\1", args[-1]) if regex else args[-1] + "%1"
    section.engine = section.rewriting = True
    section.rules.append(Row(row, [said]))


def alias(here: Here, said: Directive) -> None:
    """Alias path folder; in a <Location> the folder alone."""
    here.unconditional()
    args = list(said.args)
    within = here.section is not None
    if within and len(args) == 1:
        if here.section is None or here.section.kind != "location":
            raise Unsupported("files are served below a path, not for an expression; give it one, outside")
        args.insert(0, here.section.argument)
    path, folder = args
    if not path.startswith("/"):
        raise Ignored("no path begins like this")
    if path.endswith("/") and not folder.endswith("/"):
        raise Unsupported(f"{folder} is put together with what follows {path}; end both with a slash, or neither")
    row = Row({"path": path, "folder": here.draft.path(folder)}, [said])
    (here.server.located_aliases if within else here.server.aliases).append(row)


_ALL_BELOW = re.compile(r"\^(/(?:[A-Za-z0-9/_-]|\\\.)*)\(\.[*+]\)\$?")


def alias_match(here: Here, said: Directive) -> None:
    """AliasMatch regex folder, where the expression takes all that is below a path."""
    here.server_only()
    regex, folder = said.args
    found = _ALL_BELOW.fullmatch(regex)
    if found is not None and folder.endswith("/$1") and "$" not in folder[:-2] and found[1].endswith("/"):
        path = found[1].replace("\\", "")
        here.server.aliases.append(Row({"path": path, "folder": here.draft.path(folder[:-2])}, [said]))
        return
    raise Unsupported("files are served below a path, not for an expression; write an Alias for each folder")


def script_alias(here: Here, said: Directive) -> None:
    """ScriptAlias path folder: programs are not run, and nobody gets to read them instead."""
    here.server_only()
    where = {"path_regex": said.args[0]} if said.key == "scriptaliasmatch" else {"path": said.args[0]}
    here.draft.close(here.server, where, said)
    raise Unsupported("programs are not run here, so nobody is let in there; let a member run them")


HANDLERS: dict[str, Handler] = {
    "redirect": redirect,
    "redirectmatch": redirect,
    "redirectpermanent": redirect,
    "redirecttemp": redirect,
    "alias": alias,
    "aliasmatch": alias_match,
    "scriptalias": script_alias,
    "scriptaliasmatch": script_alias,
}
