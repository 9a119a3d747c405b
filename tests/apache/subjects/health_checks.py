"""Checks of members go out."""

from __future__ import annotations

OUT = [
    ('[balancers.b.health]\nmethod = "head"\nuri = "/up"\nexpect = ["204"]\n[balancers.b.members.m]\nurl = "http://m"',
     "ProxyHCExpr b-check {%{REQUEST_STATUS} -eq 204}\n<Proxy balancer://b>\n"
     "    BalancerMember http://m hcmethod=HEAD hcuri=/up hcexpr=b-check"),
]  # fmt: skip
