"""[balancers.NAME.health]: how members are asked whether they are well.

The words are those of httpd's mod_proxy_hcheck (hcmethod, hcuri, hcinterval, hcpasses, hcfails, hcexpr). What needs
more than one field is checked in ``rules.lint.health_checks``.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import Seconds, example, fitting

CheckMethod = Literal["none", "tcp", "head", "get", "options"]
CheckedUri = Annotated[str, fitting(r"^(/[!-~]*|\*)\Z", 'a path that begins with a slash, or "*" with options')]
InARow = Annotated[int, Meta(ge=1, le=1000)]


class HealthCheck(SiteTable, frozen=True, kw_only=True):
    """[balancers.NAME.health]: every member is asked at intervals whether it is well. One that is not gets no requests
    until it is again, not even when all are out. Stopped members are not asked.

    [balancers.shop.health]
    method = "get"
    uri = "/health"
    interval = 5
    fails = 2
    """

    method: CheckMethod = "tcp"
    """tcp: it accepts a connection; head, get, options: it answers such a request well; none: no checks. Apache:
    hcmethod."""

    uri: Annotated[CheckedUri, example("/health")] = "/"
    """What is asked for, behind the path of the member's URL; "*", with options, is the server as a whole. Apache:
    hcuri, which it leaves out with options."""

    interval: Annotated[float, Meta(ge=0.1, le=86_400)] = 30.0
    """Seconds from one check of a member to its next, give or take a tenth, so that the checks of many members and
    proxies spread out. Apache: hcinterval."""

    timeout: Seconds = 5.0
    """Seconds that a check may take, connecting included; longer is a failure."""

    passes: InARow = 1
    """Checks in a row that must pass before a member gets requests again. Apache: hcpasses."""

    fails: InARow = 1
    """Checks in a row that must fail before a member gets none any more. Apache: hcfails."""

    expect: Annotated[tuple[str, ...], example(["200", "204"])] = ("200-399",)
    """Statuses of a good answer; each is one ("200") or a range ("200-399")."""

    expr: Annotated[str | None, example("hc('body') =~ /ready/")] = None
    """Expression that holds for a good answer, instead of expect: it has %{REQUEST_STATUS}, resp('Field') and, of the
    body's first 64 KiB, hc('body'). Apache: hcexpr."""
