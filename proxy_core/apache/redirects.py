"""mod_alias: Redirect and its like, which come behind what is forwarded; in a <Location> they come before it."""

from __future__ import annotations

from typing import Any

from proxy_core.apache.draft import Here, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler

_WORDS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
_OF_ITS_NAME = {"redirectpermanent": 301, "redirecttemp": 302}


def redirect(here: Here, said: Directive) -> None:
    """Redirect [status] path [URL], RedirectMatch [status] regex [URL]; in a <Location> without the path."""
    here.unconditional()
    args = list(said.args)
    status = _OF_ITS_NAME.get(said.key, 302)
    if args[0].lower() in _WORDS:
        status = _WORDS[args.pop(0).lower()]
    elif args[0].isdigit():
        status = int(args.pop(0))
    regex = said.key == "redirectmatch"
    goes = 300 <= status < 400
    if here.section is not None and len(args) == int(goes):
        if here.section.kind not in ("location", "locationmatch"):
            raise Unsupported(f"it stands inside {here.section.directive}; give it a path, outside")
        regex = here.section.kind == "locationmatch"
        args.insert(0, here.section.argument)
    row: dict[str, Any] = {"path_regex" if regex else "path": args[0], "redirect": {"status": status}}
    if goes:
        row["redirect"] = {"to": args[1], "status": status}
    (here.server.last if here.section is None else here.server.located).append(Row(row, [said]))


def alias(here: Here, said: Directive) -> None:
    raise Unsupported("files are served from one folder for a server; let another server serve these")


HANDLERS: dict[str, Handler] = {
    "redirect": redirect,
    "redirectmatch": redirect,
    "redirectpermanent": redirect,
    "redirecttemp": redirect,
    "alias": alias,
    "aliasmatch": alias,
}
