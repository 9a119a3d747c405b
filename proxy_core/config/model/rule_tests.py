"""[[tests]]: requests, and what the rules are to make of them."""

from typing import Annotated

from msgspec import Meta

from proxy_core.config.model.site_table import SiteRow
from proxy_core.config.model.types import example, fitting


class RuleTest(SiteRow, frozen=True, kw_only=True):
    """[[tests]]: a request, and what is to become of it. `rproxy test` asks all of them and says which come out
    otherwise; nothing is sent to members. What a row does not name may be anything.

    [[tests]]
    request = "GET http://shop.example/old/7"
    status = 301
    location = "https://shop.example/item/7"

    [[routes]]
    path = "/api"
    proxy = "balancer://api"

    [balancers.api.members.a]
    url = "http://127.0.0.1:8001"

    [[tests]]
    request = "POST /api/orders"
    fields = ["Content-Type: application/json"]
    pool = "api"
    target = "/orders"
    """

    request: Annotated[str, fitting(r"^([!-~]+ )?(/|https?://)[^\s]*\Z", 'a URL or path, with a method before it'),
                       example("GET http://shop.example/item/7")]  # fmt: skip
    """Method and URL, as `rproxy explain` takes them; without a method it is a GET. A URL's host and port stand for the
    Host field and the listener."""

    fields: Annotated[tuple[str, ...], example(["Cookie: theme=dark"])] = ()
    """Lines of its head."""

    client: Annotated[str, example("203.0.113.7")] = "127.0.0.1"
    """The address that it comes from."""

    listener: str = ""
    """Name of the listener that it comes in at; without it the one that the URL's port tells, or the first."""

    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    """The status that it is answered with here: of a redirect, a page, a refusal."""

    location: Annotated[str, example("https://shop.example/item/7")] = ""
    """Where it is redirected to."""

    pool: Annotated[str, example("shop")] = ""
    """The balancer that it is forwarded to, or the origin of a server ("http://127.0.0.1:8001")."""

    member: Annotated[str, example("a")] = ""
    """The member of it, where there is no choice: the only one, or that of the request's session."""

    target: Annotated[str, example("/orders?id=7")] = ""
    """Path and query that are forwarded; a member of a balancer puts its own base path before them."""

    rule: Annotated[str, example("old-pages")] = ""
    """Id of the row that decides: a route, or a rewrite rule."""
