"""Variables, header fields, error pages and addresses mapped back, for Apache.

SetEnvIf looks at some attributes and at fields; whatever else a row of [[env]] looks at, and what it does to it first,
becomes an expression of SetEnvIfExpr, whose functions do what the transforms do. Pages and overrides name their
statuses one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TypeVar

from msgspec.structs import replace

from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_words import Lines, Unsayable, line, off
from proxy_core.apache.fields import ATTRIBUTES, PLAIN
from proxy_core.config.model import EnvRule, ErrorPage, HeaderRule, Location, ReverseRule, RewriteRule, Site
from proxy_core.http.statuses import REASONS
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.template import Fixed

_LOOKED = {subject: name.title() for name, subject in ATTRIBUTES.items()}
_FUNCTIONS: dict[tuple[str, ...], str] = {
    ("sha1", "hex"): "sha1", ("md5", "hex"): "md5", ("base64",): "base64", ("base64decode",): "unbase64",
    ("lowercase",): "tolower", ("uppercase",): "toupper", ("urlencode",): "escape", ("urldecode",): "unescape",
}  # fmt: skip
_MARKS = "/#|!,;:"

_Row = TypeVar("_Row", EnvRule, RewriteRule, HeaderRule, ErrorPage, ReverseRule)


def plain(site: Site, lose: Lose) -> Site:
    """Rows as Apache can say them, those of sections behind those of servers, in the order of the sections."""
    main = {row.name.lower() for row in site.env if not row.host}
    env: list[EnvRule] = []
    for host in ("", *site.hosts):
        known = set(main) if host else set()
        for row in site.env:
            if row.host == host:
                said = _variable(row, known, lose)
                known.add(row.name.lower())
                env += [said] if said is not None else []
    headers = [made for row in site.headers if (made := _header(row, lose)) is not None]
    errors = [made for row in site.errors for made in _pages(site, row, lose)]
    return replace(
        site,
        env=_placed(site, env, "env", lose),
        rewrites=_placed(site, site.rewrites, "rewrites", lose),
        headers=_placed(site, headers, "headers", lose),
        errors=_placed(site, errors, "errors", lose),
        reverse=_placed(site, site.reverse, "reverse", lose),
    )


def _placed(site: Site, rows: Iterable[_Row], table: str, lose: Lose) -> tuple[_Row, ...]:
    """Each row with the host of its location, in the order in which sections have them."""
    places = {row.id: number for number, row in enumerate(site.locations)}
    hosts = {row.id: row.host for row in site.locations}
    found = []
    for row in rows:
        if row.location and row.location not in hosts:
            continue
        if row.location and row.host not in ("", hosts[row.location]):
            lose((table, row.id), f"it is for one host, and its location {row.location} for all or another")
            continue
        found.append(replace(row, host=hosts[row.location]) if row.location else row)
    order = ["", *site.hosts]
    return tuple(sorted(found, key=lambda row: (order.index(row.host), places.get(row.location, -1))))


def _variable(row: EnvRule, known: set[str], lose: Lose) -> EnvRule | None:
    """A row as SetEnv, SetEnvIf or SetEnvIfExpr says it; None where none of them does."""
    at = ("env", row.id)
    tested = bool(row.from_ or row.fields or row.capture or row.expr or row.negate)
    if row.late and tested:
        lose(at, "SetEnv has no conditions, and SetEnvIf sets before the rules")
        return None
    value = None if row.unset else row.value
    if value is None and not row.unset:
        groups = pattern.compile(row.capture).groups if row.capture and not row.negate else 0
        whole = not row.capture and not row.expr and bool(row.from_ or row.fields) and not row.late
        value = "$1" if groups or whole else "1"
    if value is not None and not row.late and re.search(r"(?<!\\)(?:%\{|\$\{)|\\\$[0-9]", value):
        lose((*at, "value"), "SetEnvIf puts nothing into a value but the groups of its expression")
        return None
    if value is not None and row.late and re.search(r"(?<!\\)(?:%\{|\$)", value):
        lose((*at, "value"), "SetEnv takes a value as it stands")
        return None
    row = replace(row, value=value)
    if row.late:
        return replace(row, nocase=False, transform=())
    if row.expr:
        expression = f"!({row.expr})" if row.negate else row.expr
        return _expression(row, expression)
    name = row.fields or _attribute(row.from_, known)
    if row.fields and re.fullmatch(r"[A-Za-z0-9_-]+", row.fields):
        row = replace(row, fields=f"(?:{row.fields})")  # or it would be the name of one
    if name and row.capture and not row.negate and not row.transform:
        # A pattern without any sign of one fills nothing in: there $0 would stand for itself.
        unfilled = PLAIN.fullmatch(row.capture) and re.search(r"(?<!\\)\$\d", value or "")
        return replace(row, capture=f"(?:{row.capture})") if unfilled else row
    if row.fields and row.transform == () and not row.negate:
        return replace(row, capture="^((?s:.*))$" if "$1" in (value or "") else "^")
    if row.fields:
        lose((*at, "fields"), "SetEnvIf alone finds fields by a pattern, and knows neither transform nor negate")
        return None
    subject = _subject(row) if row.from_ else "''"
    if subject is None:
        lose(at, "no function of Apache's expressions does what transform says, or looks at what from names")
        return None
    if not row.capture:
        spelled = "true" if value is None or not re.search(r"\$[0-9]", value) else f"{subject} =~ /^((?s:.*))$/"
        return _expression(row, "false" if row.negate else spelled)
    capture = row.capture
    if "$0" in (value or "") and not pattern.compile(capture).groups:
        capture = f"({capture})"  # or an expression would not tell what was found
    mark = next((each for each in _MARKS if each not in capture), "")
    if not mark:
        lose((*at, "capture"), f"an expression needs a mark round it that is not in it, one of {_MARKS}")
        return None
    spelled = f"{subject} =~ {'m' * (mark != '/')}{mark}{capture}{mark}{'i' * row.nocase}"
    return _expression(row, f"!({spelled})" if row.negate else spelled)


def _expression(row: EnvRule, expression: str) -> EnvRule:
    kept = replace(row, from_="", transform=(), capture="", nocase=False, negate=False)
    return replace(kept, expr=expression)


def _attribute(text: str, known: Set[str]) -> str:
    """What SetEnvIf calls what a row looks at: one of its attributes, a variable that is known, or else a field; ""
    where it has no name for it."""
    found = re.fullmatch(r"%\{(HTTP|ENV):([A-Za-z0-9_-]+)\}", text)
    if found is None or found[2].lower() in ATTRIBUTES:
        return _LOOKED.get(text, "")
    return found[2] if (found[1] == "ENV") == (found[2].lower() in known) else ""


def _subject(row: EnvRule) -> str | None:
    """What a row looks at as a word of an expression; None where there is none."""
    parts = template.compile(as_bytes_text(row.from_)).parts
    names = [part.name for part in parts if not isinstance(part, Fixed)]
    if any(re.fullmatch(r"%\{(?:[A-Z_]+|(?:HTTP|ENV|SSL):[A-Za-z0-9_-]+)\}", name) is None for name in names):
        return None
    if len(parts) == 1 and names:
        spelled = names[0]
    else:
        fixed = (re.sub(r"([\"\\])", r"\\\1", p.text) if isinstance(p, Fixed) else p.name for p in parts)
        spelled = '"' + "".join(fixed) + '"'
    left = list(row.transform)
    while left:
        count = 2 if tuple(left[:2]) in _FUNCTIONS else 1
        function = _FUNCTIONS.get(tuple(left[:count]))
        if function is None:
            return None
        spelled, left = f"{function}({spelled})", left[count:]
    return spelled


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


def statuses(words: Sequence[str], known: Iterable[int]) -> tuple[str, ...]:
    """Statuses one by one: "5xx" is every one of that class."""
    known = list(known)
    found: list[str] = []
    for each in words:
        found += [str(code) for code in known if f"{code // 100}xx" == each.lower()] or [each]
    return tuple(dict.fromkeys(found))


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


def variables(rows: Iterable[EnvRule]) -> Lines:
    """[[env]]. Raises Unsayable."""
    found: Lines = []
    for row in rows:
        said = _set(row)
        found += [said] if row.enabled else off([said])
    return found


def _set(row: EnvRule) -> str:
    value = re.sub(r"\\([%$])", r"\1", row.value or "")
    if row.late:
        return line("UnsetEnv", row.name) if row.unset else line("SetEnv", row.name, value)
    word = f"!{row.name}" if row.unset else row.name if row.value == "1" else f"{row.name}={value}"
    if row.expr:
        return line("SetEnvIfExpr", row.expr, word)
    return line(
        "SetEnvIf" + "NoCase" * row.nocase,
        row.fields or _LOOKED.get(row.from_) or row.from_[2:-1].partition(":")[2],
        row.capture,
        word,
    )


def headers(rows: Iterable[HeaderRule]) -> Lines:
    """[[headers]] of one place. Raises Unsayable."""
    found: Lines = []
    for row in rows:
        name = "RequestHeader" if row.on == "request" else "Header"
        words = [*["always"] * (row.on == "always"), row.action, *[row.name] * (row.action != "echo")]
        words += [row.pattern] * (row.action in ("edit", "edit*", "echo"))
        words += [row.value] * (row.action not in ("unset", "echo"))
        words += [f"env={row.env}"] * bool(row.env) + [f"expr={row.expr}"] * bool(row.expr)
        words += ["early"] * row.early
        found += [line(name, *words)] if row.enabled else off([line(name, *words)])
    return found


def errors(rows: Iterable[ErrorPage]) -> Lines:
    """[[errors]] of one place. Raises Unsayable."""
    found: Lines = []
    for row in rows:
        page = "default" if row.builtin else next(e for e in (row.text, row.path, row.url) if e is not None)
        said = line("ErrorDocument", row.status[0], page)
        found += [said] if row.enabled else off([said])
    return found


_KINDS = {"location": "", "cookie_domain": "CookieDomain", "cookie_path": "CookiePath"}


def reverse(rows: Iterable[ReverseRule], place: Location | None = None) -> Lines:
    """[[reverse]] of one place. Raises Unsayable."""
    found: Lines = []
    for row in rows:
        words = [row.public, row.internal] if row.kind == "location" else [row.internal, row.public]
        if place is not None and place.expr:
            raise Unsayable("an address is mapped back whatever holds: there is no such line for <If>")
        if place is not None and row.kind == "location":
            if row.public != place.path:
                raise Unsayable("in a <Location> an address is mapped to the path of the <Location>")
            words = [row.internal]
        said = line(f"ProxyPassReverse{_KINDS[row.kind]}", *words)
        found += [said] if row.enabled else off([said])
    return found
