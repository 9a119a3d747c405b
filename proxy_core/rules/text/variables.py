"""What the rules know of one request while they are tried: its Scope, and the server variables read from it.

A Scope is mod_rewrite's ``rewrite_ctx`` and httpd's request_rec in one. It starts from the RequestView and the
request's Facts; rules move ``uri`` and ``args`` on and set variables. It reaches nothing outside: whatever has to be
fetched goes through ``fact``, which raises Unknown where the answer is not there yet.

``%{NAME}`` is read as mod_rewrite's ``lookup_variable`` reads it. A name is resolved when a rule is compiled, so a
request pays for a call and no more. Names are not told apart by case. An unknown name reads as empty. TIME
and its kin are facts, as PATH_INFO is, and so is where the folder of the site file is, which relative paths begin at.
All texts have one character for each byte.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Mapping
from functools import cache

from msgspec import Struct, field

from proxy_core.http.request_view import RequestView, fields, request_line
from proxy_core.http.syntax import host_name, host_port
from proxy_core.rules.facts import Facts
from proxy_core.rules.text.known_fields import KnownFields
from proxy_core.rules.text.pattern import Groups

Env = dict[str, tuple[str, str]]
"""Variables by lower-case name, with the name as it was set: httpd's tables do not tell upper from lower case."""


class Scope(Struct):
    """What one request's rules know and change. Made for one decision and thrown away after it."""

    view: RequestView
    """The request as it came."""
    facts: Facts
    """What the outside has answered so far."""
    path: str
    """httpd's r->uri: decoded and normalised."""
    args: str | None
    """httpd's r->args: the query without its ?, None for none."""
    server_name: str = "localhost"
    """The server's own name, without a port."""
    port: int = 0
    """The port of its own that the server names, 0 for the one that the request came in at."""
    env: Env = field(default_factory=dict)
    """The variables that are set."""
    uri: str = ""
    """httpd's r->filename: what rules have made of the path."""
    rule: Groups | None = None
    """What $N stands for."""
    condition: Groups | None = None
    """What %N stands for."""
    vary: list[str] = field(default_factory=list)
    """The fields that the condition at hand looked at."""
    above: Scope | None = None
    """The scope of the request, in a look-ahead."""
    ahead: Callable[[Scope, str], tuple[Scope, int]] | None = None
    """Decides what a path would become (``%{LA-U:…}``, -U): the scope after it, which shares this one's cookies, and a
    status, 200 where nothing was refused."""
    ours: Callable[[str], bool] = lambda host: False
    """Whether a host name is this server's own."""
    looked_up: list[str] | None = None
    """Lines of a trace: what maps and expressions said. None where nobody asks."""
    cookies: dict[str, str] = field(default_factory=dict)
    """The cookies that rules set, by name."""
    user: str = ""
    """Who has shown a password, or whom a service names; "" for nobody."""
    auth: str = ""
    """The [auth.NAME] that the user has shown it to."""
    given: tuple[bytes, ...] = ()
    """The field lines that a service which was asked first has for the member."""
    told: tuple[bytes, ...] = ()
    """Those that it has for the client."""
    canonical: bool = False
    """Whether ``server_name`` and ``port`` count, whatever the client called us (UseCanonicalName On)."""
    ended: bool = False
    """Whether [END] keeps the rules of sections from being tried."""
    file: str = ""
    """What answers, once it is known: the name of a file, or what it is forwarded to behind "proxy:". Rules that go on
    from there have it in ``uri``."""
    root: str = ""
    """The document_root, "" for none."""
    read: Callable[[bytes], Mapping[str, str]] = fields
    """Reads the fields of a head."""
    _fields: Mapping[str, str] | None = None
    """The fields of the request by lower-case name; None until a rule asks for one."""

    def header(self, name: str) -> str | None:
        """A field of the request, noted for Vary as ``lookup_header`` in mod_rewrite.c does; Host never is."""
        folded = name.lower()
        if folded == "host":
            return self.view.host.decode("latin-1") or self.fields().get("host")
        value = self.fields().get(folded)
        if value is not None:
            self.vary.append(name)
        return value

    def fields(self) -> Mapping[str, str]:
        """The fields of the request by lower-case name."""
        known = self._fields
        if known is None:
            found, lost = self.read(self.view.head), self.facts.lost
            known = self._fields = found if lost is None else KnownFields(found, lost)
        return known

    def set(self, name: str, value: str) -> None:
        self.env[name.lower()] = (name, value)

    def unset(self, name: str) -> None:
        self.env.pop(name.lower(), None)

    def env_value(self, name: str) -> str:
        """A variable of the request, else of the process: as %{ENV:…} looks for it. SCRIPT_URL and SCRIPT_URI are
        there from the start (``hook_uri2file``)."""
        variable = self.env.get(name.lower())
        if variable is not None:
            return variable[1]
        match name.upper():
            case "SCRIPT_URL":
                return self.env.get("redirect_script_url", ("", self.path))[1]
            case "SCRIPT_URI":
                return ourselves(self) + self.env.get("redirect_script_url", ("", self.path))[1]
        return self.fact("osenv", name, "") or ""

    def mapped(self, name: str, key: str) -> str | None:
        """What the map says for a key, None where it has nothing."""
        answer = self.fact("map", name, key)
        if self.looked_up is not None:
            shown = "nothing" if answer is None else f'"{answer}"'
            self.looked_up.append(f'map {name}: "{key}" gives {shown}')
        return answer

    @property
    def subrequest(self) -> bool:
        return self.above is not None

    def look(self, uri: str) -> tuple[Scope, int] | None:
        """``ahead``, but None where a look-ahead would look for itself (mod_rewrite.c's subreq_ok)."""
        if self.ahead is None or (self.above is not None and self.above.path == self.path):
            return None
        return self.ahead(self, uri)

    def whole(self, path: str) -> str:
        """A path of the file system as an absolute one; "" stays."""
        return path if not path or posixpath.isabs(path) else self.fact("whole", "", path) or path

    def below_root(self, path: str) -> str:
        """A path that rules made, seen from the document_root where it names what is in it (``prefix_stat`` and
        ``hook_fixup`` in mod_rewrite.c)."""
        root = self.whole(self.root).rstrip("/")
        return path[len(root) :] if root and path.startswith(f"{root}/") else path

    def fact(self, kind: str, name: str, key: str) -> str | None:
        """The answer to what only the outside knows, None for "there is none". Raises Unknown while it is not there."""
        if kind == "url":
            seen = self.look(key)
            return "1" if seen is not None and seen[1] < 400 else None
        return self.facts.answer(kind, name, key)

    # -- what expressions ask for besides (rules.expression.functions.ExpressionScope)

    def variable(self, name: str) -> str:
        return expression_variable(name)(self)

    def field(self, name: str, which: str) -> str:
        match which:
            case "req":
                return self.header(name) or ""
            case "req_novary":
                noted = len(self.vary)
                value = self.header(name) or ""
                del self.vary[noted:]
                return value
            case "env":
                return self.env_value(name)
            case "reqenv":
                variable = self.env.get(name.lower())
                return variable[1] if variable is not None else ""
            case "osenv":
                return self.fact("osenv", name, "") or ""
        return ""


Reader = Callable[[Scope], str]

DEFAULT_PORTS = {"http": "80", "https": "443"}


def server_name(scope: Scope) -> str:
    """The name that the client used, in lower case and without port; the server's own where it used none, or where that
    one counts (UseCanonicalName On)."""
    if scope.canonical:
        return scope.server_name
    return host_name(scope.view.host.decode("latin-1")) or scope.server_name


def server_port(scope: Scope) -> str:
    """The port that the client wrote, else that of server_name, else the scheme's; the client's does not count
    under UseCanonicalName On."""
    host = "" if scope.canonical else scope.view.host.decode("latin-1")
    return host_port(host) or str(scope.port or DEFAULT_PORTS.get(scope.view.scheme, "80"))


def ourselves(scope: Scope) -> str:
    """``scheme://host[:port]`` as the client spoke to us."""
    scheme, port = scope.view.scheme, server_port(scope)
    shown = "" if port == DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{server_name(scope)}{shown}"


def _remote_port(scope: Scope) -> str:
    """The client's port; where proxies name the client nobody knows it (mod_remoteip says 0)."""
    connection = scope.view.connection
    return str(connection.client_port if connection.peer in ("", scope.view.client) else 0)


def _filename(scope: Scope) -> str:
    """httpd's r->filename."""
    return scope.file if scope.file.startswith("proxy:") else scope.whole(scope.file) or scope.uri


def _path_info(scope: Scope) -> str:
    """What the path has behind a file, or behind the first name that is not there; once it is known what answers."""
    if not scope.file or scope.file.startswith("proxy:"):
        return ""
    return scope.fact("file", "info", scope.file) or ""


def _header(name: str) -> Reader:
    """``Scope.header``, with what can be told of the name told once."""
    folded = name.lower()
    if folded == "host":
        return lambda scope: scope.header(name) or ""

    def read(scope: Scope) -> str:
        value = (scope._fields or scope.fields()).get(folded)
        if value is None:
            return ""
        scope.vary.append(name)
        return value

    return read


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
    "AUTH_TYPE": lambda scope: "Basic" if scope.auth else "",
    "REQUEST_METHOD": lambda scope: scope.view.method.decode("latin-1"),
    "REQUEST_SCHEME": lambda scope: scope.view.scheme,
    "REQUEST_URI": lambda scope: scope.path,
    "REQUEST_FILENAME": _filename,
    "SCRIPT_FILENAME": _filename,
    "SCRIPT_USER": _constant("<unknown>"),
    "SCRIPT_GROUP": _constant("<unknown>"),
    "QUERY_STRING": lambda scope: scope.args or "",
    "PATH_INFO": _path_info,
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
    "DOCUMENT_ROOT": lambda scope: scope.whole(scope.root),
    "CONTEXT_PREFIX": _constant(""),
    "CONTEXT_DOCUMENT_ROOT": lambda scope: scope.whole(scope.root),
    "TIME": _clock("%Y%m%d%H%M%S"),
    "TIME_YEAR": _clock("%Y"),
    "TIME_MON": _clock("%m"),
    "TIME_DAY": _clock("%d"),
    "TIME_HOUR": _clock("%H"),
    "TIME_MIN": _clock("%M"),
    "TIME_SEC": _clock("%S"),
    "TIME_WDAY": _clock("%w"),
}

_UNASKED = frozenset((
    "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_USER", "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI", "QUERY_STRING",
    "THE_REQUEST", "HTTPS", "SERVER_NAME", "SERVER_PORT", "SERVER_ADDR", "SERVER_PROTOCOL",
))  # fmt: skip


def is_unasked(name: str) -> bool:
    """Whether ``%{name}`` is known of a request without a fact, and quickly: fields, and what connections tell."""
    folded = name.upper()
    return folded.startswith(("HTTP:", "HTTP_")) or folded in _UNASKED


EXPRESSION_VARIABLES: dict[str, Reader] = {
    **{name: read for name, read in VARIABLES.items() if name != "SERVER_ADDR"},
    "DOCUMENT_URI": lambda scope: scope.path,
    "SERVER_PROTOCOL_VERSION": lambda scope: _version(scope).replace(".", "00"),
    "SERVER_PROTOCOL_VERSION_MAJOR": lambda scope: _version(scope)[:1],
    "SERVER_PROTOCOL_VERSION_MINOR": lambda scope: _version(scope)[-1:],
    "REQUEST_STATUS": _constant("200"),
    "HTTP2": _constant("off"),
    "HANDLER": lambda scope: "proxy-server" if scope.file.startswith("proxy:") else "",
    **dict.fromkeys(("CONTENT_TYPE", "LAST_MODIFIED", "REQUEST_LOG_ID", "CONN_LOG_ID"), _constant("")),
}
"""What expressions know (request_var_fn in server/util_expr_eval.c), as far as it is there before an answer."""


@cache
def expression_variable(name: str) -> Reader:
    """The reader of a variable in an expression."""
    if name[:4].upper() == "SSL_":
        return of_mod_ssl(name)
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
                return _header(rest)
            case "SSL":
                return of_mod_ssl(rest)
            case "LA-U" | "LA-F" if rest:
                return _ahead(variable(rest))
        return _constant("")
    return VARIABLES.get(name.upper(), _constant(""))


_UNKNOWN_TO_MOD_SSL = frozenset((
    "CONN_REMOTE_ADDR", "REMOTE_PORT", "IPV6", "SERVER_ADDR", "SCRIPT_USER", "SCRIPT_GROUP", "CONTEXT_PREFIX",
    "CONTEXT_DOCUMENT_ROOT",
))  # fmt: skip


def of_mod_ssl(name: str) -> Reader:
    """The reader of a variable that mod_ssl is asked for: its own, and most others (``ssl_var_lookup``)."""
    folded = name.upper()
    if folded in VARIABLES and folded not in _UNKNOWN_TO_MOD_SSL:
        return VARIABLES[folded]
    if folded.startswith("ENV:"):
        return lambda scope: scope.env_value(name[4:])
    if folded.startswith("HTTP:"):
        return lambda scope: scope.header(name[5:]) or ""
    return lambda scope: scope.view.connection.tls.get(folded, "")


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
