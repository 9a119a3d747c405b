"""Directives become rows of a site, each with its place, and everything is counted."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path

from proxy_core.apache.registry import SUBJECTS
from proxy_core.apache.report import as_json
from proxy_core.config.reading.document import parse
from proxy_core.rules.lint.site import lint
from tests.apache.conversions import PROXIED, imported, site_of


def test_everything_is_counted_once_and_losses_say_why(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nUser x\n" + PROXIED + "Frobnicate on\nRewriteRule ^/x /y [Z]\n")
    counts = [found.report.count(outcome) for outcome in ("mapped", "ignored", "unsupported")]
    assert counts == [3, 1, 1]
    (loss,) = found.report.losses
    assert (loss.file, loss.line, loss.directive) == ("httpd.conf", 4, "Frobnicate")
    assert "Frobnicate on" in found.text


def test_what_the_site_file_would_refuse_is_counted_and_what_it_took_is_answered_503(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nRewriteEngine On\nRewriteRule ^/x /y [Z]\nRewriteRule ^/(x /y\n" + PROXIED)
    assert parse(found.text).site is not None
    assert [(loss.line, loss.directive) for loss in found.report.losses] == [(3, "RewriteRule"), (4, "RewriteRule")]
    rows = tomllib.loads(found.text)["rewrites"]
    refused = {"substitution": "-", "flags": ["R=503"]}
    assert rows == [{"pattern": "^/x", **refused}, {"pattern": "^", **refused}]
    assert "#   httpd.conf:4  RewriteRule ^/(x /y" in found.text


def test_a_route_at_fault_leaves_its_paths_to_no_other(tmp_path: Path) -> None:
    text = "Listen 1\nDocumentRoot /srv/www\nProxyPass /a http://h:x/\nProxyPassMatch ^/(x http://h/\n"
    rows = tomllib.loads(imported(tmp_path, text).text)["routes"]
    assert rows == [{"path": "/a", "redirect": {"status": 503}}, {"path": "/", "redirect": {"status": 503}}]


def test_a_place_that_cannot_be_told_closes_all_of_them(tmp_path: Path) -> None:
    text = "Listen 1\n" + PROXIED + "<LocationMatch ^/(x>\nRequire ip 10\n</LocationMatch>\n"
    (row,) = tomllib.loads(imported(tmp_path, text).text)["locations"]
    assert (row["path"], row["require"]) == ("/", ["all denied"])


def test_a_place_whose_methods_cannot_be_told_is_closed(tmp_path: Path) -> None:
    text = "Listen 1\n" + PROXIED + "<Location /a>\nAllowMethods \0GET\n</Location>\n"
    (row,) = tomllib.loads(imported(tmp_path, text).text)["locations"]
    assert row == {"id": "a", "path": "/a", "final": True, "require": ["all denied"]}


def test_nobody_gets_to_a_host_whose_clients_cannot_be_asked_for_certificates(tmp_path: Path) -> None:
    text = (
        "Listen 1\n<VirtualHost *:1>\nServerName a\nSSLEngine on\nSSLCertificateFile /a.pem\nSSLVerifyClient require\n"
        "SSLCACertificatePath /cas\nProxyPass / http://h/\n</VirtualHost>\n"
    )
    site = tomllib.loads(imported(tmp_path, text).text)
    assert site["listeners"]["http"]["tls"] == {"certificates": [{"cert": "/a.pem"}]}
    assert site["locations"] == [{"id": "closed", "host": "a", "path": "/", "final": True, "require": ["all denied"]}]


def test_the_site_file_says_at_the_row_what_is_lost(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nProxyPass /a ajp://h/\n")
    above, _ = found.text.split("[[routes]]")
    why = " ".join(each.removeprefix("#").strip() for each in above.partition("Lost:")[2].splitlines())
    assert why.strip() == found.report.losses[0].why


GUIDE = """
Listen 8080
ServerName localhost
ProxyRequests Off
ProxyTimeout 60
ProxyErrorOverride On
ProxyPass /service/index !
ProxyPass /service http://localhost:8000/service
ProxyPassReverse /service http://localhost:8000/service
<Proxy http://localhost:8000/service>
    Require all granted
    Options None
</Proxy>
RewriteEngine On
RewriteOptions InheritDownBefore
RewriteRule ^/$ %{REQUEST_SCHEME}://%{HTTP_HOST}/index.html [redirect,last]
RewriteRule ^/service2/(.*) balancer://backend/service2/$1 [proxy,last]
ProxyPassReverse / balancer://backend/
<Proxy balancer://backend>
    BalancerMember http://localhost:8000 route=backend-port-8000
    BalancerMember http://localhost:8001 route=backend-port-8001
    Require all granted
    Options None
</Proxy>
SecRule REMOTE_ADDR "^(.)" "phase:1,id:50001,nolog,pass,capture,t:sha1,t:hexEncode,setenv:IPHashChar=%{TX.1}"
RewriteMap hashchar2backend "txt:hashchar2backend.txt"
RewriteCond "%{ENV:IPHashChar}" ^(.)
RewriteRule ^/service1/(.*) http://${hashchar2backend:%1|localhost:8000}/service1/$1 [proxy,last]
"""


def test_the_well_known_guide_comes_in_whole(tmp_path: Path) -> None:
    found = imported(tmp_path, GUIDE)
    assert (found.report.losses, found.report.problems) == ([], ())
    site = site_of(tmp_path, GUIDE)
    assert site["env"] == [
        {"name": "IPHashChar", "from": "%{REMOTE_ADDR}", "transform": ["sha1", "hex"], "capture": "^(.)", "value": "$1"}
    ]
    assert [row["flags"] for row in site["rewrites"]] == [["redirect", "last"], ["proxy", "last"], ["proxy", "last"]]
    assert (site["site"]["reverse"], site["site"]["forwarded"]) == ("off", "append")


def test_the_report_for_programs_has_the_keys_that_the_manual_names(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nUser x\nFrobnicate on\nInclude none.conf\n" + PROXIED)
    whole = json.loads(as_json(found.report))
    assert set(whole) == {"counts", "directives", "problems"}
    assert whole["counts"] == {"mapped": 2, "ignored": 2, "unsupported": 1}
    assert whole["directives"][0] == {
        "outcome": "mapped", "directive": "Listen", "text": "Listen 1", "file": "httpd.conf", "line": 1
    }  # fmt: skip
    assert set(whole["directives"][2]) == {"outcome", "directive", "text", "file", "line", "why"}
    assert set(whole["problems"][0]) == {"what", "todo", "file", "line", "column"}
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert all(f"`{key}`" in manual for key in (*whole, *whole["directives"][2], *whole["problems"][0]))


def test_names_of_directives_stand_in_one_table_each() -> None:
    tables = ("HANDLERS", "IGNORED", "UNSUPPORTED")
    names = [name for subject in SUBJECTS for table in tables for name in getattr(subject, table, ())]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert all(name == name.lower() for name in names)


SOUND = """
Listen 8080
<VirtualHost *:8080>
ServerName a.test
<Proxy balancer://ws>
BalancerMember ws://127.0.0.1:1
</Proxy>
RewriteEngine On
RewriteCond %{HTTP:Upgrade} =websocket [NC]
RewriteRule ^ balancer://ws%{REQUEST_URI} [P]
ProxyPass /errors !
Alias /errors errors
ProxyPass / http://127.0.0.1:2/
</VirtualHost>
"""


def test_what_is_sound_in_apache_gets_no_warning(tmp_path: Path) -> None:
    site = parse(imported(tmp_path, SOUND).text).site
    assert site is not None
    assert lint(site) == ()
