"""A site that was exported and imported again is the site in Apache's words; whatever these do not hold is told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from proxy_core.apache.export import export_site
from proxy_core.apache.export_lost import LOST, QUIET
from proxy_core.apache.export_plain import plain
from proxy_core.apache.export_words import rewrite_word, word
from proxy_core.apache.importer import import_file
from proxy_core.apache.lexer import rewrite_words, words
from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse, read
from proxy_core.config.schema import fields
from proxy_core.control.cli import main
from proxy_core.rules.lint.site import lint
from tests.apache.sites import SITES, normal

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.toml"))
BY_CHANCE = settings(
    deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
"""Without shrinking: a site is large, and what differs is told field by field."""
THE_SAME = settings(BY_CHANCE, derandomize=True)
"""For the suite, which is to tell of a change and not of luck; ``-m soak`` looks further."""


def exported(text: str, folder: Path) -> tuple[str, list[str]]:
    """The configuration of a site file without its modules, and what is lost."""
    site = parse(text).site
    assert site is not None
    made = export_site(site, folder / "site.toml", folder)
    return made.text, [f"{'.'.join(loss.address)}: {loss.todo}" for loss in made.losses]


def there_and_back(site: Site, folder: Path) -> tuple[Site, Site]:
    """The site in Apache's words, and what comes back of its export."""
    made = export_site(site, folder / "site.toml", folder)
    for file, text in made.files.items():
        file.write_text(text)
    (folder / "httpd.conf").write_text(made.text)
    back = import_file(folder / "httpd.conf", {}, True)
    losses = [f"{entry.text}: {entry.why}" for entry in back.report.losses]
    assert not losses, losses
    found = parse(back.text)
    assert found.site is not None, found.problems
    return plain(site, folder, folder).site, found.site


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.stem)
def test_a_sample_comes_back(sample: Path, tmp_path: Path) -> None:
    site = read(sample).site
    assert site is not None
    said, back = there_and_back(site, tmp_path)
    assert normal(back) == normal(said)


@settings(THE_SAME, max_examples=25)
@given(site=SITES)
def test_a_site_made_by_chance_comes_back(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    said, back = there_and_back(site, tmp_path_factory.mktemp("export"))
    assert normal(back) == normal(said)


@pytest.mark.soak
@settings(BY_CHANCE, max_examples=1_000)
@given(site=SITES)
def test_many_sites_made_by_chance_come_back(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    said, back = there_and_back(site, tmp_path_factory.mktemp("export"))
    assert normal(back) == normal(said)


@settings(THE_SAME, max_examples=15)
@given(site=SITES)
def test_what_apache_can_say_is_sound_and_says_itself(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plain")
    said = plain(site, folder, folder).site
    assert [str(each) for each in lint(said) if each.severity == "error"] == []
    again = plain(said, folder, folder)
    assert normal(again.site) == normal(said)
    assert again.losses == ()


@pytest.mark.apache
@settings(THE_SAME, max_examples=20)
@given(site=SITES)
def test_apache_accepts_it(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("accepted")
    (folder / "www").mkdir()
    made = export_site(site, folder / "site.toml", folder)
    for file, text in {**made.files, folder / "httpd.conf": made.text}.items():
        file.write_text(text)
    asked = subprocess.run(["apache2", "-t", "-f", folder / "httpd.conf"], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_every_option_is_said_or_told_of() -> None:
    """Whatever is added to the model has to be thought of here: its name stands in the exporter."""
    sources = [*(ROOT / "proxy_core/apache").glob("export*.py"), ROOT / "proxy_core/apache/parameters.py"]
    text = "\n".join(file.read_text() for file in sources)
    known = set(re.findall(r"\w+", text))
    structs, seen = [Site], set()
    while structs:
        struct = structs.pop()
        if struct in seen:
            continue
        seen.add(struct)
        told = {*LOST.get(struct.__name__, {}), *QUIET.get(struct.__name__, ())}
        for field in fields(struct):
            assert field.name in known | told | {"version", "note", "id"}, f"{struct.__name__}.{field.name}"
            structs += [field.struct] if field.struct is not None and field.name not in told else []


WORDS = [
    "a",
    "two words",
    'a "quote"',
    "it's",
    r"\.",
    "\\\\",
    r"a\"b",
    "end\\",
    "",
    r"\\ \"",
    "<x>",
    "#",
    "'",
    "$1 ${m:%1}",
]


@pytest.mark.parametrize("text", WORDS)
def test_a_word_is_read_as_it_was_written(text: str) -> None:
    assert list(words(f"{word(text)} {word(text)}")) == [text, text]


@pytest.mark.parametrize("text", [each for each in WORDS if not {"'", '"'} <= {*each}])
def test_a_word_of_a_rule_is_read_as_it_was_written(text: str) -> None:
    assert list(rewrite_words(f"{rewrite_word(text)} {rewrite_word(text)}")) == [text, text]


LINES = [
    ('[[routes]]\npath = "/a"\nexcept = true', "ProxyPass /a !"),
    ('[[routes]]\npath = "/a"\nproxy = "http://h/b"\ntimeout = 5\nnocanon = true',
     "ProxyPass /a http://h/b nocanon timeout=5"),
    ("[[routes]]\npath_regex = '^/(.*)$'\nproxy = 'http://h/$1'", "ProxyPassMatch ^/(.*)$ http://h/$1"),
    ('[[routes]]\npath = "/a"\nproxy = "http://h/b"', "ProxyPassReverse /a http://h/b"),
    ('[[routes]]\npath = "/a"\nproxy = "http://h"\nenabled = false', "# ProxyPass /a http://h"),
    ('[[routes]]\npath = "/a"\nredirect = { to = "http://h/b", status = 301 }', "Redirect 301 /a http://h/b"),
    ('[[routes]]\npath = "/a"\nredirect = { status = 410 }', "Redirect 410 /a"),
    ("[[rewrites]]\npattern = '^/a b'\nflags = ['F']\nconditions = [{ test = '%{HTTPS}', pattern = '!on' }]",
     "RewriteCond %{HTTPS} !on\nRewriteRule \"^/a b\" - [F]"),
    ('[maps.m]\ntype = "dbm"\nfile = "x"\nformat = "sdbm"', "RewriteMap m dbm=sdbm:x"),
    ('[maps.m]\ntype = "prg"\ncommand = ["bin/ask", "it"]', "RewriteMap m \"prg:bin/ask it\""),
    ('[maps.m]\ntype = "fastdbd"\ndsn = "postgresql://me:pw@db/names"\nquery = "SELECT a FROM b WHERE c = %s"',
     'DBDParams "host=db user=me password=pw dbname=names"\n'
     'RewriteMap m "fastdbd:SELECT a FROM b WHERE c = %s"'),
    ('[[env]]\nname = "V"\nfrom = "%{HTTP:A}"\ncapture = "^x"\nnocase = true', "SetEnvIfNoCase A ^x V"),
    ('[[env]]\nname = "V"\nfields = "^A"\ncapture = "^x"', "SetEnvIf ^A ^x V"),
    ('[[env]]\nname = "V"\nfields = "A"\ncapture = "^x"', "SetEnvIf (?:A) ^x V"),
    ('[[env]]\nname = "V"\nfields = "^A"', "SetEnvIf ^A ^((?s:.*))$ V=$1"),
    ('[[env]]\nname = "V"\nfrom = "%{REMOTE_ADDR}"\ntransform = ["sha1", "hex"]\ncapture = "^(.)"',
     'SetEnvIfExpr "sha1(%{REMOTE_ADDR}) =~ /^(.)/" V=$1'),
    ('[[headers]]\non = "always"\nname = "X-A"\nvalue = "two words"\nenv = "!V"',
     'Header always set X-A "two words" env=!V'),
    ('[[errors]]\nstatus = ["404"]\npath = "/missing.html"', "ErrorDocument 404 /missing.html"),
    ('[[errors]]\nstatus = ["404"]\nbuiltin = true', "ErrorDocument 404 default"),
    ('[balancers.b]\nmethod = "bybusyness"\nsticky = { cookie = "ID", param = "id", separator = "" }\n'
     '[balancers.b.members.m]\nurl = "http://m"\nweight = 3\nrole = "standby"\nstatus = "draining"',
     "<Proxy balancer://b>\n    BalancerMember http://m loadfactor=3 status=+N+H\n"
     "    ProxySet lbmethod=bybusyness stickysession=ID|id stickysessionsep=Off\n</Proxy>"),
    ('[balancers.b.health]\nmethod = "head"\nuri = "/up"\nexpect = ["204"]\n[balancers.b.members.m]\nurl = "http://m"',
     "ProxyHCExpr b-check {%{REQUEST_STATUS} -eq 204}\n<Proxy balancer://b>\n"
     "    BalancerMember http://m hcmethod=HEAD hcuri=/up hcexpr=b-check"),
    ('[[locations]]\npath = "/in"\nrequire = ["access staff"]\n[access.staff]\nmatch = "all"\n'
     'require = ["ip 10", "not ip 10.1"]',
     "<Location /in>\n    <RequireAll>\n        Require ip 10\n        Require not ip 10.1\n    </RequireAll>\n"),
    ('[site]\ndeny = ["192.0.2.1"]',
     "<Location />\n    <RequireAll>\n        Require all granted\n        Require not ip 192.0.2.1\n"),
    ('[site]\nclient_header = "X-Forwarded-For"\ntrusted_proxies = ["10.0.0.0/8"]',
     "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 10.0.0.0/8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), LINES)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []


LOSSES = [
    ("[balancers.b]\nslow_start = 10", "balancers.b.slow_start"),
    ('[balancers.b]\nmethod = "latency"', "balancers.b.method"),
    ("[balancers.b.ejection]\nconsecutive = 3", "balancers.b.ejection"),
    ("[balancers.b]\nqueue = 5", "balancers.b.queue"),
    ("[limits]\nclient_rate = 5", "limits.client_rate"),
    ('[[bans]]\nid = "x"\nnetwork = "192.0.2.1"', "bans"),
    ('[[routes]]\nid = "r"\npath = "/a"\nproxy = "http://h"\npreserve_host = true', "routes.r.preserve_host"),
    ('[[headers]]\nid = "h"\nname = "X"\nenv = "V"\nexpr = "true"', "headers.h"),
    ('[[errors]]\nid = "e"\nstatus = ["404"]\nfile = "x.html"', "errors.e.file"),
    ('[[env]]\nid = "v"\nname = "V"\nfrom = "%{HTTP:A}"\ntransform = ["length"]', "env.v"),
    ('[access_log]\nfile = "l"\nformat = "json"', "access_log.format"),
    ('[access_log]\nfile = "l"\nformat = "%h %200{member}x"', "access_log.format"),
]


@pytest.mark.parametrize(("text", "address"), LOSSES)
def test_what_apache_cannot_say_is_told(text: str, address: str, tmp_path: Path) -> None:
    _, losses = exported(text, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == [address]


def test_a_redirect_above_what_forwards_keeps_its_paths(tmp_path: Path) -> None:
    text = (
        '[hosts.h]\nnames = ["h.example"]\n[[routes]]\npath = "/a"\nredirect = { to = "http://n/" }\n'
        '[[routes]]\nhost = "h"\npath = "/"\nproxy = "http://h/"\n'
    )
    made, _ = exported('[listeners.l]\naddress = ":80"\n' + text, tmp_path)
    main, _, host = made.partition("# h\n")
    assert "ProxyPass /a !" in main
    assert "Redirect" not in main
    assert "ProxyPass / http://h/" in host
    assert "Redirect 302 /a http://n/" in host


def test_entries_of_a_map_get_a_file(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[maps.m]\ntype = "txt"\n[maps.m.entries]\na = "one"\nb = "two"\n')
    assert main(["export", "--to", "apache", str(tmp_path / "site.toml"), "-o", str(tmp_path / "httpd.conf")]) == 0
    assert (tmp_path / "m.txt").read_text() == "a one\nb two\n"
    assert "RewriteMap m txt:m.txt" in (tmp_path / "httpd.conf").read_text()


def test_losses_are_told_with_their_places_and_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    file.write_text("[limits]\nin_flight = 5\n")
    assert main(["export", "--to", "apache", str(file)]) == 3
    told = capsys.readouterr()
    assert told.out.startswith("# Exported from site.toml.")
    assert f"{file}:2:1: warning: limits.in_flight is lost" in told.err
    assert main(["export", "--to", "apache", str(file), "--report", "json"]) == 3
    (loss,) = json.loads(capsys.readouterr().err)["losses"]
    assert (loss["address"], loss["line"]) == (["limits", "in_flight"], 2)


def test_a_text_that_would_end_its_line_never_gets_into_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    for text in (
        '[site]\nserver_name = "a\\nInclude /etc/passwd"\n',
        '[[headers]]\nname = "X"\nvalue = "a\\nInclude /etc/passwd"\n',
        '[balancers.b.members.m]\nurl = "http://m"\n[balancers.b.health]\nmethod = "get"\nexpr = "true\\n|| false"\n',
    ):
        file.write_text(text)
        assert main(["export", "--to", "apache", str(file)]) in (2, 3)
        told = capsys.readouterr()
        assert not re.search(r"^\s*(?:Include|\|\|)", told.out, re.MULTILINE)
        assert "control character" in told.err


def test_nothing_is_written_for_a_site_with_errors_nor_over_what_is_there(tmp_path: Path) -> None:
    file, output = tmp_path / "site.toml", tmp_path / "httpd.conf"
    file.write_text("[limits]\nin_flight = -5\n")
    assert main(["export", "--to", "apache", str(file), "-o", str(output)]) == 2
    assert not output.exists()
    file.write_text("version = 1\n")
    output.write_text("mine")
    assert main(["export", "--to", "apache", str(file), "-o", str(output)]) == 2
    assert output.read_text() == "mine"
    assert main(["export", "--to", "apache", str(file), "-o", str(output), "--force"]) == 0
    assert "Listen" not in output.read_text()
    assert "TraceEnable Off" in output.read_text()


SECURE = """
[listeners.http]
address = ":80"
[listeners.https]
address = ":443"
[listeners.https.tls]
hsts = 60
min_version = "1.3"
client_headers = { X-Client = "SSL_CLIENT_S_DN" }
[[listeners.https.tls.certificates]]
cert = "one.pem"
names = ["one.example"]
[[listeners.https.tls.certificates]]
cert = "two.pem"
key = "two.key"
names = ["*.two.example"]
"""


def test_listeners_with_tls_and_no_host_get_a_host_for_each_certificate(tmp_path: Path) -> None:
    made, losses = exported(SECURE, tmp_path)
    assert losses == []
    assert "Listen 443 https" in made
    assert "RequestHeader unset X-Client" in made.partition("<VirtualHost")[0]
    one, two = (each.partition("</VirtualHost>")[0] for each in made.split("<VirtualHost ")[1:])
    assert "ServerName one.example" in one
    assert "SSLCertificateFile one.pem" in one
    assert "ServerAlias *.two.example" in two
    assert "SSLCertificateFile two.pem\n    SSLCertificateKeyFile two.key" in two
    for host in (one, two):
        assert host.startswith("*:443>")
        assert "SSLProtocol -all +TLSv1.3" in host
        assert "Header always set Strict-Transport-Security max-age=60" in host
        assert "RequestHeader set X-Client %{SSL_CLIENT_S_DN}s" in host


def test_a_host_that_is_reached_with_tls_and_without_becomes_two_with_the_same_rows(tmp_path: Path) -> None:
    host = (
        '[hosts.shop]\nnames = ["a.two.example"]\n[[routes]]\nhost = "shop"\npath = "/"\nproxy = "http://h/"\n'
        '[[locations]]\nid = "in"\nhost = "shop"\npath = "/in"\nrequire = ["local"]\n'
        '[[headers]]\nlocation = "in"\nname = "X-In"\nvalue = "yes"\n'
    )
    made, losses = exported(SECURE + host, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == ["listeners.https.tls.certificates"]
    parts = [each.partition("</VirtualHost>")[0] for each in made.split("<VirtualHost ")[1:]]
    assert [each.partition(">")[0] for each in parts] == ["*:80", "*:443"]
    assert ["SSLCertificateFile two.pem" in each for each in parts] == [False, True]
    for each in parts:
        assert "ServerName a.two.example" in each
        assert "ProxyPass / http://h/" in each
        assert "<Location /in>\n        Require local\n        Header set X-In yes\n" in each


def test_a_format_of_the_log_goes_out_as_it_came(tmp_path: Path) -> None:
    made, losses = exported("[access_log]\nfile = 'l'\nformat = '%h \"%r\" %{X-A}i \\t%>s'", tmp_path)
    assert not losses
    assert r'LogFormat "%h \"%r\" %{X-A}i \t%>s" own' in made.splitlines()
    assert "CustomLog l own" in made.splitlines()
