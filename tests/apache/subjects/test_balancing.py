"""Balancers come in and go out with their members."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import site_of

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
