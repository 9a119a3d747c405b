"""Parameters of ProxyPass, BalancerMember and ProxySet, as tables: what each means for a plain URL, for a member, for a
balancer (``set_worker_param`` and ``set_balancer_param`` in modules/proxy/mod_proxy.c).

Parameters about pools of connections make no difference here and are passed over; others that no table has are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proxy_core.apache.draft import Here, Unsupported
from proxy_core.apache.table import span

_ON = {"on": True, "off": False}


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Unsupported(f'"{value}" is no number') from None


def _on(value: str) -> bool:
    if value.lower() not in _ON:
        raise Unsupported(f'"{value}" is neither On nor Off')
    return _ON[value.lower()]


def _statuses(value: str) -> list[str]:
    return [each.strip() for each in value.split(",")]


def _sticky(value: str) -> dict[str, str]:
    cookie, _, param = value.partition("|")
    return {"cookie": cookie, "param": param or cookie}


Parameter = tuple[str, Callable[[str], Any]]
MEMBER: dict[str, Parameter] = {
    "loadfactor": ("weight", _number),
    "route": ("route", str),
    "redirect": ("redirect", str),
    "retry": ("retry", span),
    "lbset": ("lbset", int),
    "timeout": ("timeout", span),
    "connectiontimeout": ("connect_timeout", span),
    "max": ("max_connections", int),
    "ttl": ("ttl", span),
    "keepalive": ("keepalive", _on),
    "disablereuse": ("disablereuse", _on),
    "enablereuse": ("disablereuse", lambda value: not _on(value)),
    "upgrade": ("upgrade", lambda value: [value]),
}
BALANCER: dict[str, Parameter] = {
    "lbmethod": ("method", str),
    "maxattempts": ("maxattempts", int),
    "failonstatus": ("failonstatus", _statuses),
    "failontimeout": ("failontimeout", _on),
    "forcerecovery": ("forcerecovery", _on),
    "timeout": ("timeout", span),
}
STICKY: dict[str, Parameter] = {
    "stickysession": ("", _sticky),
    "stickysessionsep": ("separator", lambda value: "" if value.lower() == "off" else value),
    "scolonpathdelim": ("scolonpathdelim", _on),
    "nofailover": ("nofailover", _on),
}
HEALTH: dict[str, Parameter] = {
    "hcmethod": ("method", lambda value: value.lower().removesuffix("11")),
    "hcuri": ("uri", str),
    "hcinterval": ("interval", span),
    "hcpasses": ("passes", int),
    "hcfails": ("fails", int),
    "hcexpr": ("expr", str),
    "hctemplate": ("", str),
}
ROUTE: dict[str, Parameter] = {"timeout": ("timeout", span), "upgrade": ("upgrade", lambda value: [value]),
                               "mapping": ("mapping", str.lower)}  # fmt: skip
POOL = {
    "min", "max", "smax", "ttl", "acquire", "flushpackets", "flushwait", "iobuffersize", "responsefieldsize",
    "keepalive", "disablereuse", "enablereuse", "addressttl", "retry", "growth", "nonce", "receivebuffersize", "ping",
    "noquery", "loadfactor", "route", "redirect", "lbset", "secret",
}  # fmt: skip
"""What says how connections are pooled, or what a plain URL has no use for."""


def parameters(words: tuple[str, ...]) -> dict[str, str]:
    """key=value words; a word alone has the value "on"."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        found[name.lower()] = value if equals else "on"
    return found


def taken(here: Here, given: dict[str, str], table: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters that are in a table, taken out of ``given``."""
    found: dict[str, Any] = {}
    for name in [name for name in given if name in table]:
        key, read = table[name]
        value = given.pop(name)
        try:
            made = read(value)
        except (Unsupported, ValueError):
            here.lose(f'"{name}={value}" is not understood')
            continue
        found |= made if isinstance(made, dict) else {key: made}
    return found


def left_over(here: Here, given: dict[str, str]) -> None:
    for name in given:
        if name not in POOL:
            here.lose(f"the parameter {name} has no counterpart")
