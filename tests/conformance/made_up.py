"""Configurations and requests that dice make up, the same ones for the same seed, as the text of a case.

Four themes: what members a balancer gives requests to, who is admitted, which sections hold in which order, and which
of many routes takes a path. What is known to differ on purpose is not made up: addresses of members that begin with
each other's, and members out of service in a balancer whose others fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Dice = random.Random
KEY = " | X-K: 1"


def balancers(dice: Dice) -> str:
    """Weights, sets, spares, standbys, sessions, and members that refuse or answer with failonstatus."""
    lines = [
        'Header set X-Changed "%{BALANCER_ROUTE_CHANGED}e"',
        'Header set X-Route "%{BALANCER_WORKER_ROUTE}e"',
    ]
    names = [f"b{number}" for number in range(4)]
    for name in names:
        lines += [f"ProxyPass /{name} balancer://{name} stickysession=S", f"<Proxy balancer://{name}>"]
        for number in range(dice.choice((2, 3, 4, 5))):
            at = dice.choice(("@one@", "@two@", "@three@", "@two@", "@down@"))
            words = [f"BalancerMember http://127.0.0.1:{at}/p{number} route=r{number} retry=600"]
            words += [f"loadfactor={dice.choice((1, 2, 3, 7, 1.5))}"] * (dice.random() < 0.6)
            words += [f"lbset={dice.choice((0, 0, 1, 2))}"] * (dice.random() < 0.3)
            words += [f"status={dice.choice(('+H', '+R'))}"] * (number > 0 and dice.random() < 0.3)
            lines.append(" ".join(words))
        said = ["failonstatus=503", "nofailover=On", "lbmethod=bybusyness", "maxattempts=1"]
        lines += [f"ProxySet {each}" for each in said if dice.random() < 0.25] + ["</Proxy>"]
    cookies = [f" | Cookie: S=x.r{number}" for number in range(5)] + [" | Cookie: S=zz", " | Cookie: S=x.no"] + [""] * 7
    statuses = [" | X-Status: 503 Away", " | X-Status: 500 Oops", " | X-Status: 404 No"] + [""] * 17
    asked = [f"GET /{dice.choice(names)}/x{dice.choice(cookies)}{dice.choice(statuses)}" for _ in range(150)]
    return _case(lines, asked)


_CONDITIONS = (
    "all granted", "all denied", "ip 127.0.0.1", "ip 10", "ip 192.168 127", "env k", "env nope", "method GET",
    "method POST PUT", "expr %{QUERY_STRING} == 'q'", "local", "valid-user", "user anna", "user bert",
)  # fmt: skip
_USERS = "".join(f"{name}:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n" for name in ("anna", "bert"))


def access(dice: Dice) -> str:
    """Require in nested groups, in sections within sections that merge or do not, with and without users."""

    def group(depth: int, inside: str) -> list[str]:
        made: list[str] = []
        for _ in range(dice.choice((1, 2, 2, 3))):
            if depth and dice.random() < 0.4:
                tag = dice.choice(("RequireAll", "RequireAny", *["RequireNone"] * (inside == "RequireAll")))
                made += [f"<{tag}>", *group(depth - 1, tag), f"</{tag}>"]
            else:
                negated = "not " * (inside == "RequireAll" and dice.random() < 0.3)
                made.append(f"Require {negated}{dice.choice(_CONDITIONS)}")
        return [*made, "Require all granted"] if inside == "RequireAll" else made  # a group of nots alone is an error

    lines = ["ProxyPass / http://127.0.0.1:@one@/", "SetEnvIf X-K . k=1", "<Location />", "AuthType Basic"]
    lines += ["AuthName r", "AuthUserFile @folder@/users", "</Location>"]
    paths: list[str] = []
    for number in range(8):
        paths.append(f"{dice.choice([*paths, ''])}/p{number}")
        merging = dice.choice(("AuthMerging And", "AuthMerging Or", "AuthMerging Off"))
        lines += [f"<Location {paths[-1]}>", merging, *group(2, ""), "</Location>"]
    users = [f" | Authorization: Basic {word}" for word in ("YW5uYTpwYXNzd29yZA==", "YmVydDpwYXNzd29yZA==", "YTpi")]
    asked = [
        f"{dice.choice(('GET', 'GET', 'POST', 'PUT', 'HEAD'))} {path}/x{dice.choice(('', '?q'))}"
        f"{dice.choice(('', KEY))}{dice.choice([*users, '', ''])}"
        for path in paths
        for _ in range(12)
    ]
    return _case(lines, asked, f"=== users\n{_USERS}")


def sections(dice: Dice) -> str:
    """Changes to fields in hosts, sections of all kinds and <If>, in any order."""
    count = 0

    def path() -> str:
        return "".join(f"/{dice.choice('abc')}" for _ in range(dice.choice((1, 1, 2, 3))))

    def change() -> str:
        nonlocal count
        count += 1
        what, name = dice.choice(("Header", "Header always", "RequestHeader")), dice.choice(("X-L", "X-M"))
        action = dice.choice(("append", "append", "set", "unset", "merge", "add", "setifempty", "edit"))
        if action == "unset":
            return f"{what} unset {name}"
        if action == "edit":
            return f'{what} edit {name} ^(.*)$ "$1-e{count}"'
        condition = dice.choice(("", "", "", " env=K", " env=!K", " \"expr=%{QUERY_STRING} == 'q'\""))
        return f"{what} {action} {name} v{count}{condition}"

    def region() -> list[str]:
        tag, argument = dice.choice((
            ("Location", path()), ("Location", f"{path()}/"), ("LocationMatch", f'"^{path()}{dice.choice(("", "$"))}"'),
            ("Proxy", f"http://127.0.0.1:@one@{dice.choice(('/', '/a', '/b*'))}"),
            ("If", dice.choice(('"-n %{HTTP:X-K}"', '"%{REQUEST_URI} =~ m#/b#"'))), ("", ""),
        ))  # fmt: skip
        body = [change() for _ in range(dice.choice((1, 2)))]
        return [f"<{tag} {argument}>", *body, f"</{tag}>"] if tag else body

    lines = ["SetEnvIf X-K . K=1", *(line for _ in range(8) for line in region())]
    for host, member in (("a.test", "@one@"), ("b.test", "@two@")):
        lines += ["<VirtualHost *>", f"ServerName {host}", f"ProxyPass / http://127.0.0.1:{member}/"]
        lines += [*(line for _ in range(6) for line in region()), "</VirtualHost>"]
    odds = (KEY, " | X-L: mine", " | X-Say-1: X-M: theirs", " | X-Status: 404 No")
    asked = [
        f"GET {path()}{dice.choice(('', '?q', '/'))} | Host: {dice.choice(('a.test', 'b.test'))}"
        + "".join(each for each in odds if dice.random() < 0.3)
        for _ in range(80)
    ]
    return _case(lines, asked)


def routes(dice: Dice) -> str:
    """ProxyPass, ProxyPassMatch, exceptions, redirects, rules and sections that want the same paths."""

    def path() -> str:
        return "".join(f"/{dice.choice(('a', 'b', 'c', 'd.x', 'A'))}" for _ in range(dice.choice((1, 1, 2, 2, 3))))

    def route() -> str:
        here, there = path(), f"http://127.0.0.1:{dice.choice(('@one@', '@two@', '@three@'))}"
        end, tail = dice.choice((("", ""), ("", "/"), ("/", "/"), ("", "/t"), ("/", "/t/"), ("/", "/t")))
        return str(dice.choice((
            f"ProxyPass {here}{end} !", f"ProxyPassMatch ^{here} !", f"ProxyPass {here}{end} {there}{tail}",
            f"ProxyPass {here}{end} {there}{tail}", f"ProxyPass {here}{end} {there}{tail} nocanon",
            f"ProxyPassMatch ^{here}/?(.*) {there}/m{dice.choice(('/$1', '', '/$1/$0'))}",
            f"Redirect {dice.choice(('gone', '404'))} {here}{end}", f"Redirect 301 {here}{end} http://else.test{tail}",
            f"RedirectMatch 302 ^{here}(.*)$ http://else.test/rm$1", f"RewriteRule ^{here} - [E=X:1]",
            f"RewriteRule ^{here}/?(.*)$ {there}/rw/$1 [P]", f"RewriteRule ^{here}$ - [F]",
            f"RewriteRule ^{here}/?(.*)$ {path()}/$1 {dice.choice(('[PT]', '[R,L]', '[PT,QSA]', '[L]', ''))}",
        )))  # fmt: skip

    lines = ["RewriteEngine On", *(route() for _ in range(16))]
    for _ in range(3):
        target = dice.choice(("!", "http://127.0.0.1:@three@/loc"))
        lines += [f"<Location {path()}>", f"ProxyPass {target}", "</Location>"]
    ends = ["", "", "/", "/x", "/x%20y", "//", "/%2e%2e/z", "?q=1", "/..", "/%41"]
    if any("nocanon" in line for line in lines):
        ends.remove("/%2e%2e/z")  # spelled anew there, on purpose
    return _case(lines, [f"{dice.choice(('GET', 'GET', 'POST'))} {path()}{dice.choice(ends)}" for _ in range(120)])


def _case(lines: list[str], asked: list[str], files: str = "") -> str:
    return "\n".join(["# made up", *lines, f"{files}=== requests", *asked, ""])


THEMES: dict[str, Callable[[Dice], str]] = {
    "balancers": balancers, "access": access, "sections": sections, "routes": routes,
}  # fmt: skip
