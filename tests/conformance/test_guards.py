"""Guards in sections of every kind, each with an opener in a section of every kind: one virtual host for each pair.

httpd is asked, and what the import made of it. Where the answers differ ours must refuse, and the report must tell a
loss in that host: nothing that is closed, or that another module asks beside Require, is opened silently.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
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


def guarded(guard: str, opener: str) -> Case:
    """A host for each pair of kinds, and before them one that nobody asks."""
    hosts = ["<VirtualHost *>\nServerName none.test\n</VirtualHost>"]
    for number, (one, other) in enumerate(PAIRS):
        lines = ["<VirtualHost *>", f"ServerName h{number}.test", "DocumentRoot @folder@/www"]
        lines += ["ProxyPass /k/p http://127.0.0.1:@one@/", within(one, guard), within(other, opener)]
        hosts.append("\n".join([*lines, "</VirtualHost>"]))
    return case("\n".join([*hosts, "=== www/k/x", "file", "=== requests", ""]))


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.mark.parametrize("name", GUARDS)
def test_no_section_opens_silently_what_apache_keeps_shut(name: str, ports: dict[str, int]) -> None:
    losses: list[ReportLine] = []
    this = guarded(*GUARDS[name])
    starts = [number for number, line in enumerate(this.conf.splitlines(), 1) if line.startswith("<VirtualHost")][1:]
    found = []
    with both(this, ports, losses) as (theirs, ours):
        told = {bisect_right(starts, each.line) - 1 for each in losses}
        for number, pair in enumerate(PAIRS):
            request = f"GET {PATHS['Proxy' in pair]} | Host: h{number}.test"
            its, mine = (asked(server["http"], request)[0][:3] for server in (theirs, ours))
            if its != mine and not (number in told and mine[0] in "45"):
                found.append(f"{' then '.join(pair)}: {its} in Apache, {mine} here")
    assert not found, "\n".join(found)
