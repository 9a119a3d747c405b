"""Pages for errors: ErrorDocument and ProxyErrorOverride. Apache names statuses one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import SWITCH, first, option
from proxy_core.apache.report import Lose
from proxy_core.config.model import ErrorPage, Site
from proxy_core.http.statuses import REASONS


def error_document(context: ImportContext, directive: Directive) -> None:
    """ErrorDocument code document: a text, a path or a URL (``set_error_document`` in server/core.c)."""
    code, document = directive.args if len(directive.args) == 2 else (first(directive), directive.raw.partition(" ")[2])
    kind = "text"
    if document.lower() == "default":
        kind = "builtin"
    elif " " not in document:
        kind = "path" if document.startswith("/") else "url" if re.match(r"[a-z][a-z0-9+.-]*://", document) else "text"
    if kind == "path":  # a request has no fragment
        document = document.partition("#")[0]
    if kind != "builtin" and "%{" in document:
        raise Unsupported("a page is no expression, so the built-in one answers; write the text or the path as it is")
    row = {**context.place(), "status": [code], kind: kind == "builtin" or document}
    context.add(directive, "errors", row)


def error_override(context: ImportContext, directive: Directive) -> None:
    """ProxyErrorOverride On [code …]"""
    option("error_override", SWITCH)(context, directive)
    codes = list(directive.args[1:])
    if codes and context.section is not None:
        context.location().content["override_codes"] = codes
    elif codes:
        context.set(directive, "override_codes", codes)


HANDLERS = {"errordocument": error_document, "proxyerroroverride": error_override}


def statuses(words: Sequence[str], known: Iterable[int]) -> tuple[str, ...]:
    """Statuses one by one: "5xx" is every one of that class."""
    known = list(known)
    found: list[str] = []
    for each in words:
        found += [str(code) for code in known if f"{code // 100}xx" == each.lower()] or [each]
    return tuple(dict.fromkeys(found))


def plain(site: Site, lose: Lose) -> Site:
    """Pages as Apache can say them, one for each status."""
    return replace(site, errors=tuple(made for row in site.errors for made in _pages(site, row, lose)))


def _pages(site: Site, row: ErrorPage, lose: Lose) -> Iterator[ErrorPage]:
    at = ("errors", row.id)
    row = _page_below(site, row)
    if row.route:
        lose(at, "Apache has pages by <Location>, not by ProxyPass: write a row of [[locations]]")
    elif row.file is not None:
        lose((*at, "file"), "Apache serves pages by their path: put it below document_root and name its path")
    elif row.text is not None and (row.text.lower() == "default" or re.fullmatch(r"/\S*|\w[\w+.-]*://\S*", row.text)):
        lose((*at, "text"), "Apache takes a text like this for the path of a page")
    else:
        if row.text is not None:
            row = replace(row, text=re.sub(r"\s*\n\s*", " ", row.text))
        for code in statuses(row.status, [code for code in REASONS if code >= 400]):
            if code == "401" and row.url is not None:
                lose((*at, "status"), "Apache sends nobody elsewhere for a 401")
            elif int(code) in REASONS and int(code) >= 400:
                yield replace(row, id=f"{row.id}-{code}", status=(code,))
            else:
                lose((*at, "status"), f"Apache has no page for {code}")


def _page_below(site: Site, row: ErrorPage) -> ErrorPage:
    """A file below the folder whose files are served has a path there."""
    host = site.hosts.get(row.host)
    root = (host.document_root if host is not None else None) or site.site.document_root
    if row.file is None or not root or not row.file.startswith(f"{root.rstrip('/')}/"):
        return row
    return replace(row, file=None, path=row.file.removeprefix(root.rstrip("/")))


def codes(words: tuple[str, ...]) -> tuple[str, ...]:
    """Statuses one by one; none where that is all of them."""
    found = statuses(words, range(400, 600))
    return () if set(found) >= {str(code) for code in range(400, 600)} else found


def spelled(site: Site, row: ErrorPage, folder: Path) -> Lines:
    """A row of [[errors]] with one status. Raises Unsayable."""
    page = "default" if row.builtin else next(e for e in (row.text, row.path, row.url) if e is not None)
    return [line("ErrorDocument", row.status[0], page)]


SPELL = {"errors": spelled}
