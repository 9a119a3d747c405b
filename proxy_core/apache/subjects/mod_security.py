"""ModSecurity: rules that do nothing but set variables; the rest of it is a firewall."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import by_name, first, only
from proxy_core.rules.text import pattern

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
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

_OPERATORS = {
    "pm": "(?i)({})", "within": "^({})$", "rx": "{}", "streq": "^{}$", "contains": "{}", "beginswith": "^{}",
    "endswith": "{}$",
}  # fmt: skip


def sec_rule(context: ImportContext, directive: Directive) -> None:
    """SecRule VARIABLE operator "actions", where it does nothing but set variables; SecAction "actions"."""
    context.unconditional()
    args = list(directive.args)
    looked: dict[str, Any] = {}
    if re.search(r"\b(?:deny|block|drop)\b", args[-1]):
        raise Unsupported("whom it keeps out, nothing keeps out here; write a RewriteRule with [F], or put a firewall "
                          "in front")  # fmt: skip
    if directive.key == "secrule":
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
            case "redirect" | "proxy" | "chain" | "skip" | "skipafter" | "exec":
                raise Unsupported(f"{name} is for a firewall; a RewriteRule with [F] can refuse requests")
    if not variables:
        raise Unsupported("a rule that sets no variable is for a firewall")
    if transforms:
        looked["transform"] = transforms
    if directive.key == "secrule":
        looked |= _operator(operator)
        if looked["from"].startswith(("%{HTTP:", "%{ENV:")):
            looked |= _of_what_is_there(looked)
    for word in variables:
        name, equals, value = word.partition("=")
        row = {"name": name.removeprefix("!"), **looked}
        if name.startswith("!"):
            row["unset"] = True
        else:
            row["value"] = _captured(value) if equals else "1"
        context.add(directive, "env", row)


def _subject(subject: str) -> str:
    """A variable of ModSecurity's as one of ours. Raises Unsupported."""
    kind, _, name = subject.partition(":")
    if kind.lower() == "request_headers" and _TOKEN.fullmatch(name):
        return f"%{{HTTP:{name}}}"
    if kind.lower() == "env" and name:
        return f"%{{ENV:{name}}}"
    if kind.lower() not in _SUBJECTS or name:
        raise Unsupported(f"{subject} cannot be looked at here")
    return _SUBJECTS[kind.lower()]


def _operator(operator: str) -> dict[str, Any]:
    """What an operator looks for, as a regular expression. Raises Unsupported."""
    negated = {"negate": True} if operator.startswith("!") else {}
    kind, argument = "rx", operator.removeprefix("!")
    if argument.startswith("@"):
        kind, _, argument = argument[1:].partition(" ")
        kind = kind.lower()
    if kind == "unconditionalmatch":
        return {}
    if kind not in _OPERATORS:
        raise Unsupported(f"there is no operator @{kind}")
    if kind in ("pm", "within"):
        argument = "|".join(map(re.escape, argument.split()))
    elif kind != "rx":
        argument = re.escape(argument)
    return {"capture": _OPERATORS[kind].format(argument), **negated}


def _of_what_is_there(looked: Mapping[str, Any]) -> dict[str, Any]:
    """The pattern of a rule about a field or a variable that matches nothing where there is none, as in ModSecurity:
    there is an empty text here. Raises Unsupported."""
    if _MADE_OF_NOTHING & set(looked.get("transform", ())):
        raise Unsupported("what is made of a field cannot be told from what is made of none; look at the field itself")
    capture = looked.get("capture")
    if capture is None:
        return {"capture": r"(?s)\A.+\z"}
    if looked.get("negate"):
        return {"capture": rf"(?:{capture})|\A\z"}
    return {"capture": rf"(?!\A\z)(?:{capture})"} if pattern.compile(capture).search("") is not None else {}


_MADE_OF_NOTHING = {"sha1", "md5", "sha256", "length"}
"""Transformations that make something of an empty text."""


def _captured(value: str) -> str:
    """%{TX.1} is $1 here, and %{REMOTE_ADDR} and its like are what they are."""
    value = re.sub(r"%\{tx\.([0-9])\}", r"$\1", value, flags=re.IGNORECASE)
    value = re.sub(r"%\{matched_var\}", "$0", value, flags=re.IGNORECASE)
    return re.sub(
        r"%\{([A-Za-z_]+)(?:[:.]([^}]*))?\}",
        lambda found: _subject(found[1] + (f":{found[2]}" if found[2] else "")),
        value,
    )


HANDLERS = {
    "secrule": sec_rule,
    "secaction": sec_rule,
    "secruleengine": only(
        False,
        "rules that set variables are always on",
        "rules of ModSecurity are imported as if it were on; remove those that are off",
        lambda directive: first(directive).lower() == "off",
    ),
}
IGNORED = by_name({
    "only SecRule's variables are of use here": """
        secrequestbodyaccess secresponsebodyaccess secauditengine secauditlog secauditlogparts secauditlogtype
        secdebuglog secdebugloglevel sectmpdir secdatadir secrequestbodylimit secrequestbodynofileslimit
        secrequestbodyinmemorylimit secdefaultaction secargumentseparator seccookieformat secunicodemapfile
        secstatusengine secpcrematchlimit secpcrematchlimitrecursion secauditlogrelevantstatus secauditlogstoragedir
        secresponsebodymimetype secresponsebodylimit secresponsebodylimitaction secrequestbodylimitaction secuploaddir
        seccomponentsignature""",
})  # fmt: skip
