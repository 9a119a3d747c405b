"""Made-up requests for the tests of screens: seeded, plausible, some of them slow or failing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from proxy_core.config.model import Route, Site
from proxy_core.control.watching.log_records import Record

TRAFFIC = (  # weight, method, path, route
    (30, "GET", "/service/cart/{n}", "service"),
    (20, "GET", "/api/orders/{n}?expand=lines,customer&locale=en-GB", "api"),
    (10, "POST", "/api/orders", "api"),
    (14, "GET", "/assets/css/site.{n}.css", "assets"),
    (8, "GET", "/assets/img/catalogue/2026/autumn/very-long-name-of-a-product-picture-{n}.webp", "assets"),
    (3, "GET", "/service/index.php", "no-index"),
    (3, "GET", "/status", "status"),
    (10, "GET", "/", "root"),
    (2, "DELETE", "/api/orders/{n}", "api"),
)
CLIENTS = ("192.0.2.17", "198.51.100.4", "203.0.113.250", "127.0.0.1", "2001:db8::17")


def asked_at(at: float, number: int, site: Site, chance: random.Random) -> Record:
    """A request that no route takes, or that its route has still to answer."""
    _, method, path, row = chance.choices(TRAFFIC, [row[0] for row in TRAFFIC])[0]
    return Record(
        number=number, at=at, client=chance.choice(CLIENTS), method=method,
        target=path.format(n=chance.randint(1, 99_999)), host="shop.example", version="1.1", status=404,
        received=chance.randint(40, 4000) if method == "POST" else 0, sent=196,
        route=row if any(route.id == row and route.enabled for route in site.routes) else "",
        balancer="", member="", attempts=0, generation=0, waited=-1.0, first=-1.0,
        total=0.0002, cause="no route takes this path", referer="", user_agent="curl/8.14.1",
    )  # fmt: skip


def answer(
    asked: Record, site: Site, elect: Callable[[Route], tuple[str, str]], chance: random.Random
) -> dict[str, Any]:
    """What becomes of a request, as fields of its Record; ``elect`` gives balancer and member, "" for none."""
    route = next((route for route in site.routes if route.id == asked.route), None)
    if route is None:
        return {}
    if route.except_:
        return {"cause": f'excepted by route "{route.id}"'}
    balancer, member = elect(route)
    if not member:
        cause = f'no member of balancer "{balancer}" can take it'
        return {"balancer": balancer, "status": 503, "sent": 299, "total": 0.0004, "cause": cause}
    waited = chance.uniform(0.00005, 0.002)
    first = waited + chance.lognormvariate(-4.2, 0.7) * (4 if member == "green" else 1)
    done = {
        "balancer": balancer, "member": member, "attempts": 1, "cause": "", "waited": waited, "first": first,
        "status": {"POST": 201, "DELETE": 204}.get(asked.method, 200), "total": first + chance.uniform(0, 0.003),
        "sent": int(chance.lognormvariate(8.2, 1.4)),
    }  # fmt: skip
    odd: tuple[dict[str, Any], ...] = (
        {"status": 504, "sent": 299, "first": -1.0, "total": 2.0, "cause": "no answer within 2 s (timeout)"},
        {"status": 499, "sent": 0, "cause": "the client left before the answer"},
        {"status": 500},
        {"status": 304, "sent": 0},
        {"status": 404},
        {"first": first + 1.5, "total": first + 1.51, "attempts": 2},
        {},
    )
    return done | chance.choices(odd, (1, 1, 2, 4, 2, 2, 88))[0]
