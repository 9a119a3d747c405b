"""Over the wire, the real Apache httpd and our own server serve the same files and send clients to the same places.

One folder is the DocumentRoot of both. Compared are status, Location, Allow, Content-Type, Content-Range and body of
what is found; bodies of errors are each server's own. Apache's manual: core (DocumentRoot), mod_dir, mod_alias.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_core.config.model import Options, Redirection, RewriteRule, Route, Site
from proxy_core.rules.lint.site import lint
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.echo import heads
from tests.conformance.rproxy import chosen

pytestmark = pytest.mark.apache

FILES = {
    "index.html": "root", "page.html": "0123456789", "sub/index.html": "sub", "bare/x.txt": "x", "a b/c.css": "c",
    "static/s.js": "js", "both/index.html": "both", "x.svg": "<svg/>", "old/kept.html": "kept", "re.html": "rewritten",
}  # fmt: skip


def site(port: int, folder: Path) -> Site:
    back = f"http://127.0.0.1:{port}"
    redirects = [
        ("/moved", "http://new.test/there", 302), ("/perm", "/else where", 301),
        ("/query", "http://new.test/?a=b", 302),
        ("/gone", "", 410), ("/slash/", "http://new.test/s/", 303),
    ]  # fmt: skip
    return Site(
        site=Options(document_root=str(folder), forwarded="append", reverse="off"),
        rewrites=(RewriteRule(id="re", pattern="^/rewritten$", substitution="/re.html", flags=("L",)),),
        routes=(
            Route(id="x1", path="/sub", except_=True),
            Route(id="x2", path="/al/not", except_=True),
            Route(id="x3", path="/moved/not", except_=True),
            Route(id="p1", path="/sub", proxy=f"{back}/in"),
            Route(id="p2", path="/app", proxy=f"{back}/in"),
            Route(id="p3", path="/moved/proxied", proxy=f"{back}/in"),
            *(Route(id=f"r{n}", path=path, redirect=Redirection(to=to, status=status))
              for n, (path, to, status) in enumerate(redirects)),
            Route(id="m1", path_regex="^/old/(.*)\\.gif$", redirect=Redirection(to="http://new.test/$1.png")),
            Route(id="m2", path_regex="^/re/(.*)", redirect=Redirection(to="/x?from=$1", status=307)),
            Route(id="f1", path="/al", folder=str(folder / "static")),
            Route(id="f2", path="/slashed/", folder=str(folder / "static")),
        ),
    )  # fmt: skip


def spelled(port: int, folder: Path) -> str:
    back = f"http://127.0.0.1:{port}"
    return "\n".join([
        "TypesConfig /etc/mime.types\n<VirtualHost *>\nServerName c.test\nDirectoryIndex index.html\nTraceEnable Off",
        f"DocumentRoot {folder}",
        f"<Directory {folder}>\nRequire all granted\nOptions None\n</Directory>",
        "RewriteEngine On\nRewriteRule ^/rewritten$ /re.html [L]",
        f"ProxyPass /sub !\nProxyPass /al/not !\nProxyPass /moved/not !\nProxyPass /sub {back}/in",
        f"ProxyPass /app {back}/in\nProxyPass /moved/proxied {back}/in",
        'Redirect /moved http://new.test/there\nRedirect permanent /perm "/else where"',
        "Redirect /query http://new.test/?a=b\nRedirect gone /gone\nRedirect seeother /slash/ http://new.test/s/",
        "RedirectMatch ^/old/(.*)\\.gif$ http://new.test/$1.png\nRedirectMatch 307 ^/re/(.*) /x?from=$1",
        f"Alias /al {folder}/static\nAlias /slashed/ {folder}/static/",
        "</VirtualHost>",
    ])  # fmt: skip


ASKED = [
    *(("GET", target) for target in (
        "/", "/page.html", "/page.html?q=1", "/%70age.html", "/none", "/sub", "/sub/", "/sub/index.html", "/sub?q=1",
        "/bare", "/bare/", "/bare/x.txt", "/a%20b/c.css", "/a%20b", "/x.svg", "/page.html/", "/page.html/more",
        "/rewritten", "/rewritten?q=1", "/al", "/al/", "/al/s.js", "/al/none", "/al/not/s.js", "/also",
        "/slashed/s.js", "/slashed", "/moved", "/moved/x", "/moved/x%20y?q=1", "/movedx", "/moved/not/x",
        "/perm", "/perm/x?q", "/query?c=d", "/gone", "/gone/x", "/slash", "/slash/", "/slash/x",
        "/old/a/b%20c.gif?q=1", "/old/kept.html", "/re/a%20b?q=1", "/re/", "//page.html", "/./page.html",
        "/static/../page.html", "/caf%c3%a9",
    )),
    *(("HEAD", target) for target in ("/page.html", "/none", "/sub", "/moved")),
    *((method, target) for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FOO")
      for target in ("/page.html", "/none", "/moved")),
]  # fmt: skip
RANGES = ["bytes=0-3", "bytes=3-", "bytes=-3", "bytes=99-", "bytes=5-2", "lines=1-2", "bytes=0-99"]
COMPARED = ("location", "content-type", "content-range", "content-length", "accept-ranges")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryDirectory() as made, heads() as port:
        Path(made).chmod(0o755)
        folder = Path(made) / "www"
        for name, content in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            (folder / name).write_text(content)
            os.utime(folder / name, (1_000_000_000, 1_000_000_000))
        for below in (folder, *folder.rglob("*")):
            below.chmod(0o755 if below.is_dir() else 0o644)
        ours = site(port, folder)
        assert [str(each) for each in lint(ours) if each.severity == "error"] == []
        modules = [*LOADED, "dir", "autoindex", "alias", "mime", "rewrite"]
        with running(modules, lambda _: [spelled(port, folder)]) as theirs, chosen({"c": ours}) as (mine, choose):
            choose("c")
            yield theirs, mine


def ask(port: int, method: str, target: str, *fields: str) -> tuple[str, dict[str, str], str]:
    lines = [f"{method} {target} HTTP/1.1", "Host: c.test", "Connection: close", *fields]
    if method in ("POST", "PUT", "PATCH"):
        lines.append("Content-Length: 0")
    head, _, body = exchanged(port, "\r\n".join([*lines, "", ""])).partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    status = first.split(" ")[1]
    said = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in rest}
    if method == "OPTIONS" or status == "405":
        return status, {"allow": ",".join(sorted(said.get("allow", "").split(",")))}, ""
    names = COMPARED if status in ("200", "206") else ("location",)
    return status, {name: said[name] for name in names if name in said}, body if status in ("200", "206") else ""


@pytest.mark.parametrize(("method", "target"), ASKED)
def test_files_and_redirects_are_apaches(servers: tuple[int, int], method: str, target: str) -> None:
    theirs, ours = servers
    assert ask(ours, method, target) == ask(theirs, method, target)


@pytest.mark.parametrize("wanted", RANGES)
def test_ranges_are_apaches(servers: tuple[int, int], wanted: str) -> None:
    theirs, ours = servers
    assert ask(ours, "GET", "/page.html", f"Range: {wanted}") == ask(theirs, "GET", "/page.html", f"Range: {wanted}")


VALIDATORS = [
    "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT",
    "If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT",
    "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT",
    'If-None-Match: "other"',
    "If-None-Match: *",
    'If-Match: "other"',
]


@pytest.mark.parametrize("field", VALIDATORS)
def test_validators_are_apaches(servers: tuple[int, int], field: str) -> None:
    theirs, ours = servers
    assert ask(ours, "GET", "/page.html", field) == ask(theirs, "GET", "/page.html", field)
