"""Directives become rows of a site, each with its place, and everything is counted."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from proxy_core.apache.importer import IGNORED, LOST, THEMES, Imported, import_file
from proxy_core.apache.report import as_json
from proxy_core.config.reading.document import parse
from proxy_core.rules.lint.site import lint


def imported(folder: Path, text: str) -> Imported:
    (folder / "httpd.conf").write_text(text)
    return import_file(folder / "httpd.conf", {}, True)


def site_of(folder: Path, text: str) -> dict[str, Any]:
    """The site file of a configuration, which must be sound."""
    found = imported(folder, text)
    document = parse(found.text)
    assert document.site is not None, document.problems
    assert [each for each in lint(document.site) if each.severity == "error"] == []
    return tomllib.loads(found.text)


PROXIED = "ProxyPass / http://a/\n"
ROWS: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("ProxyPass /a http://h/b", "routes", [{"path": "/a", "proxy": "http://h/b"}]),
    ("ProxyPass /a !", "routes", [{"path": "/a", "except": True}]),
    ("ProxyPassMatch ^/(.*)$ http://h/$1 nocanon", "routes",
     [{"path_regex": "^/(.*)$", "proxy": "http://h/$1", "nocanon": True}]),
    ("ProxyPass /a http://h/ timeout=5 upgrade=websocket", "routes",
     [{"path": "/a", "proxy": "http://h/", "timeout": 5, "upgrade": ["websocket"]}]),
    ("ProxyPass /s http://h/\n<Location /a>\nProxyPass http://i/\n</Location>\n"
     "<Location /a/b>\nProxyPass !\n</Location>", "routes",
     [{"path": "/a/b", "except": True}, {"path": "/a", "proxy": "http://i/"}, {"path": "/s", "proxy": "http://h/"}]),
    ("<Location /a>\nProxyPassReverse http://h/b\n</Location>", "reverse",
     [{"internal": "http://h/b", "public": "/a"}]),
    ("ProxyPassReverseCookiePath /in /out", "reverse", [{"kind": "cookie_path", "internal": "/in", "public": "/out"}]),
    ("Header always set X-A b env=V", "headers",
     [{"on": "always", "action": "set", "name": "X-A", "value": "b", "env": "V"}]),
    ("RequestHeader unset X-A", "headers", [{"on": "request", "action": "unset", "name": "X-A"}]),
    ("<If \"%{HTTP:A} == 'b'\">\nHeader set X y\n</If>\n<Else>\nHeader set X z\n</Else>", "headers",
     [{"on": "response", "action": "set", "name": "X", "value": "y"},
      {"on": "response", "action": "set", "name": "X", "value": "z"}]),
    ("<If \"%{HTTP:A} == 'b'\">\nHeader set X y\n</If>\n<ElseIf \"true\">\nRequire ip 10\n</ElseIf>", "locations",
     [{"id": "root", "path": "/", "expr": "%{HTTP:A} == 'b'"},
      {"id": "root-2", "path": "/", "expr": "!(%{HTTP:A} == 'b') && (true)", "require": ["ip 10"]}]),
    ("<Location /a>\n<If \"true\">\nRequire all denied\n</If>\n</Location>", "locations",
     [{"id": "a", "path": "/a", "expr": "true", "require": ["all denied"]}]),
    ("<If \"true\">\nRedirect 301 /a http://b/\n</If>", "rewrites",
     [{"pattern": "^", "substitution": "http://b/%1", "flags": ["R=301", "L"],
       "conditions": [{"test": "%{REQUEST_URI}", "pattern": "^/a(/.*)?$"}]}]),
    ("<ProxyMatch ^http://10>\nRequire all denied\n</ProxyMatch>", "locations",
     [{"id": "http-10", "target_regex": "^http://10", "require": ["all denied"]}]),
    ("<Location /a>\nAuthMerging And\nRequire ip 10\n</Location>", "locations",
     [{"id": "a", "path": "/a", "require": ["ip 10"], "merging": "and"}]),
    ("<Location /a>\nSetEnvIf A b c\nSetEnv d e\nRequire env c\n</Location>", "env",
     [{"name": "c", "from": "%{HTTP:A}", "capture": "b", "value": "1"}, {"name": "d", "value": "e"}]),
    ("SetEnv d e\nSetEnv f g\nUnsetEnv f\nPassEnv HOME", "env",
     [{"name": "d", "value": "e", "late": True},
      {"name": "HOME", "from": "%{ENV:HOME}", "capture": "(?s)^(.+)$", "late": True}]),
    ("<AuthzProviderAlias ip inside \"10.0.0.0/8\">\n</AuthzProviderAlias>\n"
     "<Location /a>\nRequire inside\n</Location>", "locations",
     [{"id": "a", "path": "/a", "require": ["ip 10.0.0.0/8"]}]),
    ("<Location /a>\nProxyErrorOverride On 502\n</Location>", "locations",
     [{"id": "a", "path": "/a", "error_override": True, "override_codes": ["502"]}]),
    ("SecRule REQUEST_HEADERS:User-Agent \"@pm curl wget\" \"id:1,phase:1,pass,setenv:BOT=1\"", "env",
     [{"name": "BOT", "from": "%{HTTP:User-Agent}", "capture": "(?i)(curl|wget)", "value": "1"}]),
    ("AliasMatch ^/static/(.*)$ /srv/s/$1", "routes", [{"path": "/static/", "folder": "/srv/s"}]),
    ("<Location /a>\nSSLRequireSSL\n</Location>\n<Location /a/b>\nRequire ip 10\n</Location>", "access",
     [{"match": "all", "require": ["expr %{HTTPS} == 'on'", "all granted"]},
      {"match": "all", "require": ["expr %{HTTPS} == 'on'", "ip 10"]}]),
    ("SetEnvIf X-A ^b$ v=$0 !w", "env",
     [{"name": "v", "from": "%{HTTP:X-A}", "capture": "^b$", "value": "$0"},
      {"name": "w", "from": "%{HTTP:X-A}", "capture": "^b$", "unset": True}]),
    ("ErrorDocument 404 default", "errors", [{"status": ["404"], "builtin": True}]),
    ("ErrorDocument 404 \"not here\"", "errors", [{"status": ["404"], "text": "not here"}]),
    ("RewriteEngine On\nRewriteCond %{HTTP_HOST} ^a [NC]\nRewriteRule ^/x$ /y [R=301,L]", "rewrites",
     [{"pattern": "^/x$", "substitution": "/y", "flags": ["R=301", "L"],
       "conditions": [{"test": "%{HTTP_HOST}", "pattern": "^a", "flags": ["NC"]}]}]),
    ("RewriteRule ^/x$ /y [R]", "rewrites", []),
    ("ProxyPass /a http://h/${A} interpolate\nProxyPass /b http://h/${A}\nProxyPassInterpolateEnv On", "routes",
     [{"path": "/a", "proxy": "http://h/${A}", "interpolate": True}, {"path": "/b", "proxy": "http://h/${A}"}]),
    ("ProxyPass /a http://h/${A} interpolate", "routes", [{"path": "/a", "proxy": "http://h/${A}"}]),
    ("Redirect permanent /a http://h/b\nAlias /f /srv/f", "routes",
     [{"path": "/a", "redirect": {"to": "http://h/b", "status": 301}}, {"path": "/f", "folder": "/srv/f"}]),
    ("Alias /f/ /srv/f/\nRedirectMatch gone ^/a$", "routes",
     [{"path_regex": "^/a$", "redirect": {"status": 410}}, {"path": "/f/", "folder": "/srv/f"}]),
    ("ProxyPass /a http://h/\n<Location /a/f>\nAlias /srv/f\n</Location>", "routes",
     [{"path": "/a", "proxy": "http://h/"}, {"path": "/a/f", "folder": "/srv/f"}]),
    ("ScriptAlias /cgi-bin/ /usr/lib/cgi-bin/", "locations",
     [{"id": "closed", "path": "/cgi-bin/", "require": ["all denied"]}]),
    ("LimitRequestBody 9\n<Location /a>\nLimitRequestBody 0\n</Location>", "locations",
     [{"id": "a", "path": "/a", "max_body": 0}]),
    ("<Proxy http://h/x*>\nProxySet timeout=9\n</Proxy>", "locations",
     [{"id": "http-h-x", "target": "http://h/x", "timeout": 9}]),
    # Groups are filled in where the pattern is more than plain text (non_regex_pattern in mod_setenvif.c).
    ("SetEnvIf ^A b V", "env", [{"name": "V", "fields": "^A", "capture": "b", "value": "1"}]),
    ("SetEnvIf A b.c V=$0%1", "env", [{"name": "V", "from": "%{HTTP:A}", "capture": "b.c", "value": "$0\\%1"}]),
    ("SetEnvIf A b V=$0", "env", [{"name": "V", "from": "%{HTTP:A}", "capture": "b", "value": "\\$0"}]),
    ("SetEnvIf A b V= W=!x", "env",
     [{"name": "V", "from": "%{HTTP:A}", "capture": "b", "value": "1"},
      {"name": "W", "from": "%{HTTP:A}", "capture": "b", "unset": True}]),
    ("RewriteEngine On\nRewriteCond %{HTTP:A} \"\"\nRewriteRule \"\" /x/${gone:$0|y} [PT]", "rewrites",
     [{"pattern": "^", "substitution": "/x/${gone:$0|y}", "flags": ["PT"],
       "conditions": [{"test": "%{HTTP:A}", "pattern": "^"}]}]),
    ("RewriteEngine On\nRewriteRule ^/a ${gone:b} [PT]", "maps", [{"type": "txt"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), ROWS)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    rows = site_of(tmp_path, "Listen 8080\n" + text).get(table, [])
    rows = list(rows.values()) if isinstance(rows, dict) else rows
    assert [{key: value for key, value in row.items() if key != "location"} for row in rows] == found


SERVED = "DocumentRoot {0}/www\nAlias /al {0}/files\n"
OF_FILES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Directory />\nRequire all denied\n</Directory>\n<Directory {0}>\nRequire all granted\n</Directory>",
     "locations", []),
    ("<Directory />\nRequire all denied\n</Directory>\n<Directory {0}/www>\nRequire ip 10\n</Directory>", "locations",
     [{"folder": "/", "require": ["all denied"]}, {"folder": "www", "require": ["ip 10"]}]),
    ("<Directory {0}/www/s>\nRequire ip 10\nOptions None\n</Directory>", "locations",
     [{"folder": "www/s", "require": ["ip 10"]}]),
    ("<Directory /elsewhere>\nRequire ip 10\n</Directory>", "locations", []),
    ("<Files \"*.b?k\">\nRequire all denied\n</Files>", "locations",
     [{"files": "^.*\\.b.k$", "require": ["all denied"]}]),
    ("<Directory {0}/www>\n<FilesMatch \\.js$>\nHeader set A b\n</FilesMatch>\n</Directory>", "locations",
     [{"folder": "www", "files": "\\.js$"}]),
    ("<FilesMatch ^\\.ht>\nRequire all denied\n</FilesMatch>", "locations", []),
    ("<Directory {0}/www/s>\nRewriteEngine On\nRewriteRule ^a$ b [L]\nRewriteRule ^c$ /d\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/s/b", "flags": ["L"]}, {"pattern": "^c$", "substitution": "/d"}]),
    ("<Directory {0}/files>\nRewriteEngine On\nRewriteRule ^a$ b\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/al/b"}]),
    ("<Directory {0}/www>\nRewriteEngine On\nRewriteBase /x/\nRewriteRule ^a$ b\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/x/b"}]),
    ("FallbackResource /index.html", "rewrites",
     [{"pattern": "^", "substitution": "/index.html", "flags": ["END"],
       "conditions": [{"test": "%{REQUEST_FILENAME}", "pattern": "!-f"},
                      {"test": "%{REQUEST_FILENAME}", "pattern": "!-d"}]}]),
    ("<Directory {0}/www>\nRewriteRule ^a$ b\n</Directory>", "rewrites", []),
    ("<Location /a>\nRewriteEngine On\nRewriteCond %{{HTTPS}} off\nRewriteRule ^ https://h/ [R]\n</Location>",
     "rewrites", [{"pattern": "^", "substitution": "https://h/", "flags": ["R"],
                   "conditions": [{"test": "%{HTTPS}", "pattern": "off"}]}]),
    ("<Location /a>\nRewriteEngine On\nRewriteRule x - [F]\n</Location>\n"
     "<Location /a/b>\nRewriteEngine Off\n</Location>", "rewrites",
     [{"pattern": "x", "substitution": "-", "flags": ["F"]}, {"pattern": "^", "substitution": "-"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), OF_FILES)
def test_sections_about_files_and_their_rules(
    tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]
) -> None:
    rows = site_of(tmp_path, "Listen 1\n" + (SERVED + text).format(tmp_path)).get(table, [])
    assert [{key: value for key, value in row.items() if key not in ("location", "id")} for row in rows] == found


CLOSES = [
    ("<FilesMatch \\.php$>\nSetHandler proxy:fcgi://localhost\n</FilesMatch>", {"files": "\\.php$"}),
    ("AddHandler cgi-script .cgi .pl", {"files": "(?i)\\.(?:cgi|pl)(?:\\.|$)"}),
    ("AddType application/x-httpd-php .php", {"files": "(?i)\\.(?:php)(?:\\.|$)"}),
    ("<DirectoryMatch /private/>\nRequire ip 10\n</DirectoryMatch>", {"folder": "/"}),
    ("ScriptAlias /cgi-bin/ /usr/lib/cgi-bin/", {"path": "/cgi-bin/"}),
    ("<Directory {0}/www>\nAllowOverride All\n</Directory>", {"folder": "www"}),
]


@pytest.mark.parametrize(("text", "where"), CLOSES)
def test_nobody_reads_a_program_or_what_a_lost_section_guarded(
    tmp_path: Path, text: str, where: dict[str, str]
) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / ".htaccess").touch()
    found = imported(tmp_path, "Listen 1\n" + SERVED.format(tmp_path) + text.replace("{0}", str(tmp_path)))
    (row,) = tomllib.loads(found.text)["locations"]
    assert {key: value for key, value in row.items() if key != "id"} == {**where, "require": ["all denied"]}
    assert found.report.losses


def test_a_balancer_comes_with_its_members(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        "Listen 1\nProxyPass / balancer://B/ stickysession=ID|id nofailover=On\n<Proxy balancer://B>\n"
        "BalancerMember http://10.0.0.1:80 loadfactor=3 status=+H route=one\nBalancerMember http://b.test/x retry=0\n"
        "ProxySet lbmethod=bybusyness maxattempts=1\n</Proxy>",
    )
    assert site["balancers"] == {
        "b": {
            "method": "bybusyness",
            "maxattempts": 1,
            "sticky": {"cookie": "ID", "param": "id", "nofailover": True},
            "members": {
                "10-0-0-1-80": {"url": "http://10.0.0.1:80", "weight": 3, "role": "standby", "route": "one"},
                "b": {"url": "http://b.test/x", "retry": 0},
            },
        }
    }


INHERITS = [
    ("InheritDownBefore", "RewriteEngine On", None),
    ("InheritDown", "RewriteEngine On", "after"),
    ("InheritDown", "RewriteEngine On\nRewriteOptions IgnoreInherit", "own"),
    ("InheritDown", "RewriteEngine Off", "off"),
    ("InheritDown", "", "off"),
    ("AllowNoSlash", "RewriteOptions InheritBefore", None),
    ("AllowNoSlash", "RewriteOptions Inherit", "after"),
]


@pytest.mark.parametrize(("main", "host", "way"), INHERITS)
def test_a_host_inherits_rules_as_mod_rewrite_merges_them(
    tmp_path: Path, main: str, host: str, way: str | None
) -> None:
    text = (
        f"Listen 80\nRewriteEngine On\nRewriteOptions {main}\nRewriteRule ^/m /x [R]\n"
        "<VirtualHost *:80>\nServerName c.test\nRewriteOptions Inherit\nRewriteRule ^/c /z [R]\n</VirtualHost>\n"
        f"<VirtualHost *:80>\nServerName d.test\n{host}\n</VirtualHost>"
    )
    site = site_of(tmp_path, text)
    assert site["hosts"]["d"].get("rewrites") == way


def test_a_map_of_a_host_with_a_name_that_is_taken_gets_another(tmp_path: Path) -> None:
    host = (
        "<VirtualHost *:80>\nServerName {0}\nRewriteEngine On\nRewriteMap m int:{1}\nRewriteRule ^/(.*) /${{m:$1}} [R]"
    )
    text = "\n".join(
        ["Listen 80", *(host.format(*x) + "\n</VirtualHost>" for x in (("a", "toupper"), ("b", "tolower")))]
    )
    site = site_of(tmp_path, text)
    assert {name: row["function"] for name, row in site["maps"].items()} == {"m": "toupper", "m-2": "tolower"}
    assert [row["substitution"] for row in site["rewrites"]] == ["/${m:$1}", "/${m-2:$1}"]


def test_hosts_belong_to_the_listeners_that_lead_to_them(tmp_path: Path) -> None:
    host = "<VirtualHost {}>\nServerName {}.test\nProxyPass / http://{}/\n</VirtualHost>\n"
    hosts = (("*:1", "a", "a"), ("*:2 *:1", "b", "b"), ("*:3", "c", "c"), ("*", "d", "d"))
    site = site_of(tmp_path, "Listen 1\nListen 127.0.0.1:2\n" + "".join(host.format(*each) for each in hosts))
    assert {name: row.get("listeners") for name, row in site["hosts"].items()} == {"a": ["http"], "b": None, "d": None}


def test_everything_is_counted_once_and_losses_say_why(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nUser x\n" + PROXIED + "Frobnicate on\nRewriteRule ^/x /y [Z]\n")
    counts = [found.report.count(outcome) for outcome in ("mapped", "ignored", "unsupported")]
    assert counts == [3, 1, 1]
    (loss,) = found.report.losses
    assert (loss.file, loss.line, loss.directive) == ("httpd.conf", 4, "Frobnicate")
    assert "Frobnicate on" in found.text


def test_what_the_site_file_would_refuse_is_counted_and_is_off_or_a_comment(tmp_path: Path) -> None:
    found = imported(tmp_path, "Listen 1\nRewriteEngine On\nRewriteRule ^/x /y [Z]\nRewriteRule ^/(x /y\n" + PROXIED)
    assert parse(found.text).site is not None
    assert [(loss.line, loss.directive) for loss in found.report.losses] == [(3, "RewriteRule"), (4, "RewriteRule")]
    rows = tomllib.loads(found.text)["rewrites"]
    assert [(row["pattern"], row["enabled"]) for row in rows] == [("^/x", False), ("^/(x", False)]
    assert "#   httpd.conf:4  RewriteRule ^/(x /y" in found.text


@pytest.mark.parametrize(
    ("inside", "conditions"),
    [
        ("Require ldap-user me", ["all denied"]),
        ("Require ip 10\nRequire host example.org", ["ip 10", "all denied"]),
        ("Require expr %{nonsense", ["all denied"]),
        ("AuthType Digest\nRequire valid-user", ["all denied", "valid-user"]),
        ("Order allow,deny\nAllow from example.org", ["all denied"]),
        ("Order deny,allow\nDeny from example.org", ["all denied"]),
        ("Order backwards\nAllow from 10", ["ip 10"]),
        ("SSLRequire %{A} eq 1\nRequire ip 10", ["access secret"]),
    ],
)
def test_an_access_rule_that_is_lost_closes_what_it_guarded(tmp_path: Path, inside: str, conditions: list[str]) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<Location /secret>\n{inside}\n</Location>")
    (row,) = tomllib.loads(found.text)["locations"]
    assert (row["path"], row["require"]) == ("/secret", conditions)
    assert found.report.losses


OLD = [
    ("Order deny,allow\nDeny from all", ["all denied"]),
    ("Order deny,allow\nDeny from all\nAllow from 10.0 192.168.0.0/16", ["ip 10.0", "ip 192.168.0.0/16"]),
    ("Order allow,deny\nAllow from all", ["all granted"]),
    ("Order allow,deny", ["all denied"]),
    ("Order deny,allow\nDeny from env=bad", ["access x"]),
    ("Order allow,deny\nAllow from env=good", ["env good"]),
    ("Deny from all\nAllow from 10\nSatisfy any\nAuthType Basic\nAuthUserFile u\nRequire valid-user",
     ["ip 10", "valid-user"]),
    ("<Limit POST>\nRequire ip 10\n</Limit>", ["access x", "access x-2"]),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "conditions"), OLD)
def test_access_of_httpd_2_2_is_put_into_the_words_of_require(
    tmp_path: Path, inside: str, conditions: list[str]
) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /y>\nRequire ip 1\nOrder allow,deny\nAllow from all\n"
                   f"</Location>\n<Location /x>\n{inside}\n</Location>")  # fmt: skip
    assert site["locations"][-1]["require"] == conditions


def test_require_and_order_in_sections_within_each_other_close_the_inner_one(tmp_path: Path) -> None:
    inner = "<Location /a/b>\nOrder allow,deny\nAllow from all\n</Location>"
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\nRequire ip 10\n</Location>\n{inner}")
    assert tomllib.loads(found.text)["locations"][1]["require"] == ["all denied"]
    assert [loss.directive for loss in found.report.losses] == ["Order", "Allow"]


def test_an_access_rule_outside_of_sections_closes_the_server(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}Require ip 10\n")
    assert tomllib.loads(found.text)["locations"] == [{"id": "closed", "path": "/", "require": ["all denied"]}]
    assert found.report.losses


def test_groups_of_conditions_become_tables(tmp_path: Path) -> None:
    inside = "<RequireAll>\nRequire ip 10\nRequire not method POST\n</RequireAll>\nRequire local"
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\n{inside}\n</Location>")
    assert site["locations"][0]["require"] == ["access a", "local"]
    assert site["access"] == {"a": {"match": "all", "require": ["ip 10", "not method POST"]}}


def test_conditions_that_keep_nobody_out_are_left_out(tmp_path: Path) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\nRequire all granted\n</Location>")
    assert "locations" not in site


def test_certificates_of_hosts_belong_to_their_listener(tmp_path: Path) -> None:
    host = "<VirtualHost *:443>\nServerName {0}.test\nSSLEngine on\nSSLCertificateFile {0}.pem\n</VirtualHost>\n"
    text = f"Listen 80\nListen 443\nSSLProtocol all -TLSv1.2\n{host.format('a')}{host.format('b')}"
    site = site_of(tmp_path, text + "ProxyPass / https://10.0.0.1/\n")
    assert site["listeners"]["https"]["tls"] == {
        "certificates": [{"cert": "a.pem"}, {"cert": "b.pem"}],
        "min_version": "1.3",
    }
    assert site["upstream_tls"] == {"verify": False}
    assert "tls" not in site["listeners"]["http"]


SINGLE = [
    ("ProxyPass / http://h/ connectiontimeout=3", "site", {"connect_timeout": 3}),
    ("HeartbeatListen 239.0.0.1:27999", "heartbeat", {"address": "239.0.0.1:27999"}),
]


@pytest.mark.parametrize(("text", "table", "found"), SINGLE)
def test_directives_become_settings(tmp_path: Path, text: str, table: str, found: dict[str, Any]) -> None:
    site = site_of(tmp_path, "Listen 1\nProxyPass /z http://z/\n" + text)
    assert {key: site[table].get(key) for key in found} == found
    assert imported(tmp_path, "Listen 1\n" + text).report.losses == []


def test_of_several_spans_for_connecting_the_longest_holds(tmp_path: Path) -> None:
    text = "Listen 1\nProxyPass /a http://h/ connectiontimeout=3\nProxyPass /b http://h/ connectiontimeout=500ms"
    found = imported(tmp_path, text)
    assert tomllib.loads(found.text)["site"]["connect_timeout"] == 3
    assert [loss.line for loss in found.report.losses] == [3]


def test_a_listener_asks_clients_for_certificates_as_its_strictest_host_does(tmp_path: Path) -> None:
    host = "<VirtualHost *:443>\nServerName {0}\nSSLEngine on\nSSLCertificateFile {0}.pem\n{1}\n</VirtualHost>\n"
    hosts = host.format("a", "") + host.format("b", "SSLVerifyClient require\nSSLCACertificateFile ca.pem")
    found = imported(tmp_path, "Listen 443\n" + hosts + PROXIED)
    tls = tomllib.loads(found.text)["listeners"]["https"]["tls"]
    assert (tls["client_verify"], tls["client_ca"]) == ("require", "ca.pem")
    assert {loss.directive for loss in found.report.losses} == {"SSLVerifyClient", "SSLCACertificateFile"}


def test_a_host_may_have_a_certificate_for_each_kind_of_key(tmp_path: Path) -> None:
    files = "".join(f"SSLCertificateFile {kind}.pem\nSSLCertificateKeyFile {kind}.key\n" for kind in ("rsa", "ec"))
    site = site_of(tmp_path, f"Listen 443\n<VirtualHost *:443>\nSSLEngine on\n{files}</VirtualHost>\n{PROXIED}")
    rows = site["listeners"]["https"]["tls"]["certificates"]
    assert rows == [{"cert": "rsa.pem", "key": "rsa.key"}, {"cert": "ec.pem", "key": "ec.key"}]


def test_who_asks_for_a_password_is_said_in_sections_within_each_other(tmp_path: Path) -> None:
    outer = "<Location />\nAuthType Basic\nAuthName Staff\nAuthUserFile users\n</Location>"
    inner = "<Location /a>\nAuthUserFile others\nRequire valid-user\n</Location>"
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}{outer}\n{inner}")
    assert site["auth"] == {
        "staff": {"realm": "Staff", "file": "users"},
        "staff-2": {"realm": "Staff", "file": "others"},
    }


def test_a_condition_that_is_lost_closes_for_everybody(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<If \"ldap('x') == 'y'\">\nRequire all denied\n</If>")
    (row,) = tomllib.loads(found.text)["locations"]
    assert row == {"id": "root", "path": "/", "require": ["all denied"]}


def test_programs_and_databases_come_in_only_when_allowed(tmp_path: Path) -> None:
    text = "Listen 1\nRewriteEngine On\nRewriteMap m prg:/bin/x\nRewriteRule ^/a ${m:b} [PT]\n" + PROXIED
    (tmp_path / "httpd.conf").write_text(text)
    site = tomllib.loads(import_file(tmp_path / "httpd.conf", {}, False).text)
    assert "maps" not in site
    assert not any(row.get("enabled", True) for row in site.get("rewrites", []))
    assert tomllib.loads(import_file(tmp_path / "httpd.conf", {}, True).text)["maps"]["m"]["command"] == ["/bin/x"]


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


def test_a_page_with_a_local_path_is_asked_for_there(tmp_path: Path) -> None:
    text = f"Listen 1\nDocumentRoot {tmp_path}\nErrorDocument 503 /sorry.html\n"
    assert site_of(tmp_path, text)["errors"] == [{"status": ["503"], "path": "/sorry.html"}]


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
    names = [name for theme in THEMES for name in theme.HANDLERS] + [*IGNORED, *LOST]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert all(name == name.lower() for name in names)


def test_bounds_of_the_first_host_of_an_address_are_its_listeners_and_those_of_others_are_lost(tmp_path: Path) -> None:
    """``ap_read_request`` keeps the limits of the connection's server, which no name has chosen yet."""
    hosts = "".join(
        f"<VirtualHost *:1>\nServerName {name}.test\nLimitRequestLine {bytes}\nKeepAliveTimeout 3\n</VirtualHost>\n"
        for name, bytes in (("a", 400), ("b", 300))
    )
    text = "Listen 1\nListen 2\nLimitRequestFields 50\n" + hosts + PROXIED
    site = site_of(tmp_path, text)
    assert site["limits"] == {"fields": 50}
    assert site["listeners"]["http"]["limits"] == {"request_line": 400, "idle_time": 3}
    assert "limits" not in site["listeners"]["http-2"]
    lost = {loss.line: loss.why for loss in imported(tmp_path, text).report.losses}
    assert sorted(lost) == [11, 12]
    assert "first host" in lost[11]


def test_a_proxy_header_is_asked_of_those_who_are_believed_and_of_nobody_else(tmp_path: Path) -> None:
    text = "Listen 1\nListen 2\n<VirtualHost *:2>\nServerName a\nRemoteIPProxyProtocol On\n</VirtualHost>\n" + PROXIED
    believed = site_of(tmp_path, text + "RemoteIPInternalProxy 10.0.0.0/8\n")
    assert "proxy_protocol" not in believed["listeners"]["http"]
    assert believed["listeners"]["http-2"]["proxy_protocol"] is True
    assert believed["site"]["internal_proxies"] == ["10.0.0.0/8"]
    assert "proxy_protocol" not in site_of(tmp_path, text)["listeners"]["http-2"]
    assert "nobody is believed" in {loss.line: loss.why for loss in imported(tmp_path, text).report.losses}[5]


@pytest.mark.parametrize(
    ("form", "found", "lost"),
    [
        (r"%h %l %u %t \"%r\" %>s %O", "common", ""),
        (r"%v:%p %h \"%r\" %>s %D %{X-Id}i", '%v:%p %h "%r" %>s %D %{X-Id}i', ""),
        (r"%h %{Foo}^ti", "combined", "%{Foo}^ at character 4"),
        (r"%h %Z", "combined", "%Z at character 4"),
    ],
)
def test_a_format_of_the_log_comes_in_or_names_what_is_unknown(
    tmp_path: Path, form: str, found: str, lost: str
) -> None:
    text = f'LogFormat "{form}" own\nCustomLog access.log own\nListen 80\n{PROXIED}'
    assert site_of(tmp_path, text)["access_log"].get("format", "combined") == found
    losses = [each.why for each in imported(tmp_path, text).report.entries if each.outcome == "unsupported"]
    assert [lost in why for why in losses] == [True] * bool(lost)
