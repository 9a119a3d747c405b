"""Debian's own configuration with every module and every site in it, and others beside: the import answers as httpd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from proxy_core.apache.importer import import_file
from proxy_core.apache.report import Report
from tests.conformance.echo import DEADLINE
from tests.conformance.importing import asked, filled, members, serving
from tests.ports import free_port
from tests.programs import program

pytestmark = pytest.mark.apache

_FOLDERS = {"/var/www/html": "html", "/var/run/apache2": "run", "/var/log/apache2": "log",
            "/var/lock/apache2": "lock", "/var/cache/apache2": "cache", "/etc/apache2": "etc"}  # fmt: skip

_AT = {"Listen ": "Listen 127.0.0.1:", "*:": "*:"}

SITES = """
<VirtualHost *:80>
  ServerName app.test
  ServerAlias www.app.test
  RewriteEngine On
  RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]
  RewriteRule ^ http://%1%{REQUEST_URI} [R=301,L]
  ProxyPreserveHost On
  ProxyPass /.well-known/ !
  ProxyPass /static !
  Alias /static @html@/static
  ProxyPass / http://127.0.0.1:@one@/
  ProxyPassReverse / http://127.0.0.1:@one@/
  Header always set X-Frame-Options SAMEORIGIN
  ErrorLog ${APACHE_LOG_DIR}/app.log
  CustomLog ${APACHE_LOG_DIR}/app.log combined
</VirtualHost>
<VirtualHost *:80>
  ServerName old.test
  Redirect permanent / https://app.test/
</VirtualHost>
<VirtualHost *:80>
  ServerName pool.test
  <Proxy balancer://pool>
    BalancerMember http://127.0.0.1:@one@ route=one
    BalancerMember http://127.0.0.1:@two@ route=two
    ProxySet stickysession=ROUTE
  </Proxy>
  ProxyPass / balancer://pool/
  ProxyPassReverse / balancer://pool/
  <Location /private>
    Require ip 192.0.2.0/24
  </Location>
</VirtualHost>
"""

REQUESTS = """
GET /
GET /index.html
HEAD /index.html
POST /index.html
GET /none
GET /page.html
GET /page.fr.html
GET /notes.txt
GET /notes.utf8
GET /data.json
GET /archive.tar.gz
GET /picture.svg
GET /below/
GET /static
GET /.htaccess
GET /.htpasswd.bak
GET /icons/blank.gif
GET /icons/none.gif
GET /balancer-manager
GET /none?x=y
GET /../etc/passwd
GET /%2e%2e/etc
GET /index.html | User-Agent: MSIE 4.0b2;
GET /index.html | Range: bytes=0-3
GET /index.html | If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT
GET /index.html | Host: unknown.test
GET /x | Host: app.test
GET /x | Host: www.app.test
GET /static/a.css | Host: app.test
GET /static/none.css | Host: app.test
GET /.well-known/acme-challenge/x | Host: app.test
GET /x?y=z | Host: old.test
GET / | Host: old.test
GET /x | Host: pool.test | Cookie: ROUTE=x.two
GET /private | Host: pool.test
"""
TOLD = {
    "GET /cgi-bin/x": "ScriptAlias /cgi-bin/", "GET /server-status": "SetHandler server-status",
    "GET /server-info": "SetHandler server-info", "GET /menu.var": "AddHandler type-map",
    "GET /page.shtml": "AddOutputFilter INCLUDES",
}  # fmt: skip
"""What may be answered in another way, each with the beginning of the line that says so."""
FILES = {
    "index.html": "<p>index", "page.html": "<p>page", "page.fr.html": "<p>page", "notes.txt": "notes",
    "notes.utf8": "notes", "data.json": "{}", "archive.tar.gz": "x", "picture.svg": "<svg/>", "below/index.html": "<p>",
    "static/a.css": "a {}", "menu.var": "URI: page.html\n", "page.shtml": "<p>",
}  # fmt: skip


_SIGNATURE = re.compile(r"<hr>\n<address>.*</address>\n")


def _tree(top: Path, ports: Mapping[str, int]) -> Path:
    """A copy of Debian's tree with everything on, and its own folders, at these ports."""
    etc = top / "etc"
    shutil.copytree("/etc/apache2", etc)
    for kind in ("mods", "conf", "sites"):
        for file in (etc / f"{kind}-available").iterdir():
            if not file.name.startswith("mpm_"):
                shutil.copy(file, etc / f"{kind}-enabled" / file.name)
    (etc / "sites-enabled" / "others.conf").write_text(filled(SITES, ports, top).replace("@html@", f"{top}/html"))
    (etc / "conf-enabled" / "own.conf").write_text("ServerName localhost\nStartServers 1\n")
    made = trustme.CA().issue_cert("localhost")
    made.private_key_and_cert_chain_pem.write_to_path(top / "pair.pem")
    for file in etc.rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            for place, own in _FOLDERS.items():
                text = text.replace(place, f"{top}/{own}")
            text = re.sub(r"/etc/ssl/(?:certs|private)/ssl-cert-snakeoil\.\w+", f"{top}/pair.pem", text)
            file.write_text(re.sub(r"(Listen |\*:)(80|443)\b", lambda at: f"{_AT[at[1]]}{ports[at[2]]}", text))
    for own in (*_FOLDERS.values(), "run/socks"):
        (top / own).mkdir(exist_ok=True)
    for name, text in FILES.items():
        (top / "html" / name).parent.mkdir(exist_ok=True)
        (top / "html" / name).write_text(text)
    for each in (top, *top.parents[:2]):
        each.chmod(0o755)
    return etc / "apache2.conf"


def _apache(stack: ExitStack, top: Path, conf: Path) -> None:
    names = {"PID_FILE": "run/pid", "RUN_DIR": "run", "LOCK_DIR": "lock", "LOG_DIR": "log"}
    variables = {f"APACHE_{name}": f"{top}/{own}" for name, own in names.items()}
    user = {"APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data"}
    server = subprocess.Popen(
        [program("apache2"), "-d", str(conf.parent), "-f", str(conf), "-DFOREGROUND"],
        env={**os.environ, **variables, **user},
    )
    stack.callback(server.wait, DEADLINE)
    stack.callback(server.terminate)
    deadline = time.monotonic() + DEADLINE
    while not (top / "run" / "pid").exists():
        assert server.poll() is None, "httpd does not start"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, int], dict[str, int], Report]]:
    top = tmp_path_factory.mktemp("debian")
    with members() as ports, ExitStack() as stack:
        theirs = {"80": free_port(), "443": free_port()}
        ours = {"80": free_port(), "443": free_port()}
        _apache(stack, top / "theirs", _tree(top / "theirs", {**ports, **theirs}))
        conf = _tree(top / "ours", {**ports, **ours})
        made = import_file(conf, {"APACHE_LOG_DIR": f"{top}/ours/log"}, False)
        (conf.parent / "site.toml").write_text(made.text)
        stack.enter_context(serving(conf.parent / "site.toml"))
        yield theirs, ours, made.report


@pytest.mark.parametrize("secure", ["", "localhost"], ids=["http", "https"])
@pytest.mark.parametrize("request_", REQUESTS.strip().splitlines())
def test_debians_tree_with_everything_on_answers_as_httpd_does(
    both: tuple[dict[str, int], dict[str, int], Report], request_: str, secure: str
) -> None:
    theirs, ours, _ = both
    port = "443" if secure else "80"
    mine, httpds = asked(ours[port], request_, secure), asked(theirs[port], request_, secure)
    assert mine == [_SIGNATURE.sub("", each) for each in httpds]


@pytest.mark.parametrize(("request_", "loss"), TOLD.items())
def test_what_may_be_answered_in_another_way_is_told_and_gives_nothing_away(
    both: tuple[dict[str, int], dict[str, int], Report], request_: str, loss: str
) -> None:
    _, ours, report = both
    mine = asked(ours["80"], request_)
    assert mine[0] in ("403", "404", "503")
    assert any(each.text.startswith(loss) for each in report.losses)


def test_nothing_else_of_debians_tree_is_lost(both: tuple[dict[str, int], dict[str, int], Report]) -> None:
    _, _, report = both
    others = {"Options", "DAVLockDB", "SetHandler", "UserDir"}  # without them nothing is asked for
    assert {each.directive for each in report.losses} == others | {text.split()[0] for text in TOLD.values()}
    assert report.problems == ()
