"""The logs of requests: CustomLog, GlobalLog, TransferLog and LogFormat. A virtual host that has some is written to
these alone, there as here; the first of the main server is [access_log]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from proxy_core.apache.blocks import Block, block, table
from proxy_core.apache.draft import DraftRow, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.report import Lose
from proxy_core.config.log_directives import FORMATS, OURS, BadFormat, parsed
from proxy_core.config.model import AccessLog, AccessLogRow, Site
from proxy_core.errors import Address

_COMMON = r'%[ha] %l %u %t \\?"%r\\?" %>?s %[bO]'

_FORMATS = (
    (re.compile(_COMMON), "common"),
    (re.compile(_COMMON + r' \\?"%\{Referer\}i\\?" \\?"%\{User-agent\}i\\?"', re.IGNORECASE), "combined"),
    (re.compile("common"), "common"),
    (re.compile("combined"), "combined"),
)


def custom_log(context: ImportContext, directive: Directive) -> None:
    """CustomLog file format [env=…|expr=…], GlobalLog with the same, TransferLog file."""
    context.unconditional()
    file, *form = directive.args[:2] if directive.key != "transferlog" else directive.args[:1]
    condition = directive.args[2] if len(directive.args) > 2 else ""
    if file.startswith("|"):
        raise Unsupported("logs go to files; let the program read one: until then other logs have these requests")
    key, equals, value = condition.partition("=")
    if condition and not (equals and key.lower() in ("env", "expr")):
        raise Unsupported(f'"{condition}" is no condition: it is env=… or expr=…')
    row: dict[str, Any] = {"file": context.draft.path(file), "format": form[0] if form else ""}
    row |= {key.lower(): value} if condition else {}
    row |= {"every_host": True} if directive.key == "globallog" else {}
    context.add(directive, "logs", row)


def log_format(context: ImportContext, directive: Directive) -> None:
    """LogFormat format [name]; without a name it is that of TransferLog."""
    form, *name = directive.args
    if name:
        context.draft.formats[name[0]] = form
    else:
        context.set(directive, "log_format", form)
    raise Ignored("it only names a format" if name else "it is in force where TransferLog writes")


HANDLERS = {**dict.fromkeys(("customlog", "globallog", "transferlog"), custom_log), "logformat": log_format}


def logs(draft: SiteDraft) -> list[Block]:
    """[access_log], the first of the main server, and [[access_logs]]. Formats count wherever they stand."""
    for server in draft.servers():
        default = server.option("log_format") or draft.main.option("log_format") or "common"
        for row in server.logs:
            row.content["format"] = _kind(draft, row, row.content["format"] or default)
    first = next((row for row in draft.main.logs if "every_host" not in row.content), None)
    rows = [block("access_logs", server, row) for server in draft.servers() for row in server.logs if row is not first]
    return [*([table(("access_log",), first)] if first is not None else []), *rows]


def _kind(draft: SiteDraft, row: DraftRow, form: str) -> str:
    """A format, or the name of a format, as a site has it."""
    written = draft.formats.get(form, form)
    kind = next((name for pattern, name in _FORMATS if pattern.fullmatch(written)), "")
    try:
        if not kind:
            parsed(written)
    except BadFormat as reason:
        draft.lose(row.origins, f"{reason}; it is written as combined")
        return "combined"
    return kind or written


_OURS = re.compile(rf"%[!<>,\d]*\{{(?:{'|'.join(OURS)})\}}[<>]*x")
"""Directives of formats that Apache does not have."""


_Log = TypeVar("_Log", AccessLog, AccessLogRow)


def plain(site: Site, lose: Lose) -> Site:
    """The logs in formats that Apache can write."""

    def sayable(address: Address, log: _Log) -> _Log:
        at = (*address, "format")
        if log.format == "json":
            lose(at, "Apache writes no JSON by itself: it is written as combined")
            log = replace(log, format="combined")
        if ours := _OURS.findall(log.format):
            lose(at, f"Apache does not know {' '.join(ours)}: it is written as -")
            log = replace(log, format=_OURS.sub("-", log.format))
        return replace(log, file="/dev/stdout") if log.file == "-" else log

    first = site.access_log and sayable(("access_log",), site.access_log)
    rows = tuple(sayable(("access_logs", row.id), row) for row in site.access_logs)
    return replace(site, access_log=first, access_logs=rows)


def lines(log: AccessLog | None) -> Lines:
    """[access_log]. Raises Unsayable."""
    return [] if log is None else _spelled("CustomLog", log)


def spelled(site: Site, row: AccessLogRow, folder: Path) -> Lines:
    """A row of [[access_logs]]. Raises Unsayable."""
    return _spelled("GlobalLog" if row.every_host else "CustomLog", row)


def _spelled(directive: str, log: AccessLog | AccessLogRow) -> Lines:
    """A name is one word, a format of one's own stands in the line: there are as many as there are logs."""
    form = FORMATS.get(log.format, log.format).replace("\n", "\\n")
    condition = [f"env={log.env}"] * bool(log.env) + [f"expr={log.expr}"] * bool(log.expr)
    return [line(directive, log.file, form, *condition)]


SPELL = {"access_logs": spelled}
