"""mod_alias: Redirect and Alias, which come behind what is forwarded, redirects first (``translate_alias_redir``); in a
<Location> redirects come before it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from proxy_core.apache.draft import DraftRow
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, line
from proxy_core.config.model import Route

_WORDS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}

_OF_ITS_NAME = {"redirectpermanent": 301, "redirecttemp": 302}


def redirect(context: ImportContext, directive: Directive) -> None:
    """Redirect [status] path [URL], RedirectMatch [status] regex [URL]; in a <Location> without the path."""
    args = list(directive.args)
    status = _OF_ITS_NAME.get(directive.key, 302)
    if args[0].lower() in _WORDS:
        status = _WORDS[args.pop(0).lower()]
    elif args[0].isdigit():
        status = int(args.pop(0))
    regex = directive.key == "redirectmatch"
    goes = 300 <= status < 400
    if context.section is not None and context.section.kind == "if":
        return _where_it_holds(context, directive, status, args, regex)
    if context.section is not None and len(args) == int(goes):
        if context.section.kind not in ("location", "locationmatch"):
            raise Unsupported(f"it stands inside {context.section.directive}; give it a path, outside")
        # Nothing is appended to the URL here: httpd takes it for one that says it all (``fixup_redir``).
        path = context.section.argument
        args.insert(0, f"^{re.escape(path.rstrip('/'))}(?:/|$)" if context.section.kind == "location" else path)
        args[1:] = [word.replace("$", "\\$") if not regex else word for word in args[1:]]
        regex = True
    row: dict[str, Any] = {"path_regex" if regex else "path": args[0], "redirect": {"status": status}}
    if goes:
        row["redirect"] = {"to": args[1], "status": status}
    context.add(directive, "redirects" if context.section is None else "located", row)


def _where_it_holds(context: ImportContext, directive: Directive, status: int, args: list[str], regex: bool) -> None:
    """In an <If>: a rule of its section, with what is matched as a condition."""
    goes = 300 <= status < 400
    section = context.section
    assert section is not None
    row: dict[str, Any] = {"pattern": "^", "substitution": args[-1] if goes else "-", "flags": [f"R={status}", "L"]}
    if len(args) > int(goes):
        path = args[0] if regex else f"^{re.escape(args[0])}{'(.*)$' if args[0].endswith('/') else '(/.*)?$'}"
        row["conditions"] = [{"test": "%{REQUEST_URI}", "pattern": path}]
        if goes:
            row["substitution"] = re.sub(r"\$([0-9])", r"%\1", args[-1]) if regex else args[-1] + "%1"
    section.engine = section.rewriting = True
    section.rules.append(DraftRow(row, [directive]))


def alias(context: ImportContext, directive: Directive) -> None:
    """Alias path folder; in a <Location> the folder alone."""
    context.unconditional()
    args = list(directive.args)
    within = context.section is not None
    if within and len(args) == 1:
        if context.section is None or context.section.kind != "location":
            raise Unsupported("files are served below a path, not for an expression; give it one, outside")
        args.insert(0, context.section.argument)
    path, folder = args
    if not path.startswith("/"):
        raise Ignored("no path begins like this")
    if path.endswith("/") and not folder.endswith("/"):
        raise Unsupported(f"{folder} is put together with what follows {path}; end both with a slash, or neither")
    row = {"path": path, "folder": context.draft.path(folder)}
    context.add(directive, "located_aliases" if within else "aliases", row)


_ALL_BELOW = re.compile(r"\^(/(?:[A-Za-z0-9/_-]|\\\.)*)\(\.[*+]\)\$?")


def alias_match(context: ImportContext, directive: Directive) -> None:
    """AliasMatch regex folder, where the expression takes all that is below a path."""
    context.server_only()
    regex, folder = directive.args
    found = _ALL_BELOW.fullmatch(regex)
    if found is not None and folder.endswith("/$1") and "$" not in folder[:-2] and found[1].endswith("/"):
        path = found[1].replace("\\", "")
        context.add(directive, "aliases", {"path": path, "folder": context.draft.path(folder[:-2])})
        return
    raise Unsupported("files are served below a path, not for an expression; write an Alias for each folder")


def script_alias(context: ImportContext, directive: Directive) -> None:
    """ScriptAlias path folder: programs are not run, and nobody gets to read them instead."""
    context.server_only()
    where = {"path_regex": directive.args[0]} if directive.key == "scriptaliasmatch" else {"path": directive.args[0]}
    context.draft.close(context.server, where, directive)
    raise Unsupported("programs are not run here, so nobody is let in there; let a member run them")


HANDLERS = {
    **dict.fromkeys(("redirect", "redirectmatch", "redirectpermanent", "redirecttemp"), redirect),
    "alias": alias,
    "aliasmatch": alias_match,
    **dict.fromkeys(("scriptalias", "scriptaliasmatch"), script_alias),
}


def spelled(row: Route, folder: Path) -> str:
    """A redirect or a folder of [[routes]]. Raises Unsayable."""
    taken = row.path if row.path is not None else row.path_regex or ""
    if row.redirect is not None:
        to = [row.redirect.to] if row.redirect.to else []
        return line("Redirect" if row.path is not None else "RedirectMatch", str(row.redirect.status), taken, *to)
    place = str((folder / (row.folder or "")).absolute())
    return line("Alias", taken, place + "/" * (taken.endswith("/") and not place.endswith("/")))
