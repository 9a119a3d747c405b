"""The log of requests: CustomLog and LogFormat. A site has one log, Apache as many as there are lines."""

from __future__ import annotations

import re

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.report import Lose
from proxy_core.config.log_directives import FORMATS, BadFormat, parsed
from proxy_core.config.model import AccessLog, Site

_COMMON = r'%[ha] %l %u %t \\?"%r\\?" %>?s %[bO]'

_FORMATS = (
    (re.compile(_COMMON), "common"),
    (re.compile(_COMMON + r' \\?"%\{Referer\}i\\?" \\?"%\{User-agent\}i\\?"', re.IGNORECASE), "combined"),
    (re.compile("common"), "common"),
    (re.compile("combined"), "combined"),
)


def custom_log(context: ImportContext, directive: Directive) -> None:
    """CustomLog file format [env=…|expr=…]: there is one log for the site, one with all requests where there is one."""
    context.unconditional()
    file, form, condition, *_ = *directive.args, "", "", ""
    if file.startswith("|"):
        raise Unsupported("logs go to files; let the program read the file")
    before = context.draft.access_log
    if before is not None and (condition or not {"env", "expr"} & before.content.keys()):
        raise Ignored("one log has the requests of every host")
    key, equals, value = condition.partition("=")
    if condition and not (equals and key.lower() in ("env", "expr")):
        raise Unsupported(f'"{condition}" is no condition: it is env=… or expr=…')
    if before is not None:
        context.draft.lose(before.origins, "there is one log here, and another one has all requests")
    written = context.draft.formats.get(form, form)
    kind = next((name for pattern, name in _FORMATS if pattern.fullmatch(written)), "")
    if not kind:
        try:
            parsed(kind := written)
        except BadFormat as reason:
            kind = "combined"
            context.lose(f"{reason}; it is written as combined")
    row = {"file": context.draft.path(file), "format": kind} | ({key.lower(): value} if condition else {})
    context.draft.access_log = DraftRow(row, [directive])


def log_format(context: ImportContext, directive: Directive) -> None:
    """LogFormat format name"""
    form, *name = directive.args
    if name:
        context.draft.formats[name[0]] = form
    raise Ignored("it only names a format")


HANDLERS = {"customlog": custom_log, "logformat": log_format}
_OURS = re.compile(r"%[!<>,\d]*\{\w+\}[<>]*x")
"""Directives of formats that Apache does not have."""


def plain(site: Site, lose: Lose) -> Site:
    """The log in a format that Apache can write."""
    log = site.access_log
    if log is None:
        return site
    at = ("access_log", "format")
    if log.format == "json":
        lose(at, "Apache writes no JSON by itself: it is written as combined")
        log = replace(log, format="combined")
    if ours := _OURS.findall(log.format):
        lose(at, f"Apache does not know {' '.join(ours)}: it is written as -")
        log = replace(log, format=_OURS.sub("-", log.format))
    return replace(site, access_log=replace(log, file="/dev/stdout") if log.file == "-" else log)


def lines(log: AccessLog | None) -> Lines:
    """[access_log]. Raises Unsayable."""
    if log is None:
        return []
    name = log.format if log.format in FORMATS else "own"
    form = FORMATS.get(log.format, log.format).replace("\n", "\\n")
    condition = [f"env={log.env}"] * bool(log.env) + [f"expr={log.expr}"] * bool(log.expr)
    return [line("LogFormat", form, name), line("CustomLog", log.file, name, *condition)]
