"""Faults of listeners, hosts, addresses, access, upstreams and rules are told at their place."""

from __future__ import annotations

import pytest

from proxy_core.rules.lint.site import THEMES, lint, theme
from tests.semantics.rewrite_sites import read

BASE = '[listeners.http]\naddress = ":8080"\n[[routes]]\npath = "/"\nproxy = "http://one.example/"\n'
FAULTS = [
    # Listeners and hosts.
    ('[listeners.two]\naddress = "127.0.0.1:8080"\n', "listeners two address", "is taken by listener http"),
    ('[listeners.two]\naddress = "x"\n', "listeners two address", "has no port"),
    ('[hosts.a]\n', "hosts a", "has no names"),
    ('[hosts.a]\nnames = ["a"]\nlisteners = ["no"]\n', "hosts a listeners", 'no listener "no"'),
    ('[hosts.a]\nnames = ["a"]\n[hosts.b]\nnames = ["A."]\n', "hosts b names", "is a name of host a too"),
    ('[access_log]\nfile = "a.log"\nformat = "%Z"\n', "access_log format", ""),
    ('[[access_logs]]\nid = "l"\nfile = "a.log"\nformat = "%Z"\n', "access_logs l format", "known"),
    ('[[access_logs]]\nid = "l"\nfile = "a.log"\nhost = "no"\n', "access_logs l host", 'no host "no"'),
    ('[hosts.a]\nnames = ["a"]\n[[access_logs]]\nid = "l"\nfile = "a.log"\nhost = "a"\nevery_host = true\n',
     "access_logs l every_host", "for one host, and for every host"),
    ('[[access_logs]]\nid = "l"\nfile = "a.log"\nenv = "A"\nexpr = "true"\n', "access_logs l env", "two conditions"),
    ('[access_log]\nfile = "a.log"\n[recording]\nfile = "./a.log"\n', "recording file", "for something else too"),
    # Addresses.
    ('[site]\ndeny = ["10.0.0.1/8"]\n', "site deny", "is not an address or network"),
    ('[site]\nclient_header = "X-Forwarded-For"\n', "site client_header", "nobody is believed"),
    ('[site]\nclient_header = "Host"\ntrusted_proxies = ["::1"]\n', "site client_header", "says something else"),
    ('[[bans]]\nid = "b"\nnetwork = "10.0.0.0/8"\nuntil = "soon"\n', "bans b until", "is not a date and time"),
    # Compression.
    ('[compress]\ncodings = ["br"]\n', "compress types", "nothing is coded"),
    ('[[locations]]\nid = "l"\npath = "/x"\n[locations.compress]\ntypes = ["*/*"]\ncodings = []\n',
     "locations l compress codings", "nothing is coded"),
    # Access.
    ('[site]\nrequire = ["group staff"]\n', "site require", "cannot be required"),
    ('[site]\nrequire = ["access no"]\n', "site require", 'no access "no"'),
    ('[site]\nrequire = ["user anna"]\n', "site require", "nothing asks for one"),
    ('[site]\nauth = "no"\n', "site auth", 'no auth "no"'),
    ('[access.a]\nrequire = ["all granted"]\n', "access a", "nothing requires access a"),
    # Routes and members.
    ('[[routes]]\nid = "r"\npath = "/x/"\nproxy = "http://h/y"\n', "routes r proxy", "ends in a slash"),
    ('[[routes]]\nid = "r"\npath_regex = "^/(a"\nproxy = "http://h"\n', "routes r path_regex", "at character"),
    ('[balancers.b.members.m]\nurl = "http://h/p/"\n', "balancers b members m url", "ends in a slash"),
    ('[balancers.b.members.m]\nurl = "http://h"\n', "balancers b", "no route uses balancer b"),
    ('[balancers.b.members.m]\nurl = "http://127.0.0.1:8080"\n', "balancers b members m url", "own listener http"),
    ('[balancers.b.members.m]\nurl = "http://h"\n[balancers.b.members.m.tls]\nverify = false\n',
     "balancers b members m tls", "plain HTTP is spoken"),
    ('[balancers.b.members.m]\nurl = "http://h"\n[balancers.b.tls]\nverify = false\n', "balancers b tls",
     "no member with https"),
    ('[upstream_tls]\ncheck_expiry = false\n', "upstream_tls check_expiry", "changes nothing where verify is on"),
    ('[hosts.a]\nnames = ["a"]\n[hosts.a.upstream_tls]\nverify = false\nca = "ca.pem"\n', "hosts a upstream_tls ca",
     "are not asked"),
    # Rules.
    ('[[rewrites]]\nid = "a"\npattern = "^/"\nflags = ["F"]\n[[rewrites]]\nid = "b"\npattern = "^/b"\nflags = ["G"]\n',
     "rewrites b pattern", "takes all that this one could"),
    ('[[rewrites]]\nid = "a"\npattern = "^/a"\nsubstitution = "/b"\n', "rewrites a flags", "answered 404"),
    ('[[rewrites]]\nid = "a"\npattern = "^/a"\nflags = ["F"]\nlocation = "no"\n', "rewrites a location", "no location"),
    ('[[env]]\nid = "e"\nname = "V"\nexpr = "1 =="\n', "env e expr", ""),
    ('[maps.m]\ntype = "int"\n', "maps m", "has no function"),
    ('[[locations]]\nid = "l"\npath_regex = "("\n', "locations l path_regex", "does not compile"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "words"), FAULTS)
def test_a_fault_is_told_at_its_place(text: str, place: str, words: str) -> None:
    assert not lint(read(BASE))
    found = [problem.what for problem in lint(read(BASE + text)) if " ".join(problem.address) == place]
    assert any(words in what for what in found), lint(read(BASE + text))


@pytest.mark.parametrize("text", ["", *(text for text, _, _ in FAULTS)])
def test_a_theme_that_is_left_out_would_have_said_nothing(text: str) -> None:
    site = read(BASE + text)
    assert lint(site) == tuple(problem for name in THEMES for problem in theme(name)(site))
