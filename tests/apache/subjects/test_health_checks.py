"""Checks of members go out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported

OUT = [
    ('[balancers.b.health]\nmethod = "head"\nuri = "/up"\nexpect = ["204"]\n[balancers.b.members.m]\nurl = "http://m"',
     "ProxyHCExpr b-check {%{REQUEST_STATUS} -eq 204}\n<Proxy balancer://b>\n"
     "    BalancerMember http://m hcmethod=HEAD hcuri=/up hcexpr=b-check"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), OUT)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []
