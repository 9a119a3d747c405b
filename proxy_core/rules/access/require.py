"""The conditions that may stand behind Require, by their first word (mod_authz_core, mod_authz_host).

A condition is made of its words once; words that are none raise ValueError with a sentence. Then it says of each
request whether it grants, denies, or denies for want of a user. Where nobody knows the client, or in time its name, a
condition on these denies, and so does its negation. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from proxy_core.rules.access.networks import parse, subnet, within
from proxy_core.rules.expression.evaluation import ExprError, ExprFailure, compile_expr
from proxy_core.rules.text.variables import Scope


class AccessVerdict(Enum):
    """What a condition says of a request; the values are for people."""

    GRANTED = "granted"
    DENIED = "denied"
    NEUTRAL = "nothing"
    UNKNOWN = "denied, for nobody knows the client"
    WANTS_USER = "denied without a user"


Check = Callable[[Scope], AccessVerdict]


def _granted(holds: object) -> AccessVerdict:
    return AccessVerdict.GRANTED if holds else AccessVerdict.DENIED


def _all(arguments: list[str]) -> Check:
    words = [each.lower() for each in arguments]
    if words not in (["granted"], ["denied"]):
        raise ValueError("write all granted or all denied")
    verdict = _granted(words == ["granted"])
    return lambda scope: verdict


def _some(what: str, arguments: Sequence[str]) -> None:
    if not arguments:
        raise ValueError(f"there is no {what} behind it")


def _ip(arguments: list[str]) -> Check:
    _some("address", arguments)
    networks = [subnet(each) for each in arguments]
    return _of_client(lambda scope: any(within(scope.view.client, network) for network in networks))


def _of_client(holds: Callable[[Scope], bool]) -> Check:
    """A condition on the client's address."""
    return lambda scope: _granted(holds(scope)) if scope.view.client else AccessVerdict.UNKNOWN


_OURS = (subnet("127.0.0.0/8"), subnet("::1"))


def _local(arguments: list[str]) -> Check:
    if arguments:
        raise ValueError("nothing stands behind local")

    def holds(scope: Scope) -> bool:
        client = scope.view.client
        return client == scope.view.connection.address or any(within(client, each) for each in _OURS)

    return _of_client(holds)


def _host(arguments: list[str]) -> Check:
    """Names of hosts, and of domains with all below them (``in_domain`` in mod_authz_host.c)."""
    _some("name", arguments)
    names = [each.lower() for each in arguments]

    def check(scope: Scope) -> AccessVerdict:
        name = scope.fact("host", "", scope.view.client) if scope.view.client else None
        return AccessVerdict.UNKNOWN if name is None else _granted(any(_in_domain(name, each) for each in names))

    return check


def _forward_dns(arguments: list[str]) -> Check:
    """Names that lead to the client's address, whatever name it has itself (``forward_dns_check_authorization``)."""
    _some("name", arguments)
    names = [each.lower() for each in arguments]

    def check(scope: Scope) -> AccessVerdict:
        client, unknown = parse(scope.view.client), False
        if client is None:
            return AccessVerdict.UNKNOWN
        for name in names:
            leads_to = scope.fact("addresses", "", name)
            if leads_to is not None and client in map(parse, leads_to.split()):
                return AccessVerdict.GRANTED
            unknown = unknown or leads_to is None
        return AccessVerdict.UNKNOWN if unknown else AccessVerdict.DENIED

    return check


def _in_domain(name: str, domain: str) -> bool:
    return name == domain or (name.endswith(domain) and (domain[0] == "." or name[-len(domain) - 1] == "."))


def _method(arguments: list[str]) -> Check:
    """HEAD is GET to httpd."""
    _some("method", arguments)
    methods = {b"GET" if each == "HEAD" else each.encode("latin-1") for each in arguments}
    return lambda scope: _granted((b"GET" if scope.view.method == b"HEAD" else scope.view.method) in methods)


def _env(arguments: list[str]) -> Check:
    _some("variable", arguments)
    names = [each.lower() for each in arguments]
    return lambda scope: _granted(any(name in scope.env for name in names))


_OF_CLIENT = re.compile(r"(?<!\w)-R\b|\b(?i:REMOTE_ADDR|REMOTE_HOST)\b")
"""What in an expression is about the client's address."""


def _expression(arguments: list[str]) -> Check:
    text = arguments[0]
    try:
        compiled = compile_expr(text)
    except ExprError as wrong:
        raise ValueError(f"the expression {text} is none: {wrong}") from wrong
    wants = re.search(r"\bREMOTE_USER\b", text, re.IGNORECASE) is not None
    of_client = _OF_CLIENT.search(text) is not None

    def check(scope: Scope) -> AccessVerdict:
        if of_client and not scope.view.client:
            return AccessVerdict.UNKNOWN
        try:
            if compiled.truth(scope):
                return AccessVerdict.GRANTED
        except ExprFailure:
            return AccessVerdict.DENIED
        return AccessVerdict.WANTS_USER if wants and not scope.user else AccessVerdict.DENIED

    return check


def _valid_user(arguments: list[str]) -> Check:
    if arguments:
        raise ValueError("nothing stands behind valid-user")
    return lambda scope: AccessVerdict.GRANTED if scope.user else AccessVerdict.WANTS_USER


def _user(arguments: list[str]) -> Check:
    _some("user", arguments)
    names = frozenset(arguments)
    return lambda scope: _granted(scope.user in names) if scope.user else AccessVerdict.WANTS_USER


KINDS: Mapping[str, Callable[[list[str]], Check]] = {
    "all": _all,
    "ip": _ip,
    "local": _local,
    "host": _host,
    "forward-dns": _forward_dns,
    "method": _method,
    "env": _env,
    "expr": _expression,
    "user": _user,
    "valid-user": _valid_user,
}
"""Conditions by their first word."""


def wants_user(text: str) -> bool:
    """Whether a condition can be about a user; for lint."""
    return re.search(r"^(?:not\s+)?(?:user|valid-user)\b|REMOTE_USER", text.strip(), re.IGNORECASE) is not None
