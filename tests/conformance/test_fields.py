"""Over the wire, the real Apache httpd and our own server change the fields of requests and answers alike.

Each case is a site, spelled for both, and one request to an upstream that says which head it saw. What is compared is
the lines of the fields that a case is about, in their order. Apache's manual: mod_headers, mod_proxy (ProxyVia,
ProxyPreserveHost, ProxyAddHeaders, ProxyPassReverse, ProxyPassReverseCookiePath and -Domain).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from proxy_core.config.model import EnvRule, HeaderRule, Options, ReverseRule, Route, Site
from proxy_core.rules.lint.site import lint
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.echo import heads
from tests.conformance.rproxy import chosen

pytestmark = pytest.mark.apache


PLAIN = Options(forwarded="append", reverse="off", server_name="case.test")


@dataclass(frozen=True)
class Case:
    """``send`` are the request's fields, ``say`` the upstream's; ``up`` and ``down`` are the names whose lines must
    come out alike, as ``seen_up`` and ``seen_down``."""

    headers: tuple[HeaderRule, ...] = ()
    reverse: tuple[ReverseRule, ...] = ()
    env: tuple[EnvRule, ...] = ()
    options: Options = PLAIN
    send: tuple[str, ...] = ()
    say: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    def site(self, port: int) -> Site:
        headers = tuple(replace(row, id=f"h{n}") for n, row in enumerate(self.headers))
        route = Route(id="r", path="/app", proxy=f"http://127.0.0.1:{port}/in")
        return Site(
            site=self.options, routes=(route,), headers=headers, env=self.env,
            reverse=tuple(replace(row, id=f"h{n}") for n, row in enumerate(self.reverse)),
        )  # fmt: skip


def up(action: str, name: str, value: str = "", **more: str) -> HeaderRule:
    return HeaderRule(on="request", action=action, name=name, value=value, **more)


def down(action: str, name: str, value: str = "", **more: str) -> HeaderRule:
    return HeaderRule(on="response", action=action, name=name, value=value, **more)


def always(action: str, name: str, value: str = "", **more: str) -> HeaderRule:
    return HeaderRule(on="always", action=action, name=name, value=value, **more)


def options(**more: str | bool) -> Options:
    return replace(PLAIN, **more)


def location(internal: str, public: str) -> ReverseRule:
    return ReverseRule(internal=internal, public=public)


SEEN = EnvRule(id="seen", name="seen", from_="%{HTTP:X-In}", capture="^(.+)$", value="$1")
X = ("x-a",)

CASES: dict[str, Case] = {
    "set": Case((up("set", "X-A", "new"),), send=("X-A: old",), up=X),
    "set anew": Case((up("set", "X-A", "new"),), up=X),
    "append": Case((up("append", "X-A", "two"),), send=("X-A: one",), up=X),
    "append to nothing": Case((up("append", "X-A", "two"),), up=X),
    "merge": Case((up("merge", "X-A", "two"), up("merge", "X-A", "one")), send=("X-A: one",), up=X),
    "merge quoted": Case((up("merge", "X-A", "two"),), send=('X-A: one, "two, two", two',), up=X),
    "add": Case((up("add", "X-A", "two"),), send=("X-A: one",), up=X),
    "unset": Case((up("unset", "x-a"),), send=("X-A: one",), up=X),
    "setifempty": Case(
        (up("setifempty", "X-A", "two"), up("setifempty", "X-B", "b")), send=("X-A: 1",), up=("x-a", "x-b")
    ),
    "edit": Case((up("edit", "X-A", "<$0>", pattern="[a-z]"),), send=("X-A: abc",), up=X),
    "edit all": Case((up("edit*", "X-A", "<$1>", pattern="([a-z])"),), send=("X-A: abc1d",), up=X),
    "edit nothing": Case((up("edit", "X-A", "-", pattern="x"),), send=("X-A: abc",), up=X),
    "order": Case((up("set", "X-A", "1"), up("append", "X-A", "2"), up("edit", "X-A", "3", pattern="1")), up=X),
    "env": Case((up("set", "X-A", "is %{seen}e", env="seen"),), env=(SEEN,), send=("X-In: yes",), up=X),
    "env missing": Case((up("set", "X-A", "is", env="seen"),), env=(SEEN,), up=X),
    "env not": Case((up("set", "X-A", "is %{seen}e", env="!seen"),), env=(SEEN,), up=X),
    "percent": Case((up("set", "X-A", "100%%"),), up=X),
    "expr value": Case((up("set", "X-A", "expr=%{REQUEST_METHOD} %{HTTP:X-In}"),), send=("X-In: q",), up=X),
    "expr condition": Case(
        (up("set", "X-A", "a", expr="%{HTTP:X-In} == 'q'"), up("set", "X-B", "b", expr="%{HTTP:X-In} == 'z'")),
        send=("X-In: q",),
        up=("x-a", "x-b"),
    ),
    "host": Case((up("set", "Host", "other.test"),), up=("x-forwarded-host",)),
    "host preserved": Case(
        (up("set", "Host", "other.test"),), options=options(preserve_host=True), up=("host", "x-forwarded-host")
    ),
    "preserve host": Case(options=options(preserve_host=True), up=("host", "x-forwarded-host")),
    "forwarded": Case((up("set", "X-Forwarded-For", "9.9.9.9"),), up=("x-forwarded-for",)),
    "forwarded unset": Case(
        (up("unset", "X-Forwarded-For"),), send=("X-Forwarded-For: 1.2.3.4",), up=("x-forwarded-for",)
    ),
    "no forwarded": Case(
        options=options(add_forwarded=False),
        send=("X-Forwarded-For: 1.2.3.4",),
        up=("x-forwarded-for", "x-forwarded-host", "x-forwarded-server"),
    ),
    "via on": Case(options=options(via="on"), send=("Via: 1.0 a",), say=("Via: 1.1 b",), up=("via",), down=("via",)),
    "via off": Case(send=("Via: 1.0 a",), say=("Via: 1.1 b",), up=("via",), down=("via",)),
    "via block": Case(
        options=options(via="block"), send=("Via: 1.0 a",), say=("Via: 1.1 b",), up=("via",), down=("via",)
    ),
    "answer set": Case((down("set", "X-A", "new"),), say=("X-A: old", "X-A: older"), down=X),
    "answer add": Case((down("add", "X-A", "new"),), say=("X-A: old",), down=X),
    "answer append": Case((down("append", "X-A", "new"),), say=("X-A: old", "X-A: older"), down=X),
    "answer unset": Case(
        (down("unset", "Server"), down("unset", "X-Powered-By")), say=("X-Powered-By: y",), down=("x-powered-by",)
    ),
    "answer edit": Case((down("edit", "X-A", "$1!", pattern="^(.)"),), say=("X-A: old", "X-A: Xx"), down=X),
    "answer setifempty": Case(
        (down("setifempty", "X-A", "n"), down("setifempty", "X-B", "n")), say=("X-A: o",), down=("x-a", "x-b")
    ),
    "answer merge": Case((down("merge", "X-A", "b"), down("merge", "X-A", "c")), say=("X-A: a, b",), down=X),
    "always": Case((always("set", "X-A", "new"),), down=X),
    "always leaves theirs": Case((always("set", "X-A", "new"),), say=("X-A: old",), down=X),
    "always unset leaves theirs": Case((always("unset", "X-A"),), say=("X-A: old",), down=X),
    "echo": Case(
        (down("echo", "", pattern="^X-e|^Y"),), send=("x-a: 1", "X-echo: 2", "Y: 3"), down=("x-a", "x-echo", "y")
    ),
    "answer expr": Case((down("set", "X-B", "expr=%{resp:X-A}"),), say=("X-A: old",), down=("x-b",)),
    "answer status": Case((down("set", "X-B", "s", expr="%{REQUEST_STATUS} -eq 200"),), down=("x-b",)),
    "reverse": Case(
        reverse=(location("http://b.test/in", "/out"),), say=("Location: http://b.test/in/x",), down=("location",)
    ),
    "reverse content": Case(
        reverse=(location("http://b.test/in", "/out"),),
        say=("Content-Location: HTTP://B.test/INx",),
        down=("content-location",),
    ),
    "reverse first": Case(
        reverse=(location("http://b.test/", "/one/"), location("http://b.test/in", "/two")),
        say=("Location: http://b.test/in/x",),
        down=("location",),
    ),
    "reverse path": Case(
        reverse=(location("/in", "/out"),), say=("Location: http://any.test/in/x",), down=("location",)
    ),
    "reverse path alone": Case(reverse=(location("/in", "/out"),), say=("Location: /in/x",), down=("location",)),
    "reverse to url": Case(
        reverse=(location("http://b.test/in", "https://c.test/out"),),
        say=("Location: http://b.test/in/x",),
        down=("location",),
    ),
    "reverse misses": Case(
        reverse=(location("http://b.test/in", "/out"),), say=("Location: /in/x",), down=("location",)
    ),
    "cookie path": Case(
        reverse=(ReverseRule(kind="cookie_path", internal="/in", public="/out"),),
        say=("Set-Cookie: a=1; Path=/in/sub; HttpOnly", "Set-Cookie: b=path=/in; path=/IN", "Set-Cookie: c=1;PATH=/in"),
        down=("set-cookie",),
    ),
    "cookie domain": Case(
        reverse=(ReverseRule(kind="cookie_domain", internal="b.test", public="c.test"),),
        say=(
            "Set-Cookie: a=1; Domain=B.test.org; Path=/",
            "Set-Cookie: b=1; domain=.b.test",
            "Set-Cookie: c=1; Domain = b.test",
        ),
        down=("set-cookie",),
    ),
    "cookie both": Case(
        reverse=(
            ReverseRule(kind="cookie_path", internal="/in", public="/o"),
            ReverseRule(kind="cookie_path", internal="/", public="/all"),
            ReverseRule(kind="cookie_domain", internal="b.test", public="c.test"),
        ),
        say=("Set-Cookie: a=1; Domain=b.test; Path=/in", "Set-Cookie: b=1; Path=/x; Domain=b.test"),
        down=("set-cookie",),
    ),
}


def spelled(name: str, case: Case, port: int) -> str:
    """The case as a virtual host."""
    chosen = case.options
    lines = [
        f"<VirtualHost *>\nServerName {name}.test",
        f'ProxyPass "/app" "http://127.0.0.1:{port}/in"',
        f"ProxyVia {chosen.via}\nProxyPreserveHost {'On' if chosen.preserve_host else 'Off'}",
        f"ProxyAddHeaders {'On' if chosen.add_forwarded else 'Off'}",
        'SetEnvIf X-In "^(.+)$" seen=$1',
    ]
    for row in case.reverse:
        directive = {"location": "", "cookie_domain": "CookieDomain", "cookie_path": "CookiePath"}[row.kind]
        pair = (row.public, row.internal) if row.kind == "location" else (row.internal, row.public)
        lines.append(f"ProxyPassReverse{directive} {pair[0]} {pair[1]}")
    for rule in case.headers:
        directive = "RequestHeader" if rule.on == "request" else "Header"
        words = ["always"] if rule.on == "always" else []
        words += [rule.action, rule.name or rule.pattern]
        quoted = [rule.pattern] if rule.action in ("edit", "edit*") else []
        if rule.action not in ("unset", "echo"):
            quoted.append(rule.value)
        condition = [f"env={rule.env}"] if rule.env else [f"expr={rule.expr}"] if rule.expr else []
        lines.append(" ".join([directive, *words, *('"' + q.replace('"', '\\"') + '"' for q in [*quoted, *condition])]))
    return "\n".join([*lines, "</VirtualHost>"])


NAMES = {f"c{number}": name for number, name in enumerate(CASES)}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int, Callable[[str], None]]]:
    with heads() as port:
        named = {short: CASES[name] for short, name in NAMES.items()}
        hosts = [spelled(short, case, port) for short, case in named.items()]
        sites = {short: case.site(port) for short, case in named.items()}
        with running([*LOADED, "headers", "setenvif"], lambda folder: hosts) as theirs, chosen(sites) as (ours, choose):
            yield theirs, ours, choose


def ask(port: int, short: str, case: Case) -> tuple[list[str], list[str]]:
    """The lines that the upstream saw, and those that the client saw, of the fields that count."""
    lines = [
        f"Host: {short}.test",
        *case.send,
        *(f"X-Say-{n}: {line}" for n, line in enumerate(case.say)),
        "Connection: close",
    ]
    head, _, body = exchanged(port, "\r\n".join(["GET /app/x HTTP/1.1", *lines, "", ""])).partition("\r\n\r\n")
    return picked(body, case.up, short), picked(head, case.down, short)


def picked(head: str, names: tuple[str, ...], short: str) -> list[str]:
    lines = [line.replace(f"{short}.test", "case.test") for line in head.split("\r\n")[1:]]
    found = [line for line in lines if line.partition(":")[0].lower() in names]
    return sorted(found, key=lambda line: names.index(line.partition(":")[0].lower()))


@pytest.mark.parametrize("short", NAMES, ids=NAMES.values())
def test_fields_come_out_as_apache_writes_them(servers: tuple[int, int, Callable[[str], None]], short: str) -> None:
    theirs, ours, choose = servers
    case = CASES[NAMES[short]]
    assert [each for each in lint(case.site(8000)) if each.severity == "error"] == []
    choose(short)
    assert ask(ours, short, case) == ask(theirs, short, case)
