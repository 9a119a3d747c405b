"""Over the wire, the real Apache httpd and our own server admit and refuse the same requests.

Each case is what stands in some sections, spelled for both, and requests with and without users; compared are status
and challenge. Apache's manual: mod_authz_core, mod_authz_host, mod_authz_user, mod_auth_basic, mod_authn_file.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy_core.config.model import Access, Auth, EnvRule, Location, Options, Route, Site
from proxy_core.rules.lint.site import lint
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.echo import heads
from tests.conformance.rproxy import chosen

pytestmark = pytest.mark.apache

MODULES = [
    *LOADED, "authz_host", "authz_user", "auth_basic", "authn_core", "authn_file", "setenvif", "rewrite",
]  # fmt: skip
USERS = (
    "anna:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0\n"
    "bert:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
    "carl:$2y$04$JqvcdwFYTqOqKcQZTDZCWeKK.dJUePlF5dm/duIof.Zjze2dnVZ7i\n"
    "dora:\n"
)
PATHS = ["/", "/app", "/app/x", "/apple", "/app/deep/x", "/%61pp/x", "//app//x", "/q/../app", "/none/x"]
ASKED = [(path, "", "GET") for path in PATHS] + [
    ("/app/x", "anna:secret", "GET"), ("/app/x", "anna:wrong", "GET"), ("/app/x", "bert:secret", "GET"),
    ("/app/x", "carl:secret", "GET"), ("/app/x", "dora:", "GET"), ("/app/x", "nobody:secret", "GET"),
    ("/app/x", "anna", "GET"), ("/app/x", "", "POST"), ("/app/x", "", "HEAD"), ("/q", "anna:secret", "GET"),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """``rows`` are sections: what kind with what argument, and the lines in it; several conditions of one table are
    written in its brackets. ``auth``: a password file is named for everything."""

    rows: tuple[tuple[str, str, tuple[str, ...]], ...]
    access: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def at(where: str, *require: str) -> tuple[str, str, tuple[str, ...]]:
    return "path", where, require


def to(target: str, *require: str) -> tuple[str, str, tuple[str, ...]]:
    return "target", target, require


def matching(regex: str, *require: str) -> tuple[str, str, tuple[str, ...]]:
    return "path_regex", regex, require


CASES: dict[str, Case] = {
    "granted": Case((at("/app", "all granted"),)),
    "denied": Case((at("/app", "all denied"),)),
    "denied at the root": Case((at("/", "all denied"),)),
    "below a slash": Case((at("/app/", "all denied"),)),
    "regex": Case((matching("^/app/.*x$", "all denied"),)),
    "ip": Case((at("/app", "ip 127.0.0.1"),)),
    "ip prefix": Case((at("/app", "ip 127"),)),
    "ip network": Case((at("/app", "ip 127.0.0.0/8"),)),
    "ip mask": Case((at("/app", "ip 127.0.0.0/255.0.0.0"),)),
    "ip others": Case((at("/app", "ip 10 192.168.0.0/16 2001:db8::/32"),)),
    "local": Case((at("/app", "local"),)),
    "method": Case((at("/app", "method GET"),)),
    "method post": Case((at("/app", "method POST PUT"),)),
    "env": Case((at("/app", "env good"),)),
    "env missing": Case((at("/app", "env bad"),)),
    "expr": Case((at("/app", "expr %{REQUEST_METHOD} == 'POST'"),)),
    "expr uri": Case((at("/app", "expr %{REQUEST_URI} =~ m#deep#"),)),
    "expr user": Case((at("/app", "expr %{REMOTE_USER} == 'bert'"),)),
    "any": Case((at("/app", "ip 10", "method POST"),)),
    "any granted": Case((at("/app", "ip 10", "method GET"),)),
    "user": Case((at("/app", "user anna"),)),
    "users": Case((at("/app", "user bert carl dora"),)),
    "valid user": Case((at("/app", "valid-user"),)),
    "ip or user": Case((at("/app", "ip 10", "valid-user"),)),
    "here or user": Case((at("/app", "ip 127", "valid-user"),)),
    "all": Case((at("/app", "access a"),), (("a", "all", ("ip 127", "method GET")),)),
    "all denied": Case((at("/app", "access a"),), (("a", "all", ("ip 127", "method PUT")),)),
    "all with not": Case((at("/app", "access a"),), (("a", "all", ("ip 127", "not method POST")),)),
    "all with user": Case((at("/app", "access a"),), (("a", "all", ("ip 127", "valid-user")),)),
    "all with user elsewhere": Case((at("/app", "access a"),), (("a", "all", ("ip 10", "valid-user")),)),
    "not a user": Case((at("/app", "access a"),), (("a", "all", ("valid-user", "not user bert")),)),
    "none beside": Case(
        (at("/app", "access b"),), (("a", "none", ("method POST",)), ("b", "all", ("all granted", "access a")))
    ),
    "nested": Case(
        (at("/app", "access b"),),
        (("a", "any", ("user anna", "method POST")), ("b", "all", ("ip 127", "access a"))),
    ),
    "later replaces": Case((at("/", "all denied"), at("/app", "all granted"))),
    "later replaces a grant": Case((at("/app", "all granted"), at("/", "all denied"))),
    "later says nothing": Case((at("/app", "all denied"), at("/app/deep"))),
    "target": Case((to("http://127.0.0.1:PORT/in/app", "all denied"),)),
    "target is a prefix": Case((to("http://127.0.0.1:PORT/in/ap", "all denied"),)),
    "target wildcard": Case((to("http://*/in/*x", "all denied"),)),
    "path over target": Case((at("/app", "all granted"), to("http://127.0.0.1:PORT/", "all denied"))),
    "path denies over target": Case((to("http://127.0.0.1:PORT/", "all granted"), at("/app", "all denied"))),
    "user at target": Case((to("http://127.0.0.1:PORT/", "valid-user"),)),
}  # fmt: skip


def site(case: Case, port: int, users: Path) -> Site:
    return Site(
        site=Options(auth="staff"),
        auth={"staff": Auth(realm='Staff "only"', file=str(users))},
        access={name: Access(match=match, require=require) for name, match, require in case.access},
        env=(EnvRule(id="good", name="good", from_="%{REQUEST_METHOD}", capture="GET"),),
        locations=tuple(
            Location(id=f"l{n}", require=require, **{kind: where.replace("PORT", str(port))})
            for n, (kind, where, require) in enumerate(case.rows)
        ),
        routes=(
            Route(id="none", path="/none", except_=True),
            Route(id="r", path="/", proxy=f"http://127.0.0.1:{port}/in/"),
        ),
    )


TAGS = {"any": "RequireAny", "all": "RequireAll", "none": "RequireNone"}
SECTIONS = {"path": "Location", "path_regex": "LocationMatch", "target": "Proxy"}


def conditions(case: Case, require: tuple[str, ...]) -> list[str]:
    lines = []
    for text in require:
        kind, _, name = text.partition(" ")
        if kind == "access":
            match, inside = next((m, r) for n, m, r in case.access if n == name)
            lines += [f"<{TAGS[match]}>", *conditions(case, inside), f"</{TAGS[match]}>"]
        else:
            lines.append(f"Require {text}")
    return lines


def spelled(name: str, case: Case, port: int, users: Path) -> str:
    auth = ["AuthType Basic", 'AuthName "Staff \\"only\\""', "AuthBasicProvider file", f"AuthUserFile {users}"]
    lines = [f"<VirtualHost *>\nServerName {name}.test", "SetEnvIf Request_Method GET good"]
    for tag in ("Directory />", "Proxy *>"):
        lines += [f"<{tag}", *auth, "Require all granted", f"</{tag.split()[0]}>"]
    lines += ["ProxyPass /none !", f"ProxyPass / http://127.0.0.1:{port}/in/"]
    for kind, where, require in case.rows:
        tag = SECTIONS[kind]
        lines += [f'<{tag} "{where.replace("PORT", str(port))}">', *conditions(case, require), f"</{tag}>"]
    return "\n".join([*lines, "</VirtualHost>"])


NAMES = {f"c{number}": name for number, name in enumerate(CASES)}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int, Callable[[str], None]]]:
    with tempfile.TemporaryDirectory() as made, heads() as port:
        Path(made).chmod(0o755)
        users = Path(made) / "users"
        users.write_text(USERS)
        named = {short: CASES[name] for short, name in NAMES.items()}
        hosts = [spelled(short, case, port, users) for short, case in named.items()]
        sites = {short: site(case, port, users) for short, case in named.items()}
        for name, each in sites.items():
            assert [str(found) for found in lint(each) if found.severity == "error"] == [], NAMES[name]
        with running(MODULES, lambda folder: hosts) as theirs, chosen(sites) as (ours, choose):
            yield theirs, ours, choose


def ask(port: int, short: str, path: str, user: str, method: str) -> list[str]:
    """The status, and the challenge where there is one."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {short}.test", "Connection: close"]
    if user:
        lines.append("Authorization: Basic " + base64.b64encode(user.encode()).decode())
    if method == "POST":
        lines.append("Content-Length: 0")
    head = exchanged(port, "\r\n".join([*lines, "", ""])).partition("\r\n\r\n")[0].split("\r\n")
    return [head[0].split(" ")[1], *(line for line in head if line.lower().startswith("www-authenticate"))]


@pytest.mark.parametrize("short", NAMES, ids=NAMES.values())
def test_the_same_requests_are_admitted(servers: tuple[int, int, Callable[[str], None]], short: str) -> None:
    theirs, ours, choose = servers
    choose(short)
    for path, user, method in ASKED:
        assert ask(ours, short, path, user, method) == ask(theirs, short, path, user, method), (path, user, method)
