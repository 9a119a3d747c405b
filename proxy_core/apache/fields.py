"""mod_headers, mod_setenvif, mod_env and ModSecurity's setenv: fields of requests and answers, and variables."""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache.draft import Here, Ignored, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler, text

_ACTIONS = {"set", "append", "add", "merge", "unset", "edit", "edit*", "setifempty", "echo", "note"}


def header(here: Here, said: Directive) -> None:
    """Header [always|onsuccess] action name [value [replacement]] [early|env=…|expr=…], and RequestHeader."""
    args = list(said.args)
    on = "request"
    if said.key == "header":
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
    for word in args:
        if word.lower() == "early":
            _early(here, row)
        elif word.lower().startswith("env="):
            row["env"] = word[4:]
        elif word.lower().startswith("expr="):
            row["expr"] = word[5:]
        else:
            here.lose(f'"{word}" is not understood')
    if here.section is not None:
        row["location"] = here.location(said).content["id"]
    here.server.headers.append(Row(row, [said]))


def _early(here: Here, row: dict[str, Any]) -> None:
    """Before the rules: of requests alone. Fields of our own are with each answer in any case; those of an answer that
    is still to come are taken over by it."""
    if row["on"] == "response":
        raise Ignored("the answer of a member takes the place of what was set before it came")
    if row["on"] == "request" and row["name"].lower() == "host":
        raise Unsupported("hosts are told apart by Host, which cannot change before that")
    if row["on"] == "request":
        here.server_only()
        row["early"] = True


ATTRIBUTES = {
    "remote_host": "%{REMOTE_HOST}", "remote_addr": "%{REMOTE_ADDR}", "server_addr": "%{SERVER_ADDR}",
    "request_method": "%{REQUEST_METHOD}", "request_protocol": "%{SERVER_PROTOCOL}", "request_uri": "%{REQUEST_URI}",
}  # fmt: skip
_OF_HTTPD = {
    "nokeepalive", "downgrade-1.0", "force-response-1.0", "redirect-carefully", "no-gzip", "gzip-only-text/html",
    "force-no-vary", "ssl-unclean-shutdown", "ssl-accurate-shutdown", "suppress-error-charset",
}  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def set_env_if(here: Here, said: Directive) -> None:
    """SetEnvIf[NoCase] attribute regex [!]name[=value] …; BrowserMatch[NoCase] regex …"""
    args = list(said.args)
    attribute = "User-Agent" if said.key.startswith("browser") else args.pop(0)
    regex, *variables = args
    if attribute.lower() in ATTRIBUTES:
        looked = {"from": ATTRIBUTES[attribute.lower()]}
    elif _TOKEN.fullmatch(attribute):
        known = {row.content["name"].lower() for row in (*here.draft.main.env, *here.server.env)}
        kind = "ENV" if attribute.lower() in known else "HTTP"
        looked = {"from": f"%{{{kind}:{attribute}}}"}
    else:
        looked = {"fields": attribute}
    nocase = {"nocase": True} if said.key.endswith("nocase") else {}
    fills = PLAIN.fullmatch(regex) is None
    useful = [word for word in variables if word.partition("=")[0].removeprefix("!").lower() not in _OF_HTTPD]
    if not useful:
        raise Ignored("clients of the last century are treated like any other")
    for word in sorted(useful, key=lambda word: word.partition("=")[0].removeprefix("!").lower() == attribute.lower()):
        _variable(here, said, word, {**looked, "capture": regex, **nocase}, fills)


PLAIN = re.compile(r"(?:[^\\^.$|()\[\]*+?{}]|\\[\\^.$|()\[\]*+?{}])*")
"""A pattern that is plain text: groups are not filled into the value then (``non_regex_pattern``)."""


def _variable(here: Here, said: Directive, word: str, looked: dict[str, Any], fills: bool = True) -> None:
    """A name that is set or, with a !, unset (``add_envvars``): an empty value is 1, and !… as a value unsets too."""
    name, _, value = word.partition("=")
    row = {"name": name if value else name.removeprefix("!"), **looked}
    if value.startswith("!") or (name.startswith("!") and not value):
        row["unset"] = True
    else:
        row["value"] = (_filled(value) if fills else _literal(value)) or "1"
    _put(here, said, row)


def _put(here: Here, said: Directive, row: dict[str, Any]) -> None:
    """A row for the whole server, or for the section at hand."""
    where = {} if here.section is None else {"location": here.location(said).content["id"]}
    here.server.env.append(Row(row | where, [said]))


def _literal(value: str) -> str:
    """A text in which nothing is filled in."""
    return re.sub(r"[\\$%]", r"\\\g<0>", value)


def _filled(value: str) -> str:
    """A text with $N and nothing else filled in (``ap_pregsub``)."""
    return re.sub(r"(\\.)|(\$\{|%)", lambda found: found[1] or f"\\{found[2]}", value, flags=re.DOTALL)


def set_env_if_expr(here: Here, said: Directive) -> None:
    """SetEnvIfExpr expression [!]name[=value] …"""
    expression, *variables = said.args
    for word in variables:
        _variable(here, said, word, {"expr": expression})


def set_env(here: Here, said: Directive) -> None:
    """SetEnv name [value]: behind the rules, which do not see it."""
    name = said.args[0]
    if name.lower() in _OF_FORWARDING:
        raise _OF_FORWARDING[name.lower()]
    late = {"late": True} if here.section is None else {}
    _put(here, said, {"name": name, "value": _literal(" ".join(said.args[1:2])), **late})


def unset_env(here: Here, said: Directive) -> None:
    """UnsetEnv name …: takes back SetEnv, the server's too, and nothing that SetEnvIf sets (mod_env.c)."""
    if here.section is not None:
        for name in said.args:
            _put(here, said, {"name": name, "unset": True})
        return
    names = {name.lower() for name in said.args}
    own, main = here.server.env, here.draft.main.env
    own[:] = [row for row in own if not _late(row, names)]
    if own is not main:
        own += [
            Row({"name": row.content["name"], "unset": True, "late": True}, [said]) for row in main if _late(row, names)
        ]


def _late(row: Row, names: set[str]) -> bool:
    return "late" in row.content and row.content["name"].lower() in names


def pass_env(here: Here, said: Directive) -> None:
    """PassEnv name …: variables of the process, where it has them."""
    here.server_only()
    for name in said.args:
        row = {"name": name, "from": f"%{{ENV:{name}}}", "capture": "(?s)^(.+)$", "late": True}
        here.server.env.append(Row(row, [said]))


_AS_IT_COMES = Unsupported("how members are spoken to is not changed by variables here")
_OF_FORWARDING: dict[str, Unsupported | Ignored] = {
    **dict.fromkeys(("force-proxy-request-1.0", "proxy-nokeepalive", "proxy-sendcl", "proxy-chain-auth"), _AS_IT_COMES),
    **dict.fromkeys(
        ("proxy-sendchunked", "proxy-sendchunks"),
        Ignored("a body is passed on as it comes, chunked or with a length"),
    ),
    "proxy-initial-not-pooled": Ignored("a connection that was kept and breaks is made anew for GET and its like"),
    "proxy-interim-response": Ignored("interim answers of members are passed on"),
}
_SUBJECTS = {
    "remote_addr": "%{REMOTE_ADDR}", "remote_host": "%{REMOTE_HOST}", "remote_port": "%{REMOTE_PORT}",
    "request_method": "%{REQUEST_METHOD}", "request_line": "%{THE_REQUEST}", "request_protocol": "%{SERVER_PROTOCOL}",
    "query_string": "%{QUERY_STRING}", "request_filename": "%{REQUEST_URI}", "server_name": "%{SERVER_NAME}",
    "server_port": "%{SERVER_PORT}", "server_addr": "%{SERVER_ADDR}",
}  # fmt: skip
_TRANSFORMS = {
    "sha1": "sha1", "md5": "md5", "hexencode": "hex", "hexdecode": "hexdecode", "base64encode": "base64",
    "base64decode": "base64decode", "lowercase": "lowercase", "uppercase": "uppercase", "trim": "trim",
    "urlencode": "urlencode", "urldecode": "urldecode", "length": "length",
}  # fmt: skip
_OPERATORS = {"rx": "{}", "streq": "^{}$", "contains": "{}", "beginswith": "^{}", "endswith": "{}$"}


def sec_rule(here: Here, said: Directive) -> None:
    """SecRule VARIABLE operator "actions", where it does nothing but set variables; SecAction "actions"."""
    here.unconditional()
    args = list(said.args)
    looked: dict[str, Any] = {}
    if said.key == "secrule":
        subject, operator = args.pop(0), args.pop(0)
        looked["from"] = _subject(subject)
    actions = [part.strip() for part in re.findall(r"((?:[^,'\"]|'[^']*'|\"[^\"]*\")+)", args[0] if args else "")]
    transforms: list[str] = []
    variables: list[str] = []
    for action in actions:
        name, _, value = action.partition(":")
        value = value.strip("'")
        match name.lower():
            case "t" if value.lower() == "none":
                transforms = []
            case "t" if value.lower() in _TRANSFORMS:
                transforms.append(_TRANSFORMS[value.lower()])
            case "setenv":
                variables.append(value)
            case "t":
                raise Unsupported(f"there is no transformation {value}")
            case "deny" | "block" | "drop" | "redirect" | "proxy" | "chain" | "skip" | "skipafter" | "exec":
                raise Unsupported(f"{name} is for a firewall; a RewriteRule with [F] can refuse requests")
            case _:
                pass
    if not variables:
        raise Unsupported("a rule that sets no variable is for a firewall")
    if transforms:
        looked["transform"] = transforms
    if said.key == "secrule":
        looked |= _operator(operator)
    for word in variables:
        name, equals, value = word.partition("=")
        row = {"name": name.removeprefix("!"), **looked}
        if name.startswith("!"):
            row["unset"] = True
        else:
            row["value"] = _captured(value) if equals else "1"
        here.server.env.append(Row(row, [said]))


def _subject(subject: str) -> str:
    kind, _, name = subject.partition(":")
    if kind.lower() == "request_headers" and _TOKEN.fullmatch(name):
        return f"%{{HTTP:{name}}}"
    if kind.lower() in ("env", "request_uri", "request_uri_raw", "request_basename"):
        known = {"env": f"%{{ENV:{name}}}"}.get(kind.lower())
        if known and name:
            return known
    if kind.lower() not in _SUBJECTS or name:
        raise Unsupported(f"{subject} cannot be looked at here")
    return _SUBJECTS[kind.lower()]


def _operator(operator: str) -> dict[str, Any]:
    negated = operator.startswith("!")
    operator = operator.removeprefix("!")
    kind, argument = "rx", operator
    if operator.startswith("@"):
        kind, _, argument = operator[1:].partition(" ")
        kind = kind.lower()
        if kind == "unconditionalmatch":
            return {}
        if kind in ("pm", "within"):
            words = "|".join(map(re.escape, argument.split()))
            capture = f"(?i)({words})" if kind == "pm" else f"^({words})$"
            return {"capture": capture, **({"negate": True} if negated else {})}
        if kind not in _OPERATORS:
            raise Unsupported(f"there is no operator @{kind}")
    capture = _OPERATORS[kind].format(argument if kind == "rx" else re.escape(argument))
    return {"capture": capture, **({"negate": True} if negated else {})}


def _captured(value: str) -> str:
    """%{TX.1} is $1 here, and %{REMOTE_ADDR} and its like are what they are."""
    value = re.sub(r"%\{tx\.([0-9])\}", r"$\1", value, flags=re.IGNORECASE)
    value = re.sub(r"%\{matched_var\}", "$0", value, flags=re.IGNORECASE)
    return re.sub(
        r"%\{([A-Za-z_]+)(?:[:.]([^}]*))?\}",
        lambda found: _subject(found[1] + (f":{found[2]}" if found[2] else "")),
        value,
    )


def engine(here: Here, said: Directive) -> None:
    if text(said).lower() == "off":
        raise Unsupported("rules of ModSecurity are imported as if it were on; remove those that are off")
    raise Ignored("rules that set variables are always on")


def firewall(here: Here, said: Directive) -> None:
    raise Ignored("only SecRule's variables are of use here")


_FIREWALL = (
    "secrequestbodyaccess", "secresponsebodyaccess", "secauditengine", "secauditlog", "secauditlogparts",
    "secauditlogtype", "secdebuglog", "secdebugloglevel", "sectmpdir", "secdatadir", "secrequestbodylimit",
    "secrequestbodynofileslimit", "secrequestbodyinmemorylimit", "secdefaultaction", "secargumentseparator",
    "seccookieformat", "secunicodemapfile", "secstatusengine", "secpcrematchlimit", "secpcrematchlimitrecursion",
    "secauditlogrelevantstatus", "secauditlogstoragedir", "secresponsebodymimetype", "secresponsebodylimit",
    "secresponsebodylimitaction", "secrequestbodylimitaction", "secuploaddir", "seccomponentsignature",
)  # fmt: skip

HANDLERS: dict[str, Handler] = {
    "header": header,
    "requestheader": header,
    "setenvif": set_env_if,
    "setenvifnocase": set_env_if,
    "browsermatch": set_env_if,
    "browsermatchnocase": set_env_if,
    "setenvifexpr": set_env_if_expr,
    "setenv": set_env,
    "passenv": pass_env,
    "unsetenv": unset_env,
    "secrule": sec_rule,
    "secaction": sec_rule,
    "secruleengine": engine,
    **dict.fromkeys(_FIREWALL, firewall),
}
