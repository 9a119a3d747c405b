"""Which row of [[expires]] is for an answer, and what it says of it. The real httpd is asked in tests/conformance."""

from __future__ import annotations

import pytest

from proxy_core.config.model import ExpiryRule, Options, Site
from proxy_core.rules.fields.expiry import dated
from proxy_core.rules.lint.site import lint
from proxy_core.rules.settings import compile_scopes

ROWS = {
    row.type: row
    for row in (
        ExpiryRule(type="image/png", after=10),
        ExpiryRule(type="image/*", after=20, since="modification"),
        ExpiryRule(after=30),
    )
}


@pytest.mark.parametrize(
    ("lines", "of_file", "made"),
    [
        ([b"Content-Type: Image/PNG;q=1"], False,
         [b"Cache-Control: max-age=10", b"Expires: Thu, 01 Jan 1970 00:01:50 GMT"]),
        ([b"Content-Type: text/css"], False, [b"Cache-Control: max-age=30", b"Expires: Thu, 01 Jan 1970 00:02:10 GMT"]),
        ([], False, [b"Cache-Control: max-age=30", b"Expires: Thu, 01 Jan 1970 00:02:10 GMT"]),
        ([b"Content-Type: image/gif", b"Last-Modified: Thu, 01 Jan 1970 00:01:30 GMT"], True,
         [b"Cache-Control: max-age=10", b"Expires: Thu, 01 Jan 1970 00:01:50 GMT"]),
        ([b"Content-Type: image/gif", b"Last-Modified: Thu, 01 Jan 1970 00:00:01 GMT"], True,
         [b"Cache-Control: max-age=0", b"Expires: Thu, 01 Jan 1970 00:01:40 GMT"]),
        ([b"Content-Type: image/gif", b"Last-Modified: Thu, 01 Jan 1970 00:01:30 GMT"], False, []),
        ([b"expires: 0"], False, []),
    ],
)  # fmt: skip
def test_the_row_of_the_type_says_how_long(lines: list[bytes], of_file: bool, made: list[bytes]) -> None:
    assert dated(ROWS, lines, 100, of_file=of_file) == [*lines, *made]


def test_what_is_said_of_caching_already_stays() -> None:
    assert dated(ROWS, [b"Cache-Control: private"], 0)[0] == b"Cache-Control: private, max-age=30"


def test_what_never_changes_is_said_to() -> None:
    row = ExpiryRule(after=30, immutable=True)
    assert dated({"": row}, [], 0)[0] == b"Cache-Control: max-age=30, immutable"


def test_rows_that_act_nowhere_are_told() -> None:
    site = Site(expires=(ExpiryRule(id="e", after=1),))
    assert [each.address for each in lint(site) if each.address[:1] == ("expires",)] == [("expires", "e")]
    site = Site(site=Options(expires_active=True), expires=site.expires)
    assert [each for each in lint(site) if each.address[:1] == ("expires",)] == []
    scopes = compile_scopes(site)
    assert scopes is not None
    assert not scopes.find("", "").edits.steady_answer  # or a head from before would be sent again
