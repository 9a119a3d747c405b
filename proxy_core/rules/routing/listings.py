"""Listings of folders that have no index, as mod_autoindex makes them without FancyIndexing: a list of links.

This is ``index_directory`` and ``make_autoindex_entry`` in modules/generators/mod_autoindex.c. The names come as a
fact, so nothing here waits; those that access keeps from the client are left out, a part at a time, and other requests
have their turn between two parts. What was judged stays with the request's facts, for each turn begins anew. Pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import partial

from msgspec.structs import replace

from proxy_core.http.escaping import uri_escaped
from proxy_core.http.target import escaped, readable
from proxy_core.printable import printable
from proxy_core.rules.decision import NO_EXTRAS, Forward, OwnPage, Respond
from proxy_core.rules.facts import FactKey, Facts, Need, Unknown
from proxy_core.rules.routing.indexes import Found
from proxy_core.rules.text.variables import Scope

_PART = 50
"""Names that are judged without a pause."""
_TYPE = b"Content-Type: text/html;charset=UTF-8"

Judged = Callable[[Forward, Scope], tuple[Found, object]]
"""What sections make of a decision to serve a file."""


def of_folder(file: str, decision: Forward, scope: Scope, judged: Judged | None) -> Forward | Respond:
    """The answer to a request for the folder ``file``, in which no index is; ``decision`` is to serve it. ``judged``
    tells which names the client may know, None for all. Raises what it raises, and Unknown."""
    method, route = scope.view.method, decision.route
    if method not in (b"GET", b"HEAD"):
        return decision if method != b"POST" else _bare(decision, 404, file)
    found = scope.fact("listing", f"{route.follow_links} {route.folder}", file)
    if found is None or not route.autoindex:
        return _bare(decision, 404 if found is None else 403, file)
    names = found.split("\0") if found else []
    more = names[-1:] == [""]
    if judged is not None:
        names = _admitted(names, file, scope, partial(_admits, file, decision, scope, judged))
    ignored = re.compile("|".join(map(_wildcard, route.index_ignore)) or r"(?!)").fullmatch
    names = [name for name in names if name and not ignored(name.rstrip("/"))]
    what = f"a listing of {readable(file)}: {len(names)} names{', and there are more' * more}"
    extras = decision.extras or NO_EXTRAS
    page = OwnPage((_TYPE,), _page(scope.path, names, more))
    return Respond(200, route, what, extras._replace(page=page), local=True, sections=decision.sections)


def _bare(decision: Forward, status: int, file: str) -> Respond:
    what = f"{readable(file)} is a folder without an index" if status == 403 else f"no file is at {readable(file)}"
    return Respond(status, decision.route, what, decision.extras, local=True, sections=decision.sections)


def _admits(file: str, decision: Forward, scope: Scope, judged: Judged, name: str) -> bool:
    """Whether a listing has this name: whether sections have something against it (``make_autoindex_entry``). What a
    service would have to be asked about is left out. Raises Unknown and Runaway."""
    path = scope.path + name
    facts = Facts(dict(scope.facts.answers), partial(_known, scope, file, name))
    inner = replace(
        scope, facts=facts, path=path, uri=path, args=None, env=dict(scope.env), above=scope, file="", vary=[]
    )
    target = decision.target.partition(b"?")[0] + escaped(name)
    try:
        made, _ = judged(decision._replace(target=target), inner)
    except Unknown as unknown:
        if unknown.key[0] == "forward_auth":
            return False
        raise
    return made.local if isinstance(made, Respond) else not isinstance(made, Need)


def _known(scope: Scope, folder: str, name: str, fact: FactKey) -> tuple[bool, str | None]:
    """What a listed name is, is known: rules that look whether each is there do not ask the disk again."""
    kind, test, file = fact
    if kind == "links":
        return True, None  # of those that may not be followed none is listed
    names = (f"{each.rstrip('/')}/{name.rstrip('/')}" for each in (folder, scope.whole(folder)))
    if kind == "file" and test in _TESTS and file.rstrip("/") in names:
        return True, "1" if test == "-e" or (test == "-d") == name.endswith("/") else None
    return scope.facts.ask(fact) if scope.facts.ask is not None else (False, None)


_TESTS = ("-e", "-f", "-F", "-d")


def _admitted(names: Iterable[str], file: str, scope: Scope, admits: Callable[[str], bool]) -> list[str]:
    """The names that are admitted. After each part that is judged anew, others have their turn (raises Unknown)."""
    names, found, answers = list(names), list[str](), scope.facts.answers
    for start in range(0, len(names), _PART):
        part: FactKey = ("listed", file, str(start))
        if part not in answers:
            answers[part] = "\0".join(filter(admits, names[start : start + _PART]))
            if start + _PART < len(names):
                raise Unknown(("turn", file, str(start)))
        found += (answers[part] or "").split("\0")
    return found


def _wildcard(name: str) -> str:
    return translate(name.encode().decode("latin-1"))


def _page(path: str, names: Iterable[str], more: bool) -> bytes:
    """The page; texts have one character for each byte, and names are read as UTF-8."""
    title = f"Index of {_shown(path.rstrip('/')) or '/'}"
    links = [(uri_escaped(path[: path.rstrip("/").rfind("/") + 1]), "Parent Directory")] if path.strip("/") else []
    links += [("./" * (":" in name) + uri_escaped(name), _shown(name)) for name in names]
    lines = [f'<li><a href="{html.escape(link)}"> {name}</a></li>' for link, name in links]
    if more:
        lines.append("<li>and more, which are not listed</li>")
    return "\n".join((
        "<!DOCTYPE html>", "<html>", f"<head><title>{title}</title></head>", "<body>", f"<h1>{title}</h1>",
        "<ul>", *lines, "</ul>", "</body>", "</html>", "",
    )).encode()  # fmt: skip


def _shown(name: str) -> str:
    return html.escape(printable(name.encode("latin-1").decode("utf-8", "replace")))
