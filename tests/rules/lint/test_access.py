"""A list of addresses that vanishes where a password is asked is told; one that is joined or meant to go is not."""

from __future__ import annotations

import pytest

from proxy_core.rules.lint.access import lint_access
from tests.semantics.rewrite_sites import read

AUTH = '[auth.a]\nrealm = "x"\nfile = "users"\n'
SITE = '[site]\nauth = "a"\nrequire = ["ip 10.0.0.0/8"]\n'
ADMIN = '[[locations]]\nid = "l"\npath = "/admin"\nrequire = ["valid-user"]\n'
TABLE = '[access.t]\nmatch = "all"\nrequire = ["ip 10.0.0.0/8", "valid-user"]\n'


def told(text: str) -> list[str]:
    return [" ".join(each.address) for each in lint_access(read(AUTH + text)) if "from anywhere" in each.what]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (SITE + ADMIN, "locations l require"),
        (SITE + ADMIN + 'auth = "a"\n', "locations l require"),
        (SITE.replace("ip 10.0.0.0/8", "local") + ADMIN.replace("valid-user", "user anna"), "locations l require"),
        (SITE + '[hosts.h]\nnames = ["h"]\nrequire = ["valid-user"]\n', "hosts h require"),
        ('[[locations]]\npath = "/"\nrequire = ["ip 10.0.0.0/8"]\n' + ADMIN, "locations l require"),
        (SITE.replace("ip 10.0.0.0/8", "access t") + TABLE + ADMIN, "locations l require"),
        (SITE + '[hosts.h]\nnames = ["h"]\n' + ADMIN + 'host = "h"\n', "locations l require"),
    ],
)
def test_a_list_that_vanishes_where_a_password_is_asked_is_told(text: str, place: str) -> None:
    assert told(text) == [place]


@pytest.mark.parametrize(
    "text",
    [
        SITE + ADMIN + 'merging = "and"\n',
        SITE + ADMIN + 'merging = "or"\n',
        SITE + ADMIN.replace("valid-user", "all granted"),
        SITE + ADMIN.replace('"valid-user"', '"access t"') + TABLE,
        SITE.replace('/8"', '/8", "valid-user"') + ADMIN,
        '[[locations]]\npath = "/other"\nrequire = ["ip 10.0.0.0/8"]\n' + ADMIN,
        '[[locations]]\npath = "/"\nrequire = ["all granted"]\n' + ADMIN,
        SITE + '[[locations]]\npath = "/"\nrequire = ["all granted"]\n' + ADMIN,
        SITE + ADMIN.replace("valid-user", "expr %{REMOTE_USER} == 'a' && -R '10.0.0.0/8'"),
        SITE + ADMIN.replace('["valid-user"]', '["all granted"]') + 'host = "nowhere"\n',
        ADMIN + '[[locations]]\npath = "/"\nrequire = ["ip 10.0.0.0/8"]\n',
    ],
)  # fmt: skip
def test_what_is_joined_or_replaced_on_purpose_is_not(text: str) -> None:
    assert told(text) == []
