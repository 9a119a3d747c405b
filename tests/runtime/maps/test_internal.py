"""Internal functions give what httpd's give; the rows are ap_escape_uri and ap_unescape_url of server/util.c."""

from __future__ import annotations

import pytest

from proxy_core.runtime.maps.functions import FUNCTIONS


@pytest.mark.parametrize(
    ("function", "key", "value"),
    [
        ("toupper", "a\xe9Z1", "A\xe9Z1"),
        ("tolower", "A\xc9z1", "a\xc9z1"),
        ("toupper", "", ""),
        ("escape", "/a b?c#d%e", "/a%20b%3fc%23d%25e"),
        ("escape", "Az09$-_.+!*'(),:;@&=/~", "Az09$-_.+!*'(),:;@&=/~"),
        ("escape", '"<>[\\]^`{|}\x7f\xff', "%22%3c%3e%5b%5c%5d%5e%60%7b%7c%7d%7f%ff"),
        ("unescape", "%41%2f%C3%a9+", "A/\xc3\xa9+"),
        ("unescape", "%zz%4", "%zz%4"),
        ("unescape", "a%00b", "a"),
    ],
)
def test_an_internal_function(function: str, key: str, value: str) -> None:
    assert FUNCTIONS[function](key) == value
