"""Guards in sections of every kind, each with an opener in a section of every kind: one virtual host for each pair.

httpd is asked, and what the import made of it. Where the answers differ ours must refuse, and the report must tell a
loss in that host: nothing that is closed, or that another module asks beside Require, is opened silently.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import pytest

from proxy_core.apache.report import ReportLine
from tests.conformance.importing import Case, asked, both, case, members

pytestmark = pytest.mark.apache

KINDS: Mapping[str, tuple[str, ...]] = {
    "Directory": ("Directory @folder@/www/k",),
    "DirectoryMatch": ("DirectoryMatch ^@folder@/www/k",),
    "Files": ("Files x",),
    "Files in Directory": ("Directory @folder@/www/k", "Files x"),
    "Location": ("Location /k",),
    "LocationMatch": ("LocationMatch ^/k",),
    "If": ('If "%{REQUEST_URI} =~ m#^/k#"',),
    "If in Location": ("Location /k", 'If "true"'),
    "If in Directory": ("Directory @folder@/www/k", 'If "true"'),
    "Proxy": ("Proxy http://127.0.0.1:@one@/*",),
}
OPEN = "Require all granted"
GUARDS = {
    "SSLRequireSSL": ("SSLRequireSSL", OPEN),
    "SSLRequire": ("SSLRequire %{SSL_CIPHER} eq 'x'", OPEN),
    "SSLVerifyClient": ("SSLVerifyClient require", OPEN),
    "Deny": ("Order deny,allow\nDeny from all", OPEN),
    "Allow": ("Order allow,deny\nAllow from 10.0.0.0/8", OPEN),
    "Require": ("Require ip 10", "Order allow,deny\nAllow from all"),
    "Satisfy": ("SSLRequireSSL\nRequire ip 10", "Satisfy Any\nOrder deny,allow\nAllow from all"),
    "methods": ("AllowMethods POST", OPEN),
    "Limit": ("<Limit GET>\nRequire all denied\n</Limit>", OPEN),
    "RewriteRule": ("RewriteEngine On\nRewriteRule ^ - [F]", f"RewriteOptions Inherit\n{OPEN}"),
    "AuthType": ("AuthType Digest\nRequire valid-user", OPEN),
    "handler": ("SetHandler fcgi-script", f"SetHandler default-handler\n{OPEN}"),
}
PAIRS = [*product(KINDS, KINDS)]
PATHS = ("/k/x", "/k/p/x")
"""A file, and what is forwarded."""


def within(kind: str, lines: str) -> str:
    """The lines in a section of this kind."""
    for opening in reversed(KINDS[kind]):
        lines = f"<{opening}>\n{lines}\n</{opening.split()[0]}>"
    return lines


def hosts(sections: Sequence[Sequence[str]]) -> Case:
    """A host for each of these groups of sections, and before them one that nobody asks."""
    found = ["SetEnvIf X-K . K=1\n<VirtualHost *>\nServerName none.test\n</VirtualHost>"]
    for number, its in enumerate(sections):
        lines = ["<VirtualHost *>", f"ServerName h{number}.test", "DocumentRoot @folder@/www"]
        found.append("\n".join([*lines, "ProxyPass /k/p http://127.0.0.1:@one@/", *its, "</VirtualHost>"]))
    return case("\n".join([*found, "=== www/k/x", "file", "=== requests", ""]))


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


def opened(this: Case, asking: Sequence[tuple[int, str]], ports: dict[str, int]) -> Iterator[str]:
    """What is answered differently, and neither told as lost in that host nor refused here."""
    losses: list[ReportLine] = []
    starts = [number for number, line in enumerate(this.conf.splitlines(), 1) if line.startswith("<VirtualHost")][1:]
    with both(this, ports, losses) as (theirs, ours):
        told = {bisect_right(starts, each.line) - 1 for each in losses}
        for host, request in asking:
            line, *fields = request.split(" | ")
            whole = " | ".join([line, f"Host: h{host}.test", *fields])
            its, mine = (asked(server["http"], whole)[0][:3] for server in (theirs, ours))
            if its != mine and not (host in told and mine[0] in "45"):
                yield f"{host} {request}: {its} in Apache, {mine} here"


@pytest.mark.parametrize("name", GUARDS)
def test_no_section_opens_silently_what_apache_keeps_shut(name: str, ports: dict[str, int]) -> None:
    guard, opener = GUARDS[name]
    asking = [(number, f"GET {PATHS['Proxy' in pair]}") for number, pair in enumerate(PAIRS)]
    found = list(opened(hosts([(within(one, guard), within(other, opener)) for one, other in PAIRS]), asking, ports))
    assert not found, "\n".join([f"{' then '.join(PAIRS[int(each.split()[0])])}: {each}" for each in found])


WORDS = (
    OPEN, "Require all denied", "Require ip 10", "Require method GET", "Require env K", "RewriteOptions Inherit",
    "AuthMerging And\nRequire local", "AuthMerging Or\nRequire ip 10",
    "<RequireAll>\nRequire all granted\nRequire not env K\n</RequireAll>",
    "Order deny,allow\nDeny from all", "Order allow,deny\nAllow from all", "Order allow,deny\nAllow from env=K",
    "Order deny,allow\nDeny from env=K", "Satisfy Any", "Satisfy All", "SSLRequireSSL", "AllowMethods GET",
    "AllowMethods POST", "<Limit GET>\nRequire ip 10\n</Limit>",
    "<LimitExcept GET>\nRequire all denied\n</LimitExcept>",
    "<Limit GET>\nOrder allow,deny\nAllow from 10\n</Limit>", "RewriteEngine On\nRewriteRule x$ - [F]",
    "RewriteEngine Off", "RewriteEngine On\nRewriteOptions Inherit\nRewriteRule never - [F]",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_sections_made_up_by_chance_open_nothing_silently(seed: int, ports: dict[str, int]) -> None:
    dice = random.Random(seed)
    made = [
        [
            within(dice.choice([*KINDS]), "\n".join(dice.sample(WORDS, dice.choice((1, 1, 2)))))
            for _ in range(dice.choice((2, 3, 4)))
        ]
        for _ in range(80)
    ]
    asking = [
        (number, f"{method} {path}")
        for number in range(len(made))
        for path in PATHS
        for method, path in (("GET", path), ("GET", f"{path} | X-K: 1"), ("POST", f"{path} | X-K: 1 | > a"))
    ]
    found = list(opened(hosts(made), asking, ports))
    assert not found, "\n".join([f"{each}\n" + "\n".join(made[int(each.split()[0])]) for each in found])
