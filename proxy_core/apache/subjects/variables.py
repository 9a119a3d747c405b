"""mod_setenvif and mod_env: variables of requests.

SetEnvIf looks at some attributes and at fields; out, whatever else a row of [[env]] looks at, and what it does to it
first, becomes an expression of SetEnvIfExpr, whose functions do what the transforms do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.doubts import variable
from proxy_core.apache.draft import DraftRow, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import tls_variables
from proxy_core.apache.subjects.hosts import by_host
from proxy_core.config.model import EnvRule, Site
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.template import Fixed

ATTRIBUTES = {
    "remote_host": "%{REMOTE_HOST}", "remote_addr": "%{REMOTE_ADDR}", "server_addr": "%{SERVER_ADDR}",
    "request_method": "%{REQUEST_METHOD}", "request_protocol": "%{SERVER_PROTOCOL}", "request_uri": "%{REQUEST_URI}",
}  # fmt: skip

_OF_HTTPD = {
    "nokeepalive", "downgrade-1.0", "force-response-1.0", "redirect-carefully", "no-gzip", "gzip-only-text/html",
    "force-no-vary", "ssl-unclean-shutdown", "ssl-accurate-shutdown", "suppress-error-charset",
}  # fmt: skip

UNIQUE_ID = "unique_id"
"""What mod_unique_id sets where it is loaded."""
_LOST = {
    "force-no-vary": "answers keep their Vary",
    "force-gzip": "nobody gets a coding that they do not say to take",
}
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def set_env_if(context: ImportContext, directive: Directive) -> None:
    """SetEnvIf[NoCase] attribute regex [!]name[=value] …; BrowserMatch[NoCase] regex …"""
    args = list(directive.args)
    attribute = "User-Agent" if directive.key.startswith("browser") else args.pop(0)
    regex, *variables = args
    if attribute.lower() in ATTRIBUTES:
        looked = {"from": ATTRIBUTES[attribute.lower()]}
    elif _TOKEN.fullmatch(attribute):
        variables_before = {row.content["name"].lower() for server in context.servers() for row in server.env}
        kind = "ENV" if attribute.lower() in variables_before else "HTTP"
        looked = {"from": f"%{{{kind}:{attribute}}}"}
    else:
        looked = {"fields": attribute}
    nocase = {"nocase": True} if directive.key.endswith("nocase") else {}
    fills = PLAIN.fullmatch(regex) is None
    names = [word.partition("=")[0].removeprefix("!").lower() for word in variables]
    for name in _LOST.keys() & names:
        context.lose(_LOST[name])
    useful = [word for word, name in zip(variables, names, strict=True)
              if name not in _OF_HTTPD or name in context.draft.asked_names]  # fmt: skip
    if not useful and not context.losses:
        raise Ignored("clients of the last century are treated like any other")
    for word in sorted(useful, key=lambda word: word.partition("=")[0].removeprefix("!").lower() == attribute.lower()):
        _variable(context, directive, word, {**looked, "capture": regex, **nocase}, fills)


def asked_names(directives: Iterable[Directive]) -> frozenset[str]:
    """Variables that httpd itself goes by, which a condition or a value looks at as well."""
    known = {*_OF_HTTPD, *_OF_FORWARDING, UNIQUE_ID}
    found: set[str] = set()
    for directive in directives:
        if directive.key in ("addoutputfilterbytype", "setoutputfilter"):
            found |= {"no-gzip", "gzip-only-text/html"}
        if directive.inside is not None:
            found |= asked_names(directive.inside)
        if directive.key not in (*HANDLERS, "loadmodule") or "expr" in directive.key:
            text = directive.raw.lower()
            found |= {name for name in known if name in text}
    return frozenset(found)


_URL = re.compile(r"%\{(SCRIPT_UR[LI])\}e|env=!?(SCRIPT_UR[LI])|\b(REDIRECT_(?:URL|QUERY_STRING))\b", re.IGNORECASE)


def asked_urls(directives: Sequence[Directive]) -> set[str]:
    """Which of mod_rewrite's two variables of the request, and of CGI's two of the first one when a page is asked for,
    something takes for one that is set."""
    found = {"".join(names).upper() for each in directives for names in _URL.findall(each.raw)}
    return found.union(*(asked_urls(each.inside) for each in directives if each.inside))


def unset_in_sections(draft: SiteDraft) -> None:
    """A section takes back what was set before it, and no SetEnv of a server, which acts behind it."""
    rows = [row for server in draft.servers() for row in server.env]
    late = {row.content["name"].lower() for row in rows if "late" in row.content and "unset" not in row.content}
    taken = [row for row in rows if {"location", "unset"} <= row.content.keys() and row.origins[0].key == "unsetenv"]
    for row in taken:
        if row.content["name"].lower() in late:
            draft.lose(row.origins, "what SetEnv of the server says is set behind all sections: write it into them")


def of_rewriting(draft: SiteDraft) -> None:
    """SCRIPT_URL and SCRIPT_URI, where they are asked for, of each server that rewrites (``hook_uri2file``)."""
    for server in draft.servers():
        switch = server.options.get("engine")
        if switch is not None and switch[0]:
            names = [name for name in sorted(draft.asked_urls) if name.startswith("SCRIPT_")]
            server.env[:0] = [DraftRow({"name": name, "from": f"%{{ENV:{name}}}"}, [switch[1]]) for name in names]


def of_pages(draft: SiteDraft) -> None:
    """REDIRECT_URL and REDIRECT_QUERY_STRING, where they are asked for: httpd sets them for programs alone
    (``ap_add_common_vars``), here they are there for the page of an error from the start."""
    pages = [row for server in draft.servers() for row in server.errors if "path" in row.content]
    names = [name for name in sorted(draft.asked_urls) if name.startswith("REDIRECT_")] if pages else []
    draft.main.env[:0] = [DraftRow({"name": name, "unset": True}, list(pages[0].origins)) for name in names]


PLAIN = re.compile(r"(?:[^\\^.$|()\[\]*+?{}]|\\[\\^.$|()\[\]*+?{}])*")
"""A pattern that is plain text: groups are not filled into the value then (``non_regex_pattern``)."""


def _variable(
    context: ImportContext, directive: Directive, word: str, looked: dict[str, Any], fills: bool = True
) -> None:
    """A name that is set or, with a !, unset (``add_envvars``): an empty value is 1, and !… as a value unsets too."""
    name, _, value = word.partition("=")
    row = {"name": name if value else name.removeprefix("!"), **looked}
    if value.startswith("!") or (name.startswith("!") and not value):
        row["unset"] = True
    else:
        row["value"] = (_filled(value) if fills else _literal(value)) or "1"
    _put(context, directive, row)


def _put(context: ImportContext, directive: Directive, row: dict[str, Any]) -> None:
    """A row for the whole server, or for the section at hand."""
    context.add(directive, "env", row | context.place())


def _literal(value: str) -> str:
    """A text in which nothing is filled in."""
    return re.sub(r"[\\$%]", r"\\\g<0>", value)


def _filled(value: str) -> str:
    """A text with $N and nothing else filled in (``ap_pregsub``)."""
    return re.sub(r"(\\.)|(\$\{|%)", lambda found: found[1] or f"\\{found[2]}", value, flags=re.DOTALL)


def unset_groups(context: ImportContext, directive: Directive, regex: str) -> None:
    """What the groups of <DirectoryMatch> and <FilesMatch> with a name of their own find is no variable here."""
    for name in re.findall(r"\(\?P?(?:<|')([A-Za-z_]\w*)(?:>|')", regex):
        context.draft.doubt(context.server, variable(f"MATCH_{name}"), directive)


def lost_names(directive: Directive) -> list[str]:
    """The variables that a lost directive would set, as regular expressions: conditions may go by them."""
    match directive.key:
        case "secrule" | "secaction":
            return [re.escape(name) for name in re.findall(r"setenv:'?!?([\w-]+)", directive.raw)]
        case "geoipenable":
            return [r"GEOIP_\w+"]
        case "maxminddbenv":
            return [re.escape(name) for name in directive.args[:1]]
    return []


def set_env_if_expr(context: ImportContext, directive: Directive) -> None:
    """SetEnvIfExpr expression [!]name[=value] …"""
    expression, *variables = directive.args
    for word in variables:
        _variable(context, directive, word, {"expr": expression})


def set_env(context: ImportContext, directive: Directive) -> None:
    """SetEnv name [value]: behind the rules, which do not see it."""
    name = directive.args[0]
    if name.lower() in _OF_FORWARDING and name.lower() not in context.draft.asked_names:
        raise _OF_FORWARDING[name.lower()]
    if name.lower() == "force-gzip":
        context.lose(_LOST["force-gzip"])
    late = {"late": True} if context.section is None else {}
    _put(context, directive, {"name": name, "value": _literal(" ".join(directive.args[1:2])), **late})


def unset_env(context: ImportContext, directive: Directive) -> None:
    """UnsetEnv name …: takes back SetEnv, the server's too, and nothing that SetEnvIf sets (mod_env.c)."""
    if context.section is not None:
        for name in directive.args:
            _put(context, directive, {"name": name, "unset": True})
        return
    names = {name.lower() for name in directive.args}
    own, main = context.server.env, context.draft.main.env
    own[:] = [row for row in own if not _late(row, names)]
    if own is not main:
        for row in [row for row in main if _late(row, names)]:
            context.add(directive, "env", {"name": row.content["name"], "unset": True, "late": True})


def _late(row: DraftRow, names: set[str]) -> bool:
    return "late" in row.content and row.content["name"].lower() in names


def pass_env(context: ImportContext, directive: Directive) -> None:
    """PassEnv name …: variables of the process, where it has them."""
    context.server_only()
    for name in directive.args:
        row = {"name": name, "from": f"%{{ENV:{name}}}", "capture": "(?s)^(.+)$", "late": True}
        context.add(directive, "env", row)


_AS_IT_COMES = Unsupported("how members are spoken to is not changed by variables here")

_OF_FORWARDING: dict[str, Unsupported | Ignored] = {
    **dict.fromkeys(("proxy-sendcl", "proxy-chain-auth"), _AS_IT_COMES),
    **dict.fromkeys(
        ("proxy-sendchunked", "proxy-sendchunks"),
        Ignored("a body is passed on as it comes, chunked or with a length"),
    ),
    "proxy-initial-not-pooled": Ignored("a connection that was kept and breaks is made anew for GET and its like"),
    "proxy-interim-response": Ignored("interim answers of members are passed on"),
}
HANDLERS = {
    **dict.fromkeys(("setenvif", "setenvifnocase", "browsermatch", "browsermatchnocase"), set_env_if),
    "setenvifexpr": set_env_if_expr,
    "setenv": set_env,
    "passenv": pass_env,
    "unsetenv": unset_env,
}

_LOOKED = {subject: name.title() for name, subject in ATTRIBUTES.items()}

_FUNCTIONS: dict[tuple[str, ...], str] = {
    ("sha1", "hex"): "sha1", ("md5", "hex"): "md5", ("base64",): "base64", ("base64decode",): "unbase64",
    ("lowercase",): "tolower", ("uppercase",): "toupper", ("urlencode",): "escape", ("urldecode",): "unescape",
}  # fmt: skip

MARKS = "/#|!,;:"


def plain(site: Site, lose: Lose) -> Site:
    """Variables as SetEnv, SetEnvIf or SetEnvIfExpr says them, the main server's first."""
    env: list[EnvRule] = []
    names: dict[str, set[str]] = {"": set()}
    for row in by_host(site, site.env):
        before = names.setdefault(row.host, set(names[""]))
        made = _plain(row, before, lose)
        before.add(row.name.lower())
        env += [made] if made is not None else []
    return replace(site, env=tuple(env))


def _plain(row: EnvRule, known: set[str], lose: Lose) -> EnvRule | None:
    """A row as SetEnv, SetEnvIf or SetEnvIfExpr says it; None where none of them does."""
    if row.late and tls_variables.lines(row) is not None:
        return row
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
    mark = next((each for each in MARKS if each not in capture), "")
    if not mark:
        lose((*at, "capture"), f"an expression needs a mark round it that is not in it, one of {MARKS}")
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


def spelled(site: Site, row: EnvRule, folder: Path) -> Lines:
    """A row of [[env]]. Raises Unsayable."""
    value = re.sub(r"\\([%$])", r"\1", row.value or "")
    if row.late:
        of_tls = tls_variables.lines(row)
        if of_tls is not None:
            return of_tls
        return [line("UnsetEnv", row.name) if row.unset else line("SetEnv", row.name, value)]
    word = f"!{row.name}" if row.unset else row.name if row.value == "1" else f"{row.name}={value}"
    if row.expr:
        return [line("SetEnvIfExpr", row.expr, word)]
    subject = row.fields or _LOOKED.get(row.from_) or row.from_[2:-1].partition(":")[2]
    return [line("SetEnvIf" + "NoCase" * row.nocase, subject, row.capture, word)]


SPELL = {"env": spelled}
