"""What-if: where kept requests would go, who would have them, whose session moves; and what cannot be told."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from proxy_core.balance.choosing import choose
from proxy_core.config.reading.document import parse
from proxy_core.control.explaining.what_if import TriedRules, foresee
from proxy_core.control.foreseen import Foreseen, in_words
from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet

SITE = """\
version = 1
[listeners.http]
address = "127.0.0.1:80"
[[rewrites]]
id = "old"
pattern = "^/old/(.*)"
substitution = "/item/$1"
flags = ["PT"]
[[routes]]
id = "api"
path = "/api"
proxy = "balancer://api/api"
[[routes]]
id = "all"
path = "/"
proxy = "balancer://shop/"
[balancers.shop.members.a]
url = "http://h1:1"
route = "a"
[balancers.shop.members.b]
url = "http://h2:1"
route = "b"
[balancers.api.members.x]
url = "http://h3:1"
"""


def rules(text: str = SITE, registry: Registry | None = None) -> RuleSet:
    document = parse(text, "site.toml")
    assert document.site is not None, document.problems
    return compile_site(document.site, registry or Registry(), 1)


def came(target: str, n: int = 0, *fields: str, **more: Any) -> Exchange:
    """A request that was finished: one every 10 ms, each 5 ms long."""
    lines = [f"GET {target} HTTP/1.1", "Host: shop", *fields, "", ""]
    head = "\r\n".join(lines).encode()
    view = RequestView(b"GET", target.encode(), b"shop", "192.0.2.1", "http", head, Connection("http"))
    at = 100.0 + n / 100
    return Exchange(SERVING, view, head, "1.1", at, at, answered=at + 0.004, finished=at + 0.005, status=200, **more)


SERVING = rules()


def nothing(name: str, key: str) -> tuple[bool, str | None]:
    return False, None


def seen(requests: list[Exchange], text: str, before: str = SITE, **more: Any) -> Foreseen:
    sides = TriedRules(rules(before), nothing), TriedRules(rules(text), more.pop("ask", nothing), **more)
    return asyncio.run(foresee(requests, *sides, lambda key: None, 200.0))


def test_requests_that_would_go_elsewhere_are_told_from_where_to_where_with_samples() -> None:
    requests = [came(f"/old/{n}?token=s3cret", n) for n in range(37)] + [came(f"/x/{n}", 50 + n) for n in range(63)]
    found = seen(requests, SITE.replace("/item/$1", "/api/$1"))
    assert (found.judged, found.elsewhere, found.unjudged) == (100, 37, 0)
    (way,) = found.ways
    assert (way.before, way.after, way.requests) == ("shop", "api", 37)
    assert way.samples[0] == "GET shop/old/0?token=(masked) → /api/0?token=(masked)"
    assert in_words(found)[0] == "37 of 100 requests (37.0 %) would go elsewhere."


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("/item/$1", "/thing/$1", "shop /item/{n}", "shop /thing/{n}"),
        ('flags = ["PT"]', 'flags = ["R=301"]', "shop", "301 http://shop/item/{n}"),
        ('flags = ["PT"]', 'flags = ["F"]', "shop", "403"),
    ],
)
def test_places_are_told_as_far_apart_as_one_has_to_look(old: str, new: str, before: str, after: str) -> None:
    found = seen([came("/old/7")], SITE.replace(old, new))
    assert [(way.before, way.after) for way in found.ways] == [(before, after)]


def test_a_change_of_nothing_moves_nothing_and_who_is_out_gets_nothing() -> None:
    found = seen([came("/x", n) for n in range(10)], SITE)
    assert (found.elsewhere, [(m.member, m.before, m.after) for m in found.members]) == (0, [("a", 5, 5), ("b", 5, 5)])
    real = Registry()
    state = rules(registry=real).pools["shop"].members[0].state
    state.failing = True
    sides = TriedRules(rules(), nothing), TriedRules(rules(), nothing)
    out = asyncio.run(foresee([came("/x", n) for n in range(10)], *sides, real.members.get, 200.0))
    assert [(m.member, m.after) for m in out.members] == [("b", 10)]
    assert (state.busy, state.elected, state.lbstatus) == (0, 0, 0)


WEIGHED = SITE.replace('route = "a"', 'route = "a"\nweight = 3')
HASH = 'version = 1\n[balancers.shop]\nmethod = "hash"\nkey = "%{HTTP:X-User}"\n'


@pytest.mark.parametrize("method", ["byrequests", "hash"])
def test_what_is_foreseen_of_a_weight_is_what_then_happens(method: str) -> None:
    by = (lambda text: text.replace("version = 1\n", HASH)) if method == "hash" else (lambda text: text)
    requests = [came(f"/x/{n}", n, f"X-User: u{n % 400}") for n in range(2000)]
    found = seen(requests, by(WEIGHED), by(SITE))
    pool = rules(by(WEIGHED)).pools["shop"]
    really = Counter[str]()
    for n in range(2000, 4000):  # others that come later
        member = choose(pool, 1000.0 + n, (), "", f"u{n % 400}".encode() if method == "hash" else b"")
        assert member is not None
        really[member.key.member] += 1
    for each in found.members:
        assert abs(each.after - really[each.member]) <= 0.02 * 2000


def test_the_share_of_keys_and_sessions_that_move_is_told() -> None:
    requests = [came(f"/x/{n}", n, f"X-User: u{n % 400}") for n in range(2000)]
    (keys,) = seen(requests, SITE.replace("version = 1\n", HASH).replace('"b"', '"b"\nweight = 3'),
                   SITE.replace("version = 1\n", HASH)).sessions  # fmt: skip
    assert keys.sessions == 400
    assert 0.15 < keys.moved / keys.sessions < 0.35, "half become three quarters"
    sticky = SITE.replace("version = 1\n", 'version = 1\n[balancers.shop]\nsticky = { cookie = "R" }\n')
    asked = [came("/x", n, f"Cookie: R=s{n % 10}.{'ab'[n % 2]}") for n in range(100)]
    (moved,) = seen(asked, sticky.replace('route = "a"', 'route = "a"\nstatus = "disabled"'), sticky).sessions
    assert (moved.moved, moved.sessions) == (5, 10)
    (none,) = seen(asked, sticky.replace('route = "a"', 'route = "a"\nweight = 9'), sticky).sessions
    assert (none.moved, none.sessions) == (0, 10)


MAPPED = SITE.replace("/item/$1", "/${m:$1|none}") + '[maps.m]\ntype = "txt"\nfile = "m.txt"\n'


def test_a_request_whose_rules_ask_for_what_is_lost_is_counted_as_not_judged() -> None:
    known = Facts({("map", "m", "7"): "api"})
    requests = [came("/old/7", facts=known), came("/old/8")]
    same = seen(requests, MAPPED, MAPPED)
    assert (same.judged, same.elsewhere, same.unjudged) == (1, 0, 1)
    assert "1 requests cannot be judged" in "\n".join(in_words(same))
    changed = seen(requests[:1], MAPPED, MAPPED, ask=lambda name, key: (True, "other"), anew={"m"})
    assert [(way.before, way.after) for way in changed.ways] == [("api", "shop")]


def test_of_a_method_that_goes_by_load_the_faster_member_has_more_as_it_had_then() -> None:
    busy = SITE.replace("version = 1\n", 'version = 1\n[balancers.shop]\nmethod = "bybusyness"\n')
    a, b = SERVING.pools["shop"].members
    requests = [came("/x", n, member=(a, b)[n % 2]) for n in range(1000)]
    for each in requests:
        each.finished = each.started + (0.02 if each.member is a else 0.2)
    found = seen(requests, busy, busy)
    assert found.by_load == ("shop",)
    share = {each.member: each.after for each in found.members}
    assert 850 < share["a"] < 950, "as many times more as it is faster"
