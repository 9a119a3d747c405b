"""Hosts: which one a name belongs to, and in what order the server's rules and its own are tried.

One site with a host for each inheritance. The server's rule appends S to the path, a host's own appends H, and rules
at the end forward what has both marks in one order; so the answer tells which rules ran, and when. Sources: the manual
of NameVirtualHost and ServerAlias, of RewriteOptions, and config_server_merge in modules/mappers/mod_rewrite.c.
"""

from __future__ import annotations

from proxy_core.config.model import Site
from tests.semantics.rewrite_sites import read, rule


def _host(name: str, names: str, rewrites: str, extra: str = "") -> str:
    own = rule("^/m(.*)$", "/m$1H") + extra + rule("^/(mSH)$", "http://one/$1", "P")
    return f"""
[hosts.{name}]
names = [{names}]
rewrites = "{rewrites}"
""" + own.replace("[[rewrites]]", f'[[rewrites]]\nhost = "{name}"')


SITE: Site = read(
    "[listeners.http]\naddress = '127.0.0.1:0'\n"
    + rule("^/m(.*)$", "/m$1S")
    + rule("^/(mHS)$", "http://one/$1", "P")
    + '[[routes]]\npath = "/"\nproxy = "http://two/"\n'
    + '[[routes]]\nhost = "own"\npath = "/never"\nproxy = "http://three/"\n'
    + _host("before", '"before.test", "alias.test", "*.w.test"', "before")
    + _host("after", '"after.test", "x.w.test", "a?c.test", "?.*.q.test"', "after")
    + _host("own", '"own.test"', "own", rule("^/(mH)$", "http://one/$1", "P"))
    + _host("off", '"off.test"', "off")
)

ROWS: tuple[tuple[str, str, str], ...] = (
    # Host without its .test, target, answer. The four inheritances:
    ("before", "/m", "one /mSH"),
    ("after", "/m", "one /mHS"),
    ("own", "/m", "one /mH"),
    ("off", "/m", "two /m"),
    ("before", "/x", "two /x"),
    # Names and wildcards: the first host in file order that has the name, be it by a wildcard.
    ("BEFORE", "/m", "one /mSH"),
    ("alias", "/m", "one /mSH"),
    ("x.w", "/m", "one /mSH"),
    ("a.b.w", "/m", "one /mSH"),
    ("abc", "/m", "one /mHS"),
    ("a.c", "/m", "one /mHS"),
    ("abbc", "/m", "one /mSH"),
    ("z.y.q", "/m", "one /mHS"),
    # What no host is named for goes to the first.
    ("nobody", "/m", "one /mSH"),
    # The server's routes come before a host's own.
    ("own", "/never/x", "two /never/x"),
)
