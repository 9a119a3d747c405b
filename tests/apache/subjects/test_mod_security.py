"""Rules of ModSecurity that set variables come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Respond
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.apache.conversions import PROXIED, imported
from tests.deciding import decide

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("SecRule REQUEST_HEADERS:User-Agent \"@pm curl wget\" \"id:1,phase:1,pass,setenv:BOT=1\"", "env",
     [{"name": "BOT", "from": "%{HTTP:User-Agent}", "capture": "(?i)(curl|wget)", "value": "1"}]),
    ("SecRule REQUEST_HEADERS:X-A \"!@rx ^ok$\" \"id:1,pass,setenv:BAD\"", "env",
     [{"name": "BAD", "from": "%{HTTP:X-A}", "capture": r"(?:^ok$)|\A\z", "negate": True, "value": "1"}]),
    ("SecRule REQUEST_HEADERS:X-A \"@rx ^a*$\" \"id:1,pass,setenv:A\"", "env",
     [{"name": "A", "from": "%{HTTP:X-A}", "capture": r"(?!\A\z)(?:^a*$)", "value": "1"}]),
    ("SecRule REQUEST_HEADERS:X-A \"@unconditionalMatch\" \"id:1,pass,setenv:A\"", "env",
     [{"name": "A", "from": "%{HTTP:X-A}", "capture": r"(?s)\A.+\z", "value": "1"}]),
    ("SecRule REQUEST_HEADERS:X-A \"@rx ^a\" \"id:1,pass,t:sha1,t:hexEncode,setenv:A\"", "env", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "fields", "set_"),
    [
        ("!@rx ^ok$", "", False), ("!@rx ^ok$", "X-A: ok\r\n", False), ("!@rx ^ok$", "X-A: no\r\n", True),
        ("@rx ^a*$", "", False), ("@rx ^a*$", "X-A: aa\r\n", True), ("@rx ^a*$", "X-A: b\r\n", False),
        ("@unconditionalMatch", "", False), ("@unconditionalMatch", "X-A: b\r\n", True),
    ],
)  # fmt: skip
def test_a_rule_about_a_field_matches_nothing_where_there_is_none(
    tmp_path: Path, operator: str, fields: str, set_: bool
) -> None:
    rule = f'SecRule REQUEST_HEADERS:X-A "{operator}" "id:1,phase:1,pass,setenv:SEEN"\n'
    text = f"Listen 80\n{rule}RewriteEngine On\nRewriteCond %{{ENV:SEEN}} 1\nRewriteRule ^ - [F]\n{PROXIED}"
    site = parse(imported(tmp_path, text).text).site
    assert site is not None
    head = f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()
    view = RequestView(b"GET", b"/", b"a", "10.0.0.1", head=head)
    decision = decide(compile_site(site, Registry(), 1).program, view, Facts())
    assert isinstance(decision, Respond) == set_
