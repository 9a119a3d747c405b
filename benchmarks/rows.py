"""What is measured, as data: the works that a proxy is configured for, and the rows, each a work and its load.

A work says what a site is made of in words that every proxy can be configured with; nothing of a single proxy stands
here. No rule of a work ever takes a request of its load: what rules cost those whom they do not mean is what is asked.
"""

from __future__ import annotations

from typing import NamedTuple

SIZES = {"/app/1k": 1024, "/app/100k": 100 * 1024, "/app/1m": 1024 * 1024}
"""What members answer, by path."""
SECURE = "/secure/"
"""The route whose requests go to the members over TLS, without this prefix."""


class Rule(NamedTuple):
    """A rewrite rule: what its pattern finds in a path is redirected; with ``agent``, which must be found in
    User-Agent, it is refused."""

    pattern: str
    agent: str = ""


class Work(NamedTuple):
    """``routes``: prefixes that go to the members, but those below ``exception``; ``log``: an access log of each
    request; ``upgrade``: WebSockets are let through; ``own``: the members are ours, which read a body to its end
    before they answer, and speak WebSocket."""

    routes: tuple[str, ...] = (SECURE, "/")
    exception: str = ""
    rules: tuple[Rule, ...] = ()
    log: bool = False
    upgrade: bool = False
    own: bool = False


WORKS = {
    "plain": Work(),
    "full": Work(
        (*(f"/r{number}" for number in range(19)), "/app"),
        "/app/secret",
        tuple(Rule(f"^/app/old{number}/(.*)$") for number in range(10)),
        log=True,
    ),
    "fields": Work(rules=tuple(Rule("^/app/", f"bot{number}") for number in range(10))),
    "literal": Work(rules=tuple(Rule(f"^/old/{number}/(.*)$") for number in range(1_000))),
    "searching": Work(rules=tuple(Rule(rf"\.old{number}$") for number in range(1_000))),
    "routes": Work((*(f"/s{number % 100}/p{number}" for number in range(10_000)), "/app")),
    "bodies": Work(own=True),
    "tunnel": Work(upgrade=True, own=True),
}


class Load(NamedTuple):
    """A kind of request: ``body`` bytes long, over TLS, over a new connection each, for a target of its own each; or
    ``messages`` of a WebSocket of as many bytes."""

    path: str = "/app/1k"
    body: int = 0
    secure: bool = False
    close: bool = False
    unique: bool = False
    messages: int = 0

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    @property
    def fields(self) -> dict[str, str]:
        found = {"User-Agent": "load", "Accept": "*/*"}
        return found | ({"Connection": "close"} if self.close else {})

    def request(self, number: int = 0) -> bytes:
        fields = {"Host": "benchmark", **self.fields} | ({"Content-Length": str(self.body)} if self.body else {})
        target = f"{self.path}?n={number}" if self.unique else self.path
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + b"x" * self.body


class Row(NamedTuple):
    """``what``: a load, or what is looked at once after a start: start, check, memory, idle."""

    says: str
    work: str
    what: Load | str
    unit: str = "µs"


ROWS = {
    "get": Row("1 KiB GET, kept alive, routes alone", "plain", Load()),
    "post": Row("1 KiB POST", "plain", Load(body=1024)),
    "post-100k": Row("100 KiB POST", "bodies", Load(body=100 * 1024)),
    "post-1m": Row("1 MiB POST", "bodies", Load(body=1024 * 1024)),
    "get-100k": Row("100 KiB GET", "plain", Load("/app/100k")),
    "get-1m": Row("1 MiB GET", "plain", Load("/app/1m")),
    "close": Row("1 KiB GET, a new connection each", "plain", Load(close=True)),
    "tls": Row("1 KiB GET over TLS, kept alive", "plain", Load(secure=True)),
    "tls-close": Row("1 KiB GET over TLS, a new connection each", "plain", Load(secure=True, close=True)),
    "tls-member": Row("1 KiB GET, from members over TLS", "plain", Load("/secure/app/1k")),
    "full": Row("full site: 20 routes, an exception, 10 rules, access log", "full", Load()),
    "unique": Row("full site, another target each time", "full", Load(unique=True)),
    "fields": Row("10 rules with a condition on a field", "fields", Load()),
    "literal": Row("1,000 rules that begin with a literal", "literal", Load()),
    "searching": Row("1,000 rules that search", "searching", Load()),
    "routes": Row("10,000 routes", "routes", Load()),
    "messages": Row("WebSocket, 100 bytes there and back", "tunnel", Load("/ws", messages=100), "µs a message"),
    "start": Row("full site, from the start until it accepts", "full", "start", "ms of CPU"),
    "check": Row("full site, its configuration checked", "full", "check", "ms of CPU"),
    "memory": Row("full site, memory after the start", "full", "memory", "MiB"),
    "idle": Row("an idle connection, kept alive after a request", "plain", "idle", "KiB"),
}
