"""mod_headers: changes of the fields of requests and answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.report import Lose
from proxy_core.config.model import HeaderRule, Site

_HANDLER = re.compile(r"(?i)%\{HANDLER\}")
_OF_MEMBERS = re.compile(r"(?i)%\{HANDLER\} *(?:==|!=|=|-eq|-ne) *(['\"])proxy-server\1")
"""What asks whether a member answers: of everything else it is not true in httpd either."""
_ACTIONS = {"set", "append", "add", "merge", "unset", "edit", "edit*", "setifempty", "echo", "note"}


def header(context: ImportContext, directive: Directive) -> None:
    """Header [always|onsuccess] action name [value [replacement]] [early|env=…|expr=…], and RequestHeader."""
    args = list(directive.args)
    on = "request"
    if directive.key == "header":
        on = "response"
        if args and args[0].lower() in ("always", "onsuccess"):
            on = {"always": "always", "onsuccess": "response"}[args.pop(0).lower()]
    action = args.pop(0).lower() if args else ""
    if action not in _ACTIONS:
        raise Unsupported(f'"{action}" is no action on a field')
    row: dict[str, Any] = {"on": on, "action": action}
    if action == "echo":
        row["pattern"] = args.pop(0)
    else:
        row["name"] = args.pop(0).removesuffix(":")
        if action.startswith("edit"):
            row["pattern"] = args.pop(0)
        if action != "unset":
            row["value"] = args.pop(0) if args else ""
    if (on, action, row.get("name", "").lower()) == ("request", "unset", "expect"):
        raise Ignored("Expect is answered here: no member gets it")
    for word in args:
        if word.lower() == "early":
            _early(context, row)
        elif word.lower().startswith("env="):
            row["env"] = word[4:]
        elif word.lower().startswith("expr="):
            row["expr"] = word[5:]
        else:
            context.lose(f'"{word}" is not understood')
    if on != "request" and context.draft.served and _HANDLER.search(_OF_MEMBERS.sub("", directive.raw)):
        context.lose(
            "%{HANDLER} is the type of a file, and nothing for folders, files without a type and default-handler"
        )
    context.add(directive, "headers", row | context.place())


def _early(context: ImportContext, row: dict[str, Any]) -> None:
    """Before the rules: of requests alone. Fields of our own are with each answer in any case; those of an answer that
    is still to come are taken over by it."""
    if row["on"] == "response" and context.draft.served:
        raise Unsupported("answers of members take the place of what was set before them, and files are not told apart")
    if row["on"] == "response":
        raise Ignored("the answer of a member takes the place of what was set before it came")
    if row["on"] == "request" and row["name"].lower() == "host":
        raise Unsupported("hosts are told apart by Host, which cannot change before that")
    if row["on"] == "request":
        context.server_only()
        row["early"] = True


HANDLERS = {"header": header, "requestheader": header}


def plain(site: Site, lose: Lose) -> Site:
    """Changes as Apache can say them."""
    rows = (_header(row, lose) for row in site.headers)
    return replace(site, headers=tuple(row for row in rows if row is not None))


def _header(row: HeaderRule, lose: Lose) -> HeaderRule | None:
    at = ("headers", row.id)
    if row.route:
        lose(at, "Apache has fields by <Location>, not by ProxyPass: write a row of [[locations]]")
        return None
    if row.env and row.expr:
        lose(at, "a field has one condition: write the variable into the expression")
        return None
    return replace(
        row,
        name=row.name if row.action != "echo" else "",
        pattern=row.pattern if row.action in ("edit", "edit*", "echo") else "",
        value=row.value if row.action not in ("unset", "echo") else "",
    )


def spelled(site: Site, row: HeaderRule, folder: Path) -> Lines:
    """A row of [[headers]]. Raises Unsayable."""
    words = [*["always"] * (row.on == "always"), row.action, *[row.name] * (row.action != "echo")]
    words += [row.pattern] * (row.action in ("edit", "edit*", "echo"))
    words += [row.value] * (row.action not in ("unset", "echo"))
    words += [f"env={row.env}"] * bool(row.env) + [f"expr={row.expr}"] * bool(row.expr) + ["early"] * row.early
    return [line("RequestHeader" if row.on == "request" else "Header", *words)]


SPELL = {"headers": spelled}
