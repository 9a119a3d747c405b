"""Every option that means the same in both directions, said once: what Apache calls it, the key of the site, and the
kind of its value, which knows how a word is read and how it is spelled.

The importer makes handlers of directives (``handlers``) and takes parameters apart (``taken``); the exporter asks which
values are not the default (``given``). The parameters are those of ``set_worker_param`` and ``set_balancer_param`` in
modules/proxy/mod_proxy.c. Readers raise Unsupported for what is no such value, and never touch a draft. An option that
says more than one value, or that one direction alone has, is in the file of its subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line, word

Handler = Callable[[ImportContext, Directive], None]
"""Puts what a directive says into the draft. Raises Unsupported or Ignored, or loses a part of it."""


class ValueKind(NamedTuple):
    """A kind of value."""

    read: Callable[[str], Any]
    spell: Callable[[Any], str]


def first(directive: Directive) -> str:
    """The first word."""
    if not directive.args:
        raise Unsupported("it says nothing: a value is missing")
    return directive.args[0]


def choice(words: Mapping[str, Any]) -> ValueKind:
    """One of these words, in any case; of several for one value the first is spelled."""
    values = {name.lower(): value for name, value in words.items()}

    def read(text: str) -> Any:
        if text.lower() not in values:
            raise Unsupported(f"it is one of {', '.join(values)}")
        return values[text.lower()]

    return ValueKind(read, lambda value: next(name for name, each in words.items() if each == value))


def on(text: str) -> bool:
    """On or Off."""
    if text.lower() not in ("on", "off"):
        raise Unsupported("it is On or Off")
    return text.lower() == "on"


def count(text: str) -> int:
    if not text.isdigit():
        raise Unsupported("it needs a number")
    return int(text)


_UNITS = {"ms": 0.001, "mi": 60.0, "min": 60.0, "m": 60.0, "s": 1.0, "h": 3600.0, "": 1.0}


def span(text: str, unit: str = "s") -> float:
    """A span of time in seconds: "5", "500ms", "2min" (``ap_timeout_parameter_parse``). ``unit`` is that of a bare
    number."""
    text = text.lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    factor = _UNITS.get(text[len(digits) :] or unit)
    if not digits.isdigit() or factor is None:
        raise Unsupported(f'"{text}" is no span of time')
    return int(digits) * factor


def _milliseconds(value: float) -> str:
    """Seconds, or milliseconds where they are no whole number."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value * 1000:.0f}ms"


def _session(text: str) -> dict[str, str]:
    cookie, _, param = text.partition("|")
    return {"cookie": cookie, "param": param or cookie}


TEXT = ValueKind(str, str)
PATH = ValueKind(str, str)
"""A path, which the draft makes relative to the site file."""
SWITCH = ValueKind(on, lambda value: "On" if value else "Off")
OPPOSITE = ValueKind(lambda text: not on(text), lambda value: SWITCH.spell(not value))
CHARSET = ValueKind(lambda text: {"on": "iso-8859-1", "off": ""}.get(text.lower(), text), lambda value: value or "Off")
COUNT = ValueKind(count, str)
WHOLE = ValueKind(int, str)
NUMBER = ValueKind(float, "{:g}".format)
TIME = ValueKind(span, _milliseconds)
SECONDS = ValueKind(span, "{:g}".format)
"""A time that Apache counts in whole seconds."""
LIST = ValueKind(lambda text: [each.strip() for each in text.split(",")], ",".join)
ONE = ValueKind(lambda text: [text], ",".join)

Table = dict[str, tuple[str, ValueKind]]
"""Directives or parameters by Apache's name, each with its key of the site and its kind."""

SITE: Table = {
    "ProxyWebsocketIdleTimeout": ("tunnel_timeout", TIME),
    "Timeout": ("general_timeout", TIME),
    "TraceEnable": ("trace", choice({"On": True, "Off": False, "Extended": True})),
    "DocumentRoot": ("document_root", PATH),
}
"""Directives for a whole server."""
SERVER: Table = {
    "ProxyTimeout": ("timeout", TIME),
    "ProxyPreserveHost": ("preserve_host", SWITCH),
    "ProxyAddHeaders": ("add_forwarded", SWITCH),
    "ExpiresActive": ("expires_active", SWITCH),
    "AddDefaultCharset": ("default_charset", CHARSET),
    "UseCanonicalName": ("canonical_name", SWITCH),
    "ProxyVia": ("via", choice({"Off": "off", "On": "on", "Full": "full", "Block": "block"})),
    "AllowEncodedSlashes": ("encoded_slashes", choice({"Off": "refuse", "On": "decode", "NoDecode": "keep"})),
    "MergeSlashes": ("merge_slashes", SWITCH),
    "LimitRequestBody": ("max_body", COUNT),
}
"""Directives that [site], [hosts] or [[locations]] say, each as far as it has the key."""
OF_SECTIONS = {"preserve_host", "add_forwarded", "expires_active", "default_charset", "max_body", "error_override"}
"""The keys that [[locations]] have."""
LIMITS: Table = {
    "LimitRequestLine": ("request_line", COUNT),
    "LimitRequestFieldSize": ("field", COUNT),
    "LimitRequestFields": ("fields", COUNT),
    "KeepAliveTimeout": ("idle_time", TIME),
}
REMOTE_IP: Table = {"RemoteIPHeader": ("client_header", TEXT), "RemoteIPProxiesHeader": ("proxies_header", TEXT)}
LISTENER_TLS: Table = {
    "SSLCACertificateFile": ("client_ca", PATH),
    "SSLVerifyClient": ("client_verify", choice({"none": "off", "optional": "optional", "require": "require"})),
}
UPSTREAM_TLS: Table = {
    "SSLProxyCACertificateFile": ("ca", PATH),
    "SSLProxyMachineCertificateFile": ("cert", PATH),
}

CACHE: Table = {
    "CacheRoot": ("folder", PATH),
    "CacheDefaultExpire": ("default_expire", NUMBER),
    "CacheMinExpire": ("min_expire", NUMBER),
    "CacheMaxExpire": ("max_expire", NUMBER),
    "CacheLastModifiedFactor": ("modified_factor", NUMBER),
    "CacheIgnoreNoLastMod": ("ignore_no_last_mod", SWITCH),
    "CacheIgnoreQueryString": ("ignore_query", SWITCH),
    "CacheIgnoreCacheControl": ("ignore_client", SWITCH),
    "CacheStoreNoStore": ("store_no_store", SWITCH),
    "CacheStorePrivate": ("store_private", SWITCH),
    "CacheStoreExpired": ("store_expired", SWITCH),
    "CacheStaleOnError": ("stale_on_error", SWITCH),
    "CacheMaxFileSize": ("largest", COUNT),
    "CacheLockMaxAge": ("wait", NUMBER),
}
"""Directives of one value that [cache] says."""

MEMBER: Table = {
    "loadfactor": ("weight", NUMBER),
    "route": ("route", TEXT),
    "redirect": ("redirect", TEXT),
    "retry": ("retry", SECONDS),
    "lbset": ("lbset", WHOLE),
    "timeout": ("timeout", SECONDS),
    "connectiontimeout": ("connect_timeout", TIME),
    "max": ("max_connections", WHOLE),
    "ttl": ("ttl", SECONDS),
    "keepalive": ("keepalive", SWITCH),
    "disablereuse": ("disablereuse", SWITCH),
    "enablereuse": ("disablereuse", OPPOSITE),
    "upgrade": ("upgrade", ONE),
}
BALANCER: Table = {
    "lbmethod": ("method", TEXT),
    "maxattempts": ("maxattempts", WHOLE),
    "failonstatus": ("failonstatus", LIST),
    "failontimeout": ("failontimeout", SWITCH),
    "forcerecovery": ("forcerecovery", SWITCH),
    "timeout": ("timeout", SECONDS),
}
STICKY: Table = {
    "stickysession": ("", ValueKind(_session, str)),
    "stickysessionsep": (
        "separator",
        ValueKind(lambda text: "" if text.lower() == "off" else text, lambda text: text or "Off"),
    ),
    "scolonpathdelim": ("scolonpathdelim", SWITCH),
    "nofailover": ("nofailover", SWITCH),
}
HEALTH: Table = {
    "hcinterval": ("interval", TIME),
    "hcpasses": ("passes", WHOLE),
    "hcfails": ("fails", WHOLE),
}
HEALTH_REQUEST: Table = {
    "hcmethod": ("method", ValueKind(lambda text: text.lower().removesuffix("11"), str.upper)),
    "hcuri": ("uri", TEXT),
    "hcexpr": ("expr", TEXT),
}
ROUTE: Table = {
    "mapping": ("mapping", ValueKind(str.lower, str)),
    "timeout": ("timeout", SECONDS),
    "upgrade": ("upgrade", ONE),
}
POOLED = ("max", "ttl", "keepalive", "disablereuse", "enablereuse")
"""Parameters of a member that a plain URL may have as well."""
POOL = {
    *POOLED, "min", "smax", "acquire", "retry", "ping", "flushpackets", "flushwait", "iobuffersize", "addressttl",
    "responsefieldsize", "receivebuffersize", "growth", "nonce", "noquery", "loadfactor", "route", "redirect", "lbset",
    "secret",
}  # fmt: skip
"""What makes no difference to answers, or what a plain URL or a balancer has no use for."""


def handlers(options: Table) -> dict[str, Handler]:
    """A handler for each directive of a table."""
    return {name.lower(): option(key, kind) for name, (key, kind) in options.items()}


def option(key: str, kind: ValueKind) -> Handler:
    """A directive with one value for a whole server, or where [[locations]] have its key for a section."""

    def handler(context: ImportContext, directive: Directive) -> None:
        row = context.location() if context.section is not None and key in OF_SECTIONS else None
        if row is None:
            context.server_only()
        value = kind.read(first(directive))
        if kind is PATH:
            value = context.draft.path(value)
        if row is None:
            context.set(directive, key, value)
        else:
            row.content[key] = value
            row.origins.append(directive)

    return handler


def only(wanted: Any, why: str, otherwise: str = "", read: Callable[[Directive], Any] | None = None) -> Handler:
    """A directive that may say one thing, which is what is done here: ``why`` says so, ``otherwise`` what is lost."""

    def handler(context: ImportContext, directive: Directive) -> None:
        value = first(directive).lower() if read is None else read(directive)
        if value != wanted:
            raise Unsupported(otherwise or why)
        raise Ignored(why)

    return handler


def is_on(directive: Directive) -> bool:
    """Whether its first word is On; it must be On or Off."""
    return on(first(directive))


def by_name(reasons: Mapping[str, str]) -> dict[str, str]:
    """Reasons by the directive: a table has the directives (in lower case, between blanks) of each reason."""
    return {name: why for why, names in reasons.items() for name in names.split()}


def parameters(words: Iterable[str]) -> dict[str, str]:
    """key=value words; a word alone has the value "on"."""
    parts = [text.partition("=") for text in words]
    return {name.lower(): value if equals else "on" for name, equals, value in parts}


def taken(context: ImportContext, given: dict[str, str], options: Table) -> dict[str, Any]:
    """The parameters that are in a table, taken out of ``given``."""
    found: dict[str, Any] = {}
    for name in [name for name in given if name in options]:
        key, kind = options[name]
        text = given.pop(name)
        try:
            value = kind.read(text)
        except (Unsupported, ValueError):
            context.lose(f'"{name}={text}" is not understood')
            continue
        found |= value if isinstance(value, dict) else {key: value}
    return found


def left_over(context: ImportContext, given: Iterable[str]) -> None:
    """What no table has is lost, but for what makes no difference."""
    for name in given:
        if name not in POOL:
            context.lose(f"the parameter {name} has no counterpart")


def given(options: Table, value: Any, default: Any = None) -> Iterator[tuple[str, str]]:
    """Each option that has a value which is not the default, by its first name, with the value spelled."""
    done = set()
    for name, (key, kind) in options.items():
        found = getattr(value, key, None) if key and key not in done else None
        if found is not None and found != getattr(default, key, None):
            done.add(key)
            yield name, kind.spell(found)


def directives(options: Table, value: Any, default: Any = None) -> Lines:
    """The options as directives. Raises Unsayable."""
    return [line(name, text) for name, text in given(options, value, default)]


def words(options: Table, value: Any, default: Any = None) -> list[str]:
    """The options as parameters. Raises Unsayable."""
    return [word(f"{name}={text}") for name, text in given(options, value, default)]
