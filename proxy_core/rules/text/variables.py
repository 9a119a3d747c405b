"""Server variables: ``%{NAME}`` as mod_rewrite's ``lookup_variable`` reads them.

Names are resolved when a rule is compiled, so that a request pays for a call and no more. Names are not told apart by
case; what is unknown is empty; what only a file server has (DOCUMENT_ROOT, PATH_INFO) is empty here. The clock is no
variable of a pure decision: TIME and its kin are facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from proxy_core.http.view import request_line

if TYPE_CHECKING:
    from proxy_core.rules.text.scope import Scope

Reader = Callable[["Scope"], str]

DEFAULT_PORTS = {"http": "80", "https": "443"}


def server_name(scope: Scope) -> str:
    """The name that the client used, in lower case and without port; the server's own where it used none, or where that
    one counts (UseCanonicalName On)."""
    if scope.canonical:
        return scope.server_name
    host = scope.view.host.decode("latin-1").lower()
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0].removesuffix(".")
    return name or scope.server_name


def server_port(scope: Scope) -> str:
    """The port that the client wrote, else that of server_name, else the scheme's; the client's does not count
    under UseCanonicalName On."""
    host = "" if scope.canonical else scope.view.host.decode("latin-1")
    port = host[host.find("]") + 1 :].partition(":")[2]
    return port or str(scope.port or DEFAULT_PORTS.get(scope.view.scheme, "80"))


def ourselves(scope: Scope) -> str:
    """``scheme://host[:port]`` as the client spoke to us."""
    scheme, port = scope.view.scheme, server_port(scope)
    shown = "" if port == DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{server_name(scope)}{shown}"


def _remote_port(scope: Scope) -> str:
    """The client's port; where proxies name the client nobody knows it (mod_remoteip says 0)."""
    here = scope.view.connection
    return str(here.client_port if here.peer in ("", scope.view.client) else 0)


def _header(name: str) -> Reader:
    return lambda scope: scope.header(name) or ""


def _clock(form: str) -> Reader:
    return lambda scope: time.strftime(form, time.localtime(int(scope.fact("time", "", "") or 0)))


def _constant(value: str) -> Reader:
    return lambda scope: value


def _protocol(scope: Scope) -> str:
    return request_line(scope.view).rpartition(" ")[2]


def _ipv6(scope: Scope) -> str:
    return "on" if ":" in scope.view.client else "off"


VARIABLES: dict[str, Reader] = {
    "HTTP_ACCEPT": _header("Accept"),
    "HTTP_COOKIE": _header("Cookie"),
    "HTTP_FORWARDED": _header("Forwarded"),
    "HTTP_HOST": _header("Host"),
    "HTTP_PROXY_CONNECTION": _header("Proxy-Connection"),
    "HTTP_REFERER": _header("Referer"),
    "HTTP_USER_AGENT": _header("User-Agent"),
    "REMOTE_ADDR": lambda scope: scope.view.client,
    "CONN_REMOTE_ADDR": lambda scope: scope.view.connection.peer or scope.view.client,
    "REMOTE_HOST": lambda scope: scope.view.client,
    "REMOTE_PORT": _remote_port,
    "REMOTE_USER": lambda scope: scope.user,
    "REMOTE_IDENT": _constant(""),
    "AUTH_TYPE": lambda scope: "Basic" if scope.user else "",
    "REQUEST_METHOD": lambda scope: scope.view.method.decode("latin-1"),
    "REQUEST_SCHEME": lambda scope: scope.view.scheme,
    "REQUEST_URI": lambda scope: scope.path,
    "REQUEST_FILENAME": lambda scope: scope.file or scope.uri,
    "SCRIPT_FILENAME": lambda scope: scope.file or scope.uri,
    "SCRIPT_USER": _constant("<unknown>"),
    "SCRIPT_GROUP": _constant("<unknown>"),
    "QUERY_STRING": lambda scope: scope.args or "",
    "PATH_INFO": _constant(""),
    "THE_REQUEST": lambda scope: request_line(scope.view),
    "IS_SUBREQ": lambda scope: "true" if scope.subrequest else "false",
    "HTTPS": lambda scope: "on" if scope.view.scheme == "https" else "off",
    "IPV6": _ipv6,
    "SERVER_NAME": server_name,
    "SERVER_PORT": server_port,
    "SERVER_ADDR": lambda scope: scope.view.connection.address,
    "SERVER_PROTOCOL": _protocol,
    "SERVER_SOFTWARE": _constant("rproxy"),
    "SERVER_ADMIN": _constant("[no address given]"),
    "API_VERSION": _constant("20120211:142"),
    "DOCUMENT_ROOT": _constant(""),
    "CONTEXT_PREFIX": _constant(""),
    "CONTEXT_DOCUMENT_ROOT": _constant(""),
    "TIME": _clock("%Y%m%d%H%M%S"),
    "TIME_YEAR": _clock("%Y"),
    "TIME_MON": _clock("%m"),
    "TIME_DAY": _clock("%d"),
    "TIME_HOUR": _clock("%H"),
    "TIME_MIN": _clock("%M"),
    "TIME_SEC": _clock("%S"),
    "TIME_WDAY": _clock("%w"),
}


EXPRESSION_VARIABLES: dict[str, Reader] = {
    "DOCUMENT_URI": lambda scope: scope.path,
    "SERVER_PROTOCOL_VERSION": lambda scope: _version(scope).replace(".", "00"),
    "SERVER_PROTOCOL_VERSION_MAJOR": lambda scope: _version(scope)[:1],
    "SERVER_PROTOCOL_VERSION_MINOR": lambda scope: _version(scope)[-1:],
    "HTTP2": _constant("off"),
    "REQUEST_STATUS": _constant("200"),
}
"""What expressions know besides (request_var_fn in server/util_expr_eval.c), as far as it is there before an answer."""


@cache
def expression_variable(name: str) -> Reader:
    """The reader of a variable in an expression."""
    return EXPRESSION_VARIABLES.get(name.upper()) or variable(name)


def _version(scope: Scope) -> str:
    return _protocol(scope).partition("/")[2]


@cache
def variable(name: str) -> Reader:
    """The reader of ``%{name}``; an unknown name reads as empty."""
    kind, colon, rest = name.partition(":")
    if colon and len(kind) in (3, 4):
        match kind.upper():
            case "ENV" if rest:
                return lambda scope: scope.env_value(rest)
            case "HTTP" if rest:
                return lambda scope: scope.header(rest) or ""
            case "SSL":
                return lambda scope: scope.view.connection.tls.get(rest.upper(), "")
            case "LA-U" | "LA-F" if rest:
                return _ahead(variable(rest))
        return _constant("")
    return VARIABLES.get(name.upper(), _constant(""))


def is_known(name: str) -> bool:
    """Whether ``%{name}`` stands for anything at all; for lint."""
    kind, colon, rest = name.partition(":")
    if colon:
        return bool(rest) and kind.upper() in ("ENV", "HTTP", "SSL", "LA-U", "LA-F")
    return name.upper() in VARIABLES


def _ahead(read: Reader) -> Reader:
    """The variable as it would be after the path at hand went through the rules as a request of its own."""

    def look(scope: Scope) -> str:
        seen = scope.look(scope.uri)
        return read(seen[0]) if seen is not None else ""

    return look
