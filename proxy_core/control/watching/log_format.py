"""Lines of the access log from a format of directives: what each directive shows of a finished request.

A format is compiled once, into a template and a tuple of functions of an Exchange; a line costs a call for each
directive that is not always "-". What the record does not hold is "-". Values are escaped as ap_escape_logitem
(server/util.c) does, so that nothing that a client or a member sends ends the line, closes a quote or steers a
terminal. Meanings are those of mod_log_config.c, mod_logio.c and mod_ssl; %{NAME}x has the names of the JSON log, too.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import lru_cache

from proxy_core.balance import sticky
from proxy_core.config.log_directives import CONNECTION, LogDirective, parsed
from proxy_core.control.watching.log_records import field
from proxy_core.http.target import BadTarget, normalised, split
from proxy_core.rules.text.variables import of_mod_ssl
from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange

Line = Callable[[Exchange], bytes]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")
_SHORT = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
_ESCAPES = [_SHORT.get(byte, b"\\x%02x" % byte) for byte in range(256)]


def compiled(text: str) -> Line:
    """What writes a line of this format, its end included. Raises BadFormat."""
    template, shown = b"", []
    for part in parsed(text):
        if isinstance(part, str):
            template += part.encode().replace(b"%", b"%%")
        elif part.letter in _NEVER_KNOWN:
            template += b"-"
        else:
            template += b"%b"
            shown.append(_conditional(part))
    template, values = template + b"\n", tuple(shown)
    return lambda exchange: template % tuple([value(exchange) for value in values])


def escaped(value: bytes) -> bytes:
    """ap_escape_logitem."""
    if _UNSAFE.search(value) is None:  # as nearly always
        return value
    return _UNSAFE.sub(lambda found: _ESCAPES[found[0][0]], value)


@lru_cache(maxsize=64)
def clf_time(second: int) -> bytes:
    """%t: local time with the zone, English months whatever the locale says."""
    local = time.localtime(second)
    sign, offset = "-" if local.tm_gmtoff < 0 else "+", abs(local.tm_gmtoff) // 60
    return (
        f"[{local.tm_mday:02}/{_MONTHS[local.tm_mon - 1]}/{local.tm_year}:{local.tm_hour:02}:{local.tm_min:02}:"
        f"{local.tm_sec:02} {sign}{offset // 60:02}{offset % 60:02}]"
    ).encode()


def _conditional(directive: LogDirective) -> Line:
    letter, argument, codes, negated = directive
    value = _WITH_ARGUMENT[letter](argument) if letter in _WITH_ARGUMENT else _PLAIN[letter]
    if not codes:
        return value
    return lambda exchange: value(exchange) if (exchange.status in codes) != negated else b"-"


def _text(value: str | None) -> bytes:
    """A text that is "-" where there is none; texts have one character for each byte, or any of the operator's."""
    if not value:
        return b"-"
    try:
        return escaped(value.encode("latin-1"))
    except UnicodeEncodeError:
        return escaped(value.encode("utf-8", "backslashreplace"))


def _taken(exchange: Exchange, then: float, unit: int) -> bytes:
    return b"%d" % ((then - exchange.started) * unit) if then else b"-"


def _port(exchange: Exchange) -> bytes:
    """The port that counts: the client's word unless names are canonical (ap_get_server_port)."""
    view = exchange.view
    server = exchange.host_rules
    asked = re.search(r":(\d+)$", view.host.decode("latin-1")) if not server.own.canonical else None
    return asked[1].encode() if asked else b"%d" % (server.port or view.connection.port)


def _host(exchange: Exchange) -> bytes:
    """%V: the name that the client used, unless names are canonical (ap_get_server_name)."""
    server = exchange.host_rules
    asked = re.sub(rb":\d*$", b"", exchange.view.host).lower()
    return escaped(asked) if asked and not server.own.canonical else _text(server.server_name)


def _path(exchange: Exchange) -> bytes:
    """%U: r->uri, which is decoded; what is no path, as it came."""
    target = exchange.view.target
    try:
        return escaped(normalised(split(target)[0], exchange.host_rules.reading).encode("latin-1"))
    except BadTarget:
        return escaped(target.partition(b"?")[0]) or b"-"


def _connection(exchange: Exchange) -> bytes:
    """%X, as the request asked for it: X the client left, + the connection stays, - it ends."""
    if exchange.status == CLIENT_LEFT:
        return b"X"
    connection = field("Connection", exchange.head).lower()
    return b"+" if b"keep-alive" in connection or (exchange.version != "1.0" and b"close" not in connection) else b"-"


def _query(exchange: Exchange) -> bytes:
    _, mark, query = exchange.view.target.partition(b"?")
    return escaped(mark + query)


_NEVER_KNOWN = "fkl"
_PLAIN: dict[str, Line] = {
    "A": lambda exchange: exchange.view.connection.address.encode() or b"-",
    "b": lambda exchange: b"%d" % exchange.sent if exchange.sent else b"-",
    "B": lambda exchange: b"%d" % exchange.sent,
    "D": lambda exchange: _taken(exchange, exchange.finished, 1_000_000),
    "h": lambda exchange: exchange.view.client.encode() or b"-",
    "H": lambda exchange: b"HTTP/" + escaped(exchange.version.encode()) if exchange.version else b"-",
    "I": lambda exchange: b"%d" % (len(exchange.head) + exchange.received),
    "m": lambda exchange: escaped(exchange.view.method) or b"-",
    "O": lambda exchange: b"%d" % (len(exchange.answer) + exchange.sent),
    "P": lambda exchange: b"%d" % os.getpid(),
    "q": _query,
    "r": lambda exchange: escaped(exchange.head.partition(b"\n")[0].rstrip(b"\r")) or b"-",
    "s": lambda exchange: b"%d" % exchange.status if exchange.status else b"-",
    "u": lambda exchange: _text(exchange.extras.user) if exchange.extras is not None else b"-",
    "U": _path,
    "v": lambda exchange: _text(exchange.host_rules.server_name),
    "V": _host,
    "X": _connection,
}


def _address(argument: str) -> Line:
    if argument == "c":
        return lambda exchange: (exchange.view.connection.peer or exchange.view.client).encode() or b"-"
    return _PLAIN["h"]


def _ports(argument: str) -> Line:
    if argument == "local":
        return lambda exchange: b"%d" % exchange.view.connection.port
    return (lambda exchange: b"%d" % exchange.view.connection.client_port) if argument == "remote" else _port


def _duration(argument: str) -> Line:
    unit = {"ms": 1_000, "us": 1_000_000}.get(argument, 1)
    return lambda exchange: _taken(exchange, exchange.finished, unit)


_MOMENTS: dict[str, Callable[[int], bytes]] = {
    "": lambda at: clf_time(at // 1_000_000),
    "sec": lambda at: b"%d" % (at // 1_000_000),
    "msec": lambda at: b"%d" % (at // 1_000),
    "usec": lambda at: b"%d" % at,
    "msec_frac": lambda at: b"%03d" % (at // 1_000 % 1_000),
    "usec_frac": lambda at: b"%06d" % (at % 1_000_000),
}


def _time(argument: str) -> Line:
    """%t: when it came, or with "end:" before the format when it was over."""
    ended, form = argument.startswith("end:"), re.sub("^(begin|end):", "", argument)

    def spelled(at: int) -> bytes:
        return escaped(time.strftime(form, time.localtime(at // 1_000_000)).encode())

    shown = _MOMENTS.get(form, spelled)
    if not argument:
        return lambda exchange: clf_time(int(exchange.at))
    if not ended:
        return lambda exchange: shown(int(exchange.at * 1_000_000))
    return lambda exchange: shown(int((exchange.at + max(0.0, exchange.finished - exchange.started)) * 1_000_000))


def _asked(name: str) -> Line:
    return lambda exchange: escaped(field(name, exchange.head, b"-"))


def _answered(name: str) -> Line:
    """%{NAME}o: as the member sent it; an answer of our own has none."""
    return lambda exchange: b"-" if exchange.replaced else escaped(field(name, exchange.answer, b"-"))


def _variable(name: str) -> Line:
    """%{NAME}e, whatever its case, as of apr_table_get."""
    wanted = name.lower()

    def value(exchange: Exchange) -> bytes:
        own = exchange.extras.env if exchange.extras is not None else ()
        env = {key.lower(): found for key, found in (*exchange.view.env, *own)}
        if exchange.cache:
            env |= {"cache-status": exchange.cache, f"cache-{exchange.cache}": "1"}
        member = exchange.member
        if wanted.startswith("balancer_") and member is not None and member.key.balancer:
            pool = exchange.rules.pools[member.key.balancer]
            variables = sticky.environment(pool, member, exchange.session, exchange.view.target.decode("latin-1"))
            env |= {key.lower(): found for key, found in variables.items()}
        return _text(env[wanted]) if env.get(wanted) else b"" if wanted in env else b"-"

    return value


def _note(name: str) -> Line:
    wanted = name.lower()
    return lambda exchange: _text({key.lower(): note for key, note in (exchange.notes or {}).items()}.get(wanted))


def _cookie(name: str) -> Line:
    wanted = name.lower().encode()

    def value(exchange: Exchange) -> bytes:
        for pair in field("Cookie", exchange.head).split(b";"):
            key, _, found = pair.partition(b"=")
            if key.strip().lower() == wanted:
                return escaped(found.strip())
        return b"-"

    return value


def _milliseconds(seconds: float) -> bytes:
    return b"%.3f" % (seconds * 1000)


def _since(exchange: Exchange, then: float) -> bytes:
    return _milliseconds(then - exchange.started) if then else b"-"


_OURS: dict[str, Line] = {
    "route": lambda exchange: _text(exchange.route.id if exchange.route else ""),
    "rule": lambda exchange: _text(exchange.rule.key[1] if exchange.rule else ""),
    "balancer": lambda exchange: _text(exchange.member.key.balancer if exchange.member else ""),
    "member": lambda exchange: _text(exchange.member.key.member if exchange.member else ""),
    "attempts": lambda exchange: b"%d" % exchange.attempts,
    "retries": lambda exchange: b"%d" % exchange.retries,
    "queued": lambda exchange: _milliseconds(exchange.queued),
    "waited": lambda exchange: _since(exchange, exchange.connected),
    "first": lambda exchange: _since(exchange, exchange.answered),
    "total": lambda exchange: _since(exchange, exchange.finished),
    "cause": lambda exchange: _text(exchange.cause),
    "cache": lambda exchange: exchange.cache.encode() or b"-",
    "age": lambda exchange: b"%d" % exchange.age,
    "generation": lambda exchange: b"%d" % exchange.rules.generation,
}


def _looked_up(name: str) -> Line:
    """%{NAME}x: ours, or what mod_ssl looks up (``ssl_var_log_handler_x``)."""
    if name in _OURS:
        return _OURS[name]
    if name.upper().startswith("SSL_"):
        return lambda exchange: _text(exchange.view.connection.tls.get(name.upper()))
    from proxy_core.serve.field_edits import moment_of  # who only looks at a site serves nothing

    read = of_mod_ssl(name)
    return lambda exchange: _text(read(moment_of(exchange).scope))


def _of_connection(name: str) -> Line:
    """%{NAME}c (``ssl_var_log_handler_c``)."""
    return _looked_up(CONNECTION[name]) if CONNECTION[name] else lambda exchange: b"-"


_WITH_ARGUMENT: dict[str, Callable[[str], Line]] = {
    "a": _address, "p": _ports, "t": _time, "T": _duration,
    "i": _asked, "o": _answered, "e": _variable, "n": _note, "C": _cookie, "x": _looked_up, "c": _of_connection,
}  # fmt: skip
