"""Rows of [[headers]] and [[errors]] that cannot be are told with their place."""

from __future__ import annotations

import pytest

from proxy_core.config.model import ErrorPage, HeaderRule, Site
from proxy_core.rules.lint.site import lint

LINTED = [
    (HeaderRule(id="h", name="Content-Length", value="1"), "name", "the proxy writes it itself"),
    (HeaderRule(id="h", name="Connection", action="unset"), "name", "the proxy writes it itself"),
    (HeaderRule(id="h", on="request", name="Host", action="unset"), "name", "exactly one Host"),
    (HeaderRule(id="h", value="x"), "", "does not name a field"),
    (HeaderRule(id="h", name="X", action="edit"), "pattern", "needs a pattern"),
    (HeaderRule(id="h", name="X", action="edit", pattern="("), "pattern", "at character"),
    (HeaderRule(id="h", name="X", value="a\nb"), "value", "control character"),
    (HeaderRule(id="h", name="X", value="50%"), "value", "begins no format"),
    (HeaderRule(id="h", name="X", value="expr=%{"), "value", ""),
    (HeaderRule(id="h", name="X", value="a", expr="1 =="), "expr", ""),
    (HeaderRule(id="h", name="X", value="n", action="note", on="request"), "action", "for answers"),
    (HeaderRule(id="h", name="X", action="note"), "value", "no name"),
    (HeaderRule(id="h", name="X", value="a", early=True), "early", "not there before the rules"),
    (HeaderRule(id="h", name="Host", value="a", early=True, on="request"), "early", "told apart by Host"),
    (HeaderRule(id="h", name="X", value="a", early=True, on="request", env="v"), "env", "nothing is known of env"),
    (HeaderRule(id="h", name="X", value="a", route="none"), "route", 'no route "none"'),
    (HeaderRule(id="h", name="X", value="a", host="none"), "host", 'no host "none"'),
    (HeaderRule(id="h", name="X", value="a", location="none"), "location", 'no location "none"'),
]


@pytest.mark.parametrize(("row", "key", "what"), LINTED)
def test_a_row_that_cannot_be_is_told_with_its_place(row: HeaderRule, key: str, what: str) -> None:
    found = [each for each in lint(Site(headers=(row,))) if each.severity == "error"]
    assert [each.address for each in found] == [("headers", "h", key) if key else ("headers", "h")]
    assert what in found[0].what


@pytest.mark.parametrize("said", ["200", "6xx", "x", "", "40", "4040"])
def test_other_statuses_are_told(said: str) -> None:
    page = ErrorPage(id="e", status=(said,), text="x")
    assert [each.address for each in lint(Site(errors=(page,))) if each.severity == "error"] == [
        ("errors", "e", "status")
    ]
