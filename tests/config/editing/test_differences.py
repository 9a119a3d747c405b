"""An edit that nobody worded is told by the places where the file is another."""

from __future__ import annotations

import tomllib

import pytest

from proxy_core.config.editing.differences import places_in_words

SITE = """\
[listeners.http]
address = ":80"
[[routes]]
path = "/a"
proxy = "balancer://b/"
[[routes]]
path = "/c"
proxy = "balancer://b/"
[balancers.b.members.one]
url = "http://x"
[auth.users]
users = { u = "secret" }
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[listeners.http]", "# a word\n[listeners.http]", "comments alone"),
        ('":80"', '":81"', "listeners.http.address"),
        ('url = "http://x"', 'url = "http://x"\nweight = 2', "balancers.b.members.one.weight"),
        (
            'url = "http://x"',
            'url = "http://x"\n[balancers.b.members.two]\nurl = "http://y"',
            "balancers.b.members.two",
        ),
        ('"/a"\nproxy = "balancer://b/"', '"/a"\nproxy = "balancer://b/x"', "routes.a.proxy"),
        ('[[routes]]\npath = "/c"\nproxy = "balancer://b/"\n', "", "routes.c"),
        ('"secret"', '"other"', "auth.users.users.u"),
        ("[listeners.http]", "[limits]\nbody = 1\n[listeners.http]", "limits"),
        ("[listeners.http]", "[console]\n[listeners.http]", "comments alone"),
        (SITE, "", "listeners, routes, balancers and 1 more"),
    ],
)
def test_the_places_that_changed_are_named(old: str, new: str, words: str) -> None:
    assert old in SITE
    assert places_in_words(tomllib.loads(SITE), tomllib.loads(SITE.replace(old, new))) == words


def test_rows_in_another_order_are_a_change_of_their_list() -> None:
    data = tomllib.loads(SITE)
    turned = {**data, "routes": data["routes"][::-1]}
    assert places_in_words(data, turned) == "routes"
