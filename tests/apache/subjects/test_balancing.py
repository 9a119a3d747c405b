"""Balancers come in and go out with their members."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported, imported, site_of

OUT = [
    ('[balancers.b]\nmethod = "bybusyness"\nsticky = { cookie = "ID", param = "id", separator = "" }\n'
     '[balancers.b.members.m]\nurl = "http://m"\nweight = 3\nrole = "standby"\nstatus = "draining"',
     "<Proxy balancer://b>\n    BalancerMember http://m loadfactor=3 status=+N+H\n"
     "    ProxySet lbmethod=bybusyness stickysession=ID|id stickysessionsep=Off\n</Proxy>"),
]  # fmt: skip

LOST = [
    ("[balancers.b]\nslow_start = 10", "balancers.b.slow_start"),
    ('[balancers.b]\nmethod = "latency"', "balancers.b.method"),
    ("[balancers.b.ejection]\nconsecutive = 3", "balancers.b.ejection"),
    ("[balancers.b]\nqueue = 5", "balancers.b.queue"),
]  # fmt: skip


def test_a_balancer_comes_with_its_members(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        "Listen 1\nProxyPass / balancer://B/ stickysession=ID|id nofailover=On\n<Proxy balancer://B>\n"
        "BalancerMember http://10.0.0.1:80 loadfactor=3 status=+H route=one\nBalancerMember http://b.test/x retry=0\n"
        "ProxySet lbmethod=bybusyness maxattempts=1\n</Proxy>",
    )
    assert site["balancers"] == {
        "b": {
            "method": "bybusyness",
            "maxattempts": 1,
            "sticky": {"cookie": "ID", "param": "id", "nofailover": True},
            "members": {
                "10-0-0-1-80": {"url": "http://10.0.0.1:80", "weight": 3, "role": "standby", "route": "one"},
                "b": {"url": "http://b.test/x", "retry": 0},
            },
        }
    }


def test_a_plain_url_with_bounds_becomes_a_balancer_of_one(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        "Listen 1\nProxyPass / http://h:81/app/ max=2 acquire=1000 timeout=5 smax=1 ping=2 retry=60\n"
        "<Proxy http://h:81/app>\nProxySet keepalive=On\nRequestHeader set A b\n</Proxy>\n"
        "RewriteEngine On\nRewriteRule ^/r/(.*) http://h:81/app/r/$1 [P]",
    )
    assert site["balancers"] == {
        "h-81": {
            "timeout": 1.0,
            "members": {
                "h-81": {
                    "url": "http://h:81",
                    "max_connections": 2,
                    "keepalive": True,
                    "ignore_errors": True,
                    "timeout": 5,
                },
            },
        }
    }
    assert [row["proxy"] for row in site["routes"]] == ["balancer://h-81/app/"]
    assert [row["target"] for row in site["locations"]] == ["balancer://h-81/app"]
    assert [row["substitution"] for row in site["rewrites"]] == ["balancer://h-81/app/r/$1"]


@pytest.mark.parametrize(
    "conf",
    [
        "ProxyPass /a http://h/a retry=0 smax=3 ping=1 max=0 enablereuse=On",
        "ProxyPass /a http://h/a acquire=5",
    ],
)
def test_what_makes_no_difference_to_a_plain_url_leaves_it_one(tmp_path: Path, conf: str) -> None:
    site = site_of(tmp_path, f"Listen 1\n{conf}")
    assert ("balancers" in site, site["routes"][0]["proxy"]) == (False, "http://h/a")


@pytest.mark.parametrize(
    ("conf", "why"),
    [
        ("ProxyPass /a http://h\nProxyPass /b http://h/b max=2", "ignores its parameters"),
        ("ProxyPass /a http://h/a max=2\n<Proxy http://h>\nRequestHeader set A b\n</Proxy>", "is for more than"),
        ("ProxySet http://h/a max=2", "no route and no rule"),
        ("<ProxyMatch ^http://h/a>\nRequire all denied\n</ProxyMatch>\nProxyPass /a http://h/a max=2", "an expression"),
        (
            "<Proxy http://h/a>\nRequire all denied\n</Proxy>\nProxyPass /a http://h/a\n"
            "<VirtualHost *:1>\nServerName b.test\nProxyPass /b http://h/a max=2\n</VirtualHost>",
            "is for more than",
        ),
    ],
)
def test_bounds_without_a_place_are_told(tmp_path: Path, conf: str, why: str) -> None:
    losses = [each.why for each in imported(tmp_path, f"Listen 1\n{conf}\n").report.losses]
    assert len(losses) == 1
    assert why in losses[0]


def test_how_long_a_member_at_its_bound_is_waited_for_goes_out_and_comes_back(tmp_path: Path) -> None:
    for waits, said in (("0", "acquire=1"), ("2", "acquire=2000"), ("86400", "timeout=86400")):
        text = f'[balancers.b]\ntimeout = {waits}\n[balancers.b.members.m]\nurl = "http://m"\nmax_connections = 2'
        out, _ = exported(text, tmp_path)
        assert said in out
        site = site_of(tmp_path, f"Listen 1\n{out}\nProxyPass / balancer://b")
        assert site["balancers"]["b"]["timeout"] == float(waits)
