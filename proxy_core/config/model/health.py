"""The part of the model that says how members are asked whether they are well, and where the numbers are read.

The words of checks are those of httpd's mod_proxy_hcheck (hcmethod, hcuri, hcinterval, hcpasses, hcfails, hcexpr). As
in ``model``, every field carries its manual; what needs more than one field is checked in ``rules.lint.health_checks``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.types import Seconds

CheckMethod = Literal["none", "tcp", "head", "get", "options"]

_Times = Annotated[int, Meta(ge=1, le=1000)]


class HealthCheck(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[balancers.NAME.health]: every member is asked at intervals whether it is well. One that is not gets no requests
    until it is again, not even when all are out. Stopped members are not asked."""

    method: Annotated[
        CheckMethod,
        Meta(
            description="tcp: it accepts a connection; head, get, options: it answers such a request well; none: no "
            "checks. Apache: hcmethod.",
        ),
    ] = "tcp"
    uri: Annotated[
        str,
        Meta(
            pattern=r"^(/[!-~]*|\*)\Z",
            extra={"wanted": 'a path that begins with a slash, or "*" with options', "example": "/health"},
            description='What is asked for, behind the path of the member\'s URL; "*", with options, is the server as '
            "a whole. Apache: hcuri, which it leaves out with options.",
        ),
    ] = "/"
    interval: Annotated[
        float,
        Meta(
            ge=0.1,
            le=86_400,
            description="Seconds from one check of a member to its next, give or take a tenth, so that the checks of "
            "many members and proxies spread out. Apache: hcinterval.",
        ),
    ] = 30.0
    timeout: Annotated[
        Seconds, Meta(description="Seconds that a check may take, connecting included; longer is a failure.")
    ] = 5.0
    passes: Annotated[
        _Times,
        Meta(description="Checks in a row that must pass before a member gets requests again. Apache: hcpasses."),
    ] = 1
    fails: Annotated[
        _Times,
        Meta(description="Checks in a row that must fail before a member gets none any more. Apache: hcfails."),
    ] = 1
    expect: Annotated[
        tuple[str, ...],
        Meta(
            extra={"example": ["200", "204"]},
            description='Statuses of a good answer; each is one ("200") or a range ("200-399").',
        ),
    ] = ("200-399",)
    expr: Annotated[
        str | None,
        Meta(
            extra={"example": "hc('body') =~ /ready/"},
            description="Expression that holds for a good answer, instead of expect: it has %{REQUEST_STATUS}, "
            "resp('Field') and, of the body's first 64 KiB, hc('body'). Apache: hcexpr.",
        ),
    ] = None


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[metrics]: numbers for Prometheus, at /metrics of a listener of their own."""

    address: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "127.0.0.1:9090"},
            description="Address and port to listen on, of this machine alone (127.0.0.1, ::1, localhost): whoever "
            "reaches it may read the names and the load of everything.",
        ),
    ]
