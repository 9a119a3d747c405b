"""HAProxy on its export answers as the site does, and where it does not that is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy_core.config.reading.document import Document, read
from proxy_core.control.cli.__main__ import main
from proxy_core.control.conform.conform import conformity
from proxy_core.haproxy.export import export_site, lane_addresses
from tests.conformance.importing import members
from tests.conformance.test_shop import folder as shop_folder
from tests.conformance.test_shop import of_configuration, own_ports
from tests.programs import program

__all__ = ["shop_folder"]

SITE = r"""
[site]
server_name = "proxy.test"
error_override = true
override_codes = ["401", "404", "5xx"]
trusted_proxies = ["192.0.2.7", "10.0.0.0/8"]
deny = ["203.0.113.0/24"]

[listeners.http]
address = "127.0.0.1:8080"
[listeners.more]
address = "127.0.0.1:8081"

[hosts.shop]
names = ["shop.test", "*.shop.test", "?.shop.example"]
preserve_host = true
[hosts.other]
names = ["other.test"]
server_name = "the-other.test"
rewrites = "own"
listeners = ["http"]
require = ["ip 127.0.0.0/8"]

[[env]]
name = "IPHashChar"
from = "%{REMOTE_ADDR}"
transform = ["sha1", "hex"]
capture = '^(.)'
[[env]]
name = "mobile"
from = "%{HTTP:User-Agent}"
capture = "(?i)android|iphone"

[[rewrites]]
id = "no-way"
pattern = "^/no'way|^/closed"
flags = ["F"]
[[rewrites]]
id = "away"
pattern = '^/away/([a-z]+)/(.*)$'
substitution = 'https://www.example/$2/$1'
flags = ["R=301", "L"]
[[rewrites]]
id = "dropped"
pattern = '^/dropped$'
substitution = '/new?'
flags = ["R=303", "L"]
[[rewrites]]
id = "asked"
pattern = '^/asked$'
substitution = '/new?by=rule'
flags = ["R", "L"]
[[rewrites]]
id = "gone"
pattern = '^/OLD-page'
flags = ["G", "NC"]
conditions = [{ test = "%{HTTP_USER_AGENT}", pattern = "!^Good" }, { test = "%{HTTP:X-None}", pattern = "^$" }]
[[rewrites]]
id = "named"
pattern = '^/named$'
substitution = '%{REQUEST_SCHEME}://%{HTTP_HOST}/by-%1'
flags = ["R=307", "L"]
conditions = [{ test = "%{ENV:IPHashChar}", pattern = '^(.)' }]
[[rewrites]]
id = "stays"
pattern = '^/app/stays'
flags = ["L"]
[[rewrites]]
id = "not-here"
pattern = '^/app/stays/x'
flags = ["F"]
[[rewrites]]
id = "over"
pattern = '^/over(.*)$'
substitution = 'http://127.0.0.1:8000/in$1'
flags = ["P"]
[[rewrites]]
id = "pooled"
host = "shop"
pattern = '^/pooled/(\w+)/(.*)$'
substitution = 'balancer://pool/$2/$1'
flags = ["P", "L"]
[[rewrites]]
id = "mobiles"
pattern = '^/mobile'
substitution = '/app/m'
flags = ["PT"]
conditions = [{ test = "%{ENV:mobile}", pattern = "1" }]

[[routes]]
id = "moved-re"
path_regex = '^/app/re/(\d+)/?$'
redirect = { to = "/number/$1" }
[[routes]]
id = "excepted"
path = "/app/index"
except = true
[[routes]]
id = "moved"
path = "/app/moved"
redirect = { to = "https://new.test/app", status = 301 }
[[routes]]
id = "moved-here"
path = "/app/here/"
redirect = { to = "/there/", status = 302 }
[[routes]]
id = "gone-here"
path = "/app/gone"
redirect = { status = 410 }
[[routes]]
id = "app"
path = "/app"
proxy = "http://127.0.0.1:8000/in"
max_body = 2
[[routes]]
id = "climbing"
path_regex = '^/pub(.*)$'
proxy = 'http://127.0.0.1:8000/in/public/$1'
[[routes]]
id = "whole"
path_regex = '^/(img|css)/'
proxy = 'http://127.0.0.1:8001'
error_override = false
[[routes]]
id = "slashed"
path = "/slashed/"
proxy = "http://127.0.0.1:8001/"
preserve_host = true
[[routes]]
id = "pool"
path = "/pool"
proxy = "balancer://pool/deep"
[[routes]]
id = "pool-too"
path = "/too/"
proxy = "balancer://pool/"
timeout = 7
[[routes]]
id = "of-other"
host = "other"
path = "/"
proxy = "balancer://hashed/"

[balancers.pool]
sticky = { cookie = "SID" }
[balancers.pool.members.one]
url = "http://127.0.0.1:8001"
weight = 0.5
route = "r1"
[balancers.pool.members.two]
url = "http://127.0.0.1:8002"
weight = 1
route = "r2"
[balancers.hashed]
method = "hash"
[balancers.hashed.members.one]
url = "http://127.0.0.1:8001/base"
[balancers.hashed.members.two]
url = "http://127.0.0.1:8002/base"

[[locations]]
id = "few"
path = "/app/few"
require = ["method GET POST", "ip 192.0.2.1"]
[[locations]]
id = "nobody"
path_regex = '/private(/|$)'
require = ["all denied"]
[[locations]]
id = "all-of"
path = "/pool/all"
require = ["access both"]
[access.both]
match = "all"
require = ["ip 127.0.0.1 ::1", "not method POST"]
[[locations]]
id = "with-users"
path = "/app/users"
require = ["valid-user"]
auth = "staff"
[auth.staff]
realm = "Staff"
file = "users"

[[headers]]
on = "always"
name = "X-Frame-Options"
value = "it's 100%% \"safe\" # here"
[[headers]]
on = "response"
action = "unset"
name = "X-Powered-By"
[[headers]]
on = "request"
name = "X-Mine"
value = "a b"
[[headers]]
on = "request"
name = "X-Mobile"
value = "yes"
env = "mobile"
[[headers]]
on = "response"
name = "X-Fixed"
value = "yes"
env = "!mobile"
[[headers]]
on = "response"
action = "edit"
name = "Set-Cookie"
pattern = "^(a=.*)$"
value = "$1; SameSite=Lax"
[[headers]]
on = "response"
action = "edit"
name = "Location"
pattern = "^http://(other)"
value = "https://the-$1"
[[headers]]
id = "debug"
on = "request"
name = "X-Debug"
value = "%t"
expr = "%{QUERY_STRING} =~ /(^|&)debug=1/"
[[headers]]
on = "response"
route = "pool"
action = "add"
name = "X-Pool"
value = "yes"

[[errors]]
status = ["404"]
text = "<h1>It's not \"here\" # %</h1>\n"
[[errors]]
route = "slashed"
status = ["503"]
url = "https://status.example/"

[[reverse]]
kind = "location"
internal = "http://app.internal/"
public = "/app/"
[[reverse]]
kind = "cookie_domain"
internal = "app.internal"
public = "www.example"
"""


@pytest.fixture(scope="module")
def binary() -> str:
    return program("haproxy")


@pytest.fixture
def document(tmp_path: Path) -> Document:
    (tmp_path / "users").write_text("anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    (tmp_path / "site.toml").write_text(SITE)
    found = read(tmp_path / "site.toml")
    assert found.problems == ()
    assert found.site is not None
    return found


def test_what_haproxy_says_itself_it_says_as_rproxy_does(document: Document, binary: str) -> None:
    """Every fourth of its requests, for the sake of time."""
    found = conformity(document, "haproxy", binary, most=1000)
    assert found.differences == ()
    assert found.asked == 1000


def test_few_of_its_rows_go_down_the_lane(document: Document) -> None:
    assert document.site is not None
    made = export_site(document.site, Path(), Path(), lane_addresses(document.site))
    assert {each.address for each in made.laned} == {
        ("rewrites", "mobiles"), ("headers", "debug"), ("locations", "with-users"), ("routes", "slashed"),
    }  # fmt: skip
    assert made.whole == ()
    assert made.losses == ()


def test_two_rules_that_change_places_are_found(document: Document, binary: str, tmp_path: Path) -> None:
    """A HAProxy whose configuration has the exception of /app/index and the route of /app the other way round."""
    fake = tmp_path / "haproxy"
    changes = [f"s/{before}/{after}/" for before, after in (
        (r"str(-) if { var(txn.vh) -m str -- shop } \(.*index\)", r"str(=) if { var(txn.vh) -m str -- shop } \1"),
        (r"str(to.shop.routes.app) if", "str(-) if"), (r"str(=) if", "str(to.shop.routes.app) if"),
    )]  # fmt: skip
    swapped = " ".join(f"-e '{each}'" for each in changes)
    fake.write_text(f'#!/bin/sh\n[ $1 = -c ] || sed -i {swapped} $3\nexec {binary} "$@"\n')
    fake.chmod(0o755)
    found = conformity(document, "haproxy", str(fake), most=400)
    assert any(each.theirs[0] == "404" and each.ours[0] == "200" for each in found.differences)
    assert any(each.theirs[0] == "200" and each.ours[0] == "404" for each in found.differences)


def test_without_a_lane_what_it_would_have_is_refused_and_nothing_else(document: Document, binary: str) -> None:
    found = conformity(document, "haproxy", binary, lane=False, most=500)
    assert found.differences == ()
    assert 0 < found.lost < found.asked


def test_the_shop_goes_over_whole(shop_folder: Path, binary: str) -> None:
    with members() as ports:
        (shop_folder / "site.toml").write_text(of_configuration(shop_folder, own_ports(ports)).text)
        found = conformity(read(shop_folder / "site.toml"), "haproxy", binary, most=300)
    assert found.differences == ()
    assert found.asked == 300


def test_httpd_is_asked_in_the_same_way(tmp_path: Path) -> None:
    """Every spelling of a path leads where it leads here."""
    (tmp_path / "site.toml").write_text(
        '[listeners.http]\naddress = ":80"\n[[routes]]\npath = "/a/b"\nexcept = true\n'
        '[[routes]]\npath = "/a"\nproxy = "http://127.0.0.1:8000/x"\n'
    )
    found = conformity(read(tmp_path / "site.toml"), "apache", program("apache2"))
    assert not [each for each in found.differences if re.fullmatch(r"GET /a\S*", each.asking.line)]


@pytest.mark.parametrize(("signal", "told"), [("SEGV", "ends by SIGSEGV"), ("", "does not take the configuration")])
def test_a_haproxy_that_crashes_over_it_is_a_failed_export(
    document: Document, tmp_path: Path, signal: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "haproxy"
    fake.write_text(f"#!/bin/sh\n{f'kill -{signal} $$' if signal else 'echo no >&2; exit 1'}\n")
    fake.chmod(0o755)
    out = tmp_path / "haproxy.cfg"
    assert main(["export", "--to", "haproxy", document.file, "-o", str(out), "--binary", str(fake)]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert not out.exists()


def test_without_a_haproxy_it_is_written_only_as_unproven(
    document: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "haproxy.cfg"
    nowhere = ["--binary", str(tmp_path / "none")]
    assert main(["export", "--to", "haproxy", document.file, "-o", str(out), *nowhere]) == 2
    assert "--unproven" in capsys.readouterr().err
    assert not out.exists()
    assert main(["export", "--to", "haproxy", document.file, "-o", str(out), *nowhere, "--unproven"]) == 0
    assert out.read_text().startswith("# UNPROVEN")
    assert "the lane has 0 of 2 hosts, 2 of" in capsys.readouterr().out
    behind = read(tmp_path / "site.lane.toml").site
    assert behind is not None
    assert all(each.proxy_protocol for each in behind.listeners.values())
    assert "127.0.0.9" in behind.site.trusted_proxies
