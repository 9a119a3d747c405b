"""What rules cost a request: ``python -m benchmarks.rules`` (a few seconds, no network).

Microseconds of CPU that the whole way of deciding takes, with nothing remembered, the best of several rounds: for sites
with ever more routes, and with ever more rewrite rules that do not take the request, of the kinds that people write.
The last rule forwards. A site that has nothing but routes shows what the rest costs those who do not use it.
"""

from __future__ import annotations

from time import process_time

from proxy_core.config.model import RewriteCond, RewriteRule, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry

ROUNDS, CALLS = 7, 2_000
HEAD = b"GET /app/page?x=1 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

KINDS = {
    "literal prefix": lambda n: RewriteRule(id=f"r{n}", pattern=f"^/old{n}/(.*)$", flags=("F",)),
    "no prefix": lambda n: RewriteRule(id=f"r{n}", pattern=f"\\.old{n}$", flags=("F",)),
    "PCRE alone": lambda n: RewriteRule(id=f"r{n}", pattern=f"/[[:digit:]]+old{n}$", flags=("F",)),
    "condition": lambda n: RewriteRule(
        id=f"r{n}",
        pattern="^/app/",
        flags=("F",),
        conditions=(RewriteCond(id="c", test="%{HTTP_USER_AGENT}", pattern=f"bot{n}"),),
    ),
}


def cost(site: Site) -> float:
    """Microseconds of one decision."""
    program = compile_site(site, Registry(), 1).program
    view = RequestView(b"GET", b"/app/page?x=1", b"shop.test", "127.0.0.1", head=HEAD)
    host = program.host_of(view)
    assert isinstance(host.decided(view, Facts()), Forward)
    best = float("inf")
    for _ in range(ROUNDS):
        began = process_time()
        for _ in range(CALLS):
            host.decided(view, Facts())
        best = min(best, process_time() - began)
    return best / CALLS * 1e6


def main() -> None:
    last = Route(id="last", path="/", proxy="http://127.0.0.1:8000/")
    for count in (10, 1_000, 10_000):
        rows = tuple(Route(id=f"r{n}", path=f"/s{n % 100}/p{n}", proxy="http://127.0.0.1:8000/x") for n in range(count))
        print(f"{count:>6} routes                      {cost(Site(routes=(*rows, last))):8.2f} µs")
    forward = RewriteRule(id="last", pattern="^/app/(.*)$", substitution="http://127.0.0.1:8000/$1", flags=("P",))
    for name, make in KINDS.items():
        for count in (0, 10, 100):
            site = Site(rewrites=(*(make(n) for n in range(count)), forward))
            print(f"{count:>6} rules, {name:<18}  {cost(site):8.2f} µs")


if __name__ == "__main__":
    main()
