"""A proxy that exists only in numbers: an EngineView for the tests of screens, without a network.

FakeEngine makes up seeded, plausible traffic over a small site: six members in two balancers and one plain upstream,
eight routes, slow and failing requests, a member that refuses and one that drains. Time stands still until
``advance`` is called, so a test says itself when something happens; ``live=True`` lets it follow the real clock, for
looking at a screen by hand. Commands are applied to the site in earnest, with history, undo and redo.
``Serialised`` proves that a screen needs nothing but plain data.
"""

from __future__ import annotations

import difflib
import inspect
import random
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, get_type_hints

import msgspec

from proxy_core.balance.state import bucket_of
from proxy_core.config.editing.site_edits import Unusable, edited
from proxy_core.config.model import Member, Route
from proxy_core.config.reading.document import parse
from proxy_core.control.editing.commands import (
    Applied,
    Change,
    Command,
    Delete,
    Keep,
    Merge,
    Preview,
    Redo,
    Refused,
    Reload,
    Restore,
    Result,
    Set,
    SetEntry,
    Undo,
)
from proxy_core.control.explaining.explain import explain
from proxy_core.control.explaining.explanation import Findings, explanation
from proxy_core.control.view import (
    EngineView,
    Explanation,
    Generation,
    Health,
    Inspection,
    ListenerState,
    MemberLoad,
    Percentiles,
    Question,
    Record,
    RouteLoad,
    Saved,
    Second,
    SiteState,
    Snapshot,
)
from proxy_core.errors import Problem
from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.decision import Trace
from proxy_core.rules.facts import Facts, Need
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_sources import Outside
from proxy_core.runtime.maps import text_file as map_text
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow, rows
from proxy_core.runtime.recorder import Histogram, percentiles
from proxy_core.runtime.registry import Registry
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.way import Way

START = 1_790_000_000.0
"""Epoch seconds at which a fake that does not follow the real clock begins: 2026-09-21 14:13:20 UTC."""

SITE = """\
version = 1

[site]
server_name = "shop.example"

[listeners.http]
address = "127.0.0.1:8080"

# the tutorial's exception: it stands above what it excepts
[[routes]]
id = "no-index"
path = "/service/index"
except = true

[[routes]]
id = "service"
path = "/service"
proxy = "balancer://backend/service"

[[routes]]
id = "api"
path = "/api"
proxy = "balancer://api/v1"
timeout = 10

[[routes]]
id = "assets"
path = "/assets"
proxy = "balancer://backend/assets"

[[routes]]
id = "status"
path = "/status"
proxy = "http://127.0.0.1:9000/status"

[[routes]]
id = "reports"
path = "/reports"
proxy = "balancer://backend/reports"
enabled = false

[[routes]]
id = "old-api"
path = "/api/v0"
proxy = "balancer://api/v0"

[[routes]]
id = "root"
path = "/"
proxy = "balancer://backend/"

[balancers.backend]
method = "byrequests"

[balancers.backend.members.a]
url = "http://127.0.0.1:8000"

[balancers.backend.members.b]
url = "http://127.0.0.1:8001"
weight = 2

# refuses connections
[balancers.backend.members.c]
url = "http://127.0.0.1:8002"

[balancers.api.members.blue]
url = "http://127.0.0.1:8100"
weight = 3

[balancers.api.members.green]
url = "http://127.0.0.1:8101"

[balancers.api.members.canary]
url = "http://127.0.0.1:8102"
status = "draining"
"""

EMPTY = "version = 1\n"

RULES = (
    SITE
    + """
[[env]]
name = "IPHashChar"
from = "%{REMOTE_ADDR}"
transform = ["sha1", "hex"]
capture = '^(.)'

[hosts.shop]
names = ["shop.example", "*.shop.example"]

[[rewrites]]
id = "home"
pattern = '^/$'
substitution = '/service/cart'
flags = ["R=302", "L"]

# each client keeps its server
[[rewrites]]
id = "by-client"
pattern = '^/service1/(.*)$'
substitution = 'http://${servers:%1|localhost:8000}/service1/$1'
flags = ["P", "L"]
conditions = [
    { test = '%{ENV:IPHashChar}', pattern = '^(.)' },
    { test = '%{REQUEST_METHOD}', pattern = '!^POST$' },
]

[[rewrites]]
id = "old-shop"
host = "shop"
pattern = '^/old/(.*)$'
substitution = '/api/${names:$1|none}'
flags = ["PT", "QSA"]
enabled = false

[maps.servers]
type = "txt"
file = "servers.txt"

[maps.names]
type = "rnd"
[maps.names.entries]
cart = "orders|baskets"
desk = "furniture"

[maps.small]
type = "int"
function = "tolower"
"""
)
"""SITE with rules and maps; ``FILES`` holds what is in the files of its maps."""
FILES = {"servers.txt": "# one server for each hash\n4 localhost:8001\nd localhost:8002\n4 localhost:9999\n"}

SHADOWED = Problem(
    what='route "old-api" is never reached: "api" above it takes /api/v0 too',
    todo='move it above "api"',
    severity="warning",
    address=("routes", "old-api"),
    file="site.toml",
    line=37,
    column=1,
)
REFUSES = Problem(
    what="member backend/c refuses connections on 127.0.0.1:8002",
    todo="start it, or take it out of service",
    severity="warning",
    address=("balancers", "backend", "members", "c"),
)

TRAFFIC = (  # weight, method, path, route
    (30, "GET", "/service/cart/{n}", "service"),
    (20, "GET", "/api/orders/{n}?expand=lines,customer&locale=en-GB", "api"),
    (10, "POST", "/api/orders", "api"),
    (14, "GET", "/assets/css/site.{n}.css", "assets"),
    (8, "GET", "/assets/img/catalogue/2026/autumn/very-long-name-of-a-product-picture-{n}.webp", "assets"),
    (3, "GET", "/service/index.php", "no-index"),
    (3, "GET", "/status", "status"),
    (10, "GET", "/", "root"),
    (2, "DELETE", "/api/orders/{n}", "api"),
)
CLIENTS = ("192.0.2.17", "198.51.100.4", "203.0.113.250", "127.0.0.1", "2001:db8::17")

Key = tuple[str, str]


@dataclass
class Numbers:
    """What one made-up member has counted. ``seconds`` holds (elected, answered, histogram) of the last minute."""

    busy: int = 0
    elected: int = 0
    errors: int = 0
    sent: int = 0
    received: int = 0
    seconds: deque[tuple[int, int, Histogram]] = field(default_factory=lambda: deque(maxlen=60))


NO_FIELDS = RequestFields(b"", b"", 0, True, True, False)


class FakeEngine(EngineView):
    """``rate`` is requests per second. What a test may set at will: ``rate``, ``saved``, ``trouble`` (what
    ``problems`` answers), ``health`` and ``busy`` of a member, ``seen`` (other fields of its MemberLoad), ``limited``,
    ``turned_away`` of each listener, ``hits`` of a rule, ``files`` of maps and their ``faults``; ``commands`` lists
    what was submitted, ``looked_up`` what maps were asked."""

    def __init__(self, text: str = SITE, *, rate: float = 40.0, seed: int = 1, live: bool = False) -> None:
        self.rate = rate
        self.saved: Saved = "saved"
        self.health: dict[Key, Health] = {("backend", "c"): "error"} if text.startswith(SITE) else {}
        self.trouble: list[Problem] = [SHADOWED, REFUSES] if text.startswith(SITE) else []
        self.seen: dict[Key, dict[str, Any]] = {}
        self.limited: dict[str, int] = {}
        self.turned_away = 0
        self.commands: list[Command] = []
        self.files = dict(FILES)
        self.faults: dict[str, str] = {}
        self.looked_up: list[tuple[str, str]] = []
        self.demo = False
        self.numbers: dict[Key, Numbers] = {}
        self.hits: dict[str, tuple[int, float]] = {}
        self.ring: deque[Record] = deque(maxlen=10_000)
        self.seconds: deque[Second] = deque(maxlen=120)
        self._random = random.Random(seed)
        self._live = live
        self._started = self.now = time.time() if live else START
        self._owed = 0.0
        self._newest = 0
        self._histograms: deque[Histogram] = deque(maxlen=60)
        self._take(text)
        self._generations = [Generation(number=1, at=self.now, author="start", sentence="start", diff="")]
        self._texts = [text]
        self._past: list[tuple[str, dict[str, str], str]] = []
        self._future: list[tuple[str, dict[str, str], str]] = []
        if ("api", "canary") in self._members:
            self.numbers[("api", "canary")] = Numbers(busy=3)

    # time

    def advance(self, seconds: float = 1.0) -> None:
        """Let time pass, with its traffic: whole seconds are closed as the real recorder does."""
        while seconds > 0:
            step = min(seconds, 1.0 - self.now % 1.0)
            seconds -= step
            self._owed += self.rate * step
            for _ in range(int(self._owed)):
                self._request(self.now + step * self._random.random())
            self._owed %= 1.0
            self.now += step
            if 1.0 - self.now % 1.0 > 1.0 - 1e-6 or self.now % 1.0 > 1.0 - 1e-6:
                self.now = float(round(self.now))
                self._close_second()

    def _close_second(self) -> None:
        last = list(self._since(self.now - 1.0))
        histogram: Histogram = {}
        by_member: dict[Key, list[Record]] = {}
        for record in last:
            bucket = bucket_of(record.total)
            histogram[bucket] = histogram.get(bucket, 0) + 1
            by_member.setdefault((record.balancer, record.member), []).append(record)
        self._histograms.append(histogram)
        for key, numbers in self._states():
            mine = by_member.get(key, [])
            counts: Histogram = {}
            for record in mine:
                counts[bucket_of(record.total)] = counts.get(bucket_of(record.total), 0) + 1
            numbers.seconds.append((len(mine), len(mine), counts))
            numbers.busy = max(0, numbers.busy - 1) if not mine else max(1, round(sum(r.total for r in mine)))
        p50, p95, p99 = percentiles([histogram])
        newest = self._generations[-1]
        self.seconds.append(
            Second(
                self.now - 1.0,
                len(last),
                sum(400 <= r.status < 500 for r in last),
                sum(r.status >= 500 for r in last),
                p50,
                p95,
                p99,
                newest.number if self.now - 1.0 <= newest.at < self.now else 0,
            )
        )

    def _since(self, at: float) -> Iterable[Record]:
        for record in reversed(self.ring):
            if record.at < at - 1.0:
                return
            if record.at >= at:
                yield record

    def _request(self, at: float) -> None:
        chance = self._random
        _, method, path, route_id = chance.choices(TRAFFIC, [row[0] for row in TRAFFIC])[0]
        route = next((r for r in self._site.routes if r.id == route_id and r.enabled), None)
        balancer, member, waited, first, total, cause, version = "", "", -1.0, -1.0, 0.0002, "", "1.1"
        status, sent, attempts = 404, 196, 0
        if route is None:
            cause = "no route takes this path"
        elif route.except_:
            cause = f'excepted by route "{route.id}"'
        else:
            balancer, member = self._elect(route)
            attempts = 1
            waited = chance.uniform(0.00005, 0.002)
            first = waited + chance.lognormvariate(-4.2, 0.7) * (4 if member == "green" else 1)
            total = first + chance.lognormvariate(-6.5, 1.0)
            sent = int(chance.lognormvariate(8.2, 1.4))
            dice = chance.random()
            status = 201 if method == "POST" else 204 if method == "DELETE" else 200
            if not member:
                status, sent, attempts, first = 503, 299, 0, -1.0
                cause, total = f'no member of balancer "{balancer}" can take it', 0.0004
            elif dice < 0.01:
                status, first, total, cause, sent = 504, -1.0, 2.0, "no answer within 2 s (timeout)", 299
            elif dice < 0.02:
                status, sent, cause = 499, 0, "the client left before the answer"
            elif dice < 0.04:
                status = 500
            elif dice < 0.08:
                status = 304
                sent = 0
            elif dice < 0.10:
                status = 404
            elif dice < 0.12:
                first, total, attempts = first + 1.5, total + 1.5, 2
        received = chance.randint(40, 4000) if method == "POST" else 0
        self._newest += 1
        hits, _ = self.hits.get(route.id if route else "", (0, 0.0))
        self.hits[route.id if route else ""] = (hits + 1, at)
        if member:
            numbers = self.numbers.setdefault((balancer, member), Numbers())
            numbers.elected += 1
            numbers.errors += status in (500, 504)
            numbers.sent += received
            numbers.received += sent
        self.ring.append(
            Record(
                number=self._newest, at=at, client=chance.choice(CLIENTS), method=method,
                target=path.format(n=chance.randint(1, 99_999)), host="shop.example", version=version, status=status,
                received=received, sent=sent, route=route.id if route else "", balancer=balancer, member=member,
                attempts=attempts, generation=self._generations[-1].number, waited=waited, first=first, total=total,
                cause=cause, referer="", user_agent="curl/8.14.1",
            )
        )  # fmt: skip

    def _elect(self, route: Route) -> Key:
        name = (route.proxy or "").removeprefix("balancer://").partition("/")[0]
        if not (route.proxy or "").startswith("balancer://"):
            return "", "/".join((route.proxy or "").split("/")[:3])
        able = {key[1]: member.weight for key, member in self._members.items() if key[0] == name and self._able(key)}
        if not any(able.values()):
            return name, ""
        return name, self._random.choices(list(able), list(able.values()))[0]

    # what the site says

    def _take(self, text: str) -> None:
        """From now on the site is what this text says."""
        self._text = text
        site = parse(text).site
        assert site is not None, f"not a site: {parse(text).problems}"
        self._site = site
        origins = [
            "/".join((route.proxy or "").split("/")[:3])
            for route in self._site.routes
            if route.enabled and (route.proxy or "").startswith("http")
        ]
        self._members = {
            **{(name, m): member for name, b in self._site.balancers.items() for m, member in b.members.items()},
            **{("", origin): Member(url=origin) for origin in origins},
        }

    def _able(self, key: Key) -> bool:
        member = self._members.get(key)
        healthy = self.health.get(key, "up") in ("up", "unknown")
        return member is not None and member.status == "enabled" and member.weight > 0 and healthy

    def _states(self) -> list[tuple[Key, Numbers]]:
        keys = list(self._members)
        keys += [key for key, numbers in self.numbers.items() if key not in keys and numbers.busy]
        return [(key, self.numbers.setdefault(key, Numbers())) for key in keys]

    def busy(self, balancer: str, member: str, count: int) -> None:
        self.numbers.setdefault((balancer, member), Numbers()).busy = count

    # EngineView

    def snapshot(self) -> Snapshot:
        if self._live:
            self.advance(time.time() - self.now)
        last = list(self.seconds)[-1:] or [Second(self.now, 0, 0, 0, -1.0, -1.0, -1.0, 0)]
        members = tuple(self._load(key, numbers) for key, numbers in self._states())
        in_flight = sum(member.busy for member in members)
        return Snapshot(
            at=self.now, uptime=self.now - self._started, generation=self._generations[-1].number, saved=self.saved,
            requests=self._newest, in_flight=in_flight, connections=in_flight + 11 if self._newest else 0,
            rate=float(last[0].requests), rate_4xx=float(last[0].status_4xx), rate_5xx=float(last[0].status_5xx),
            latency=Percentiles(*percentiles(self._histograms)), lateness=0.0012, newest_record=self._newest,
            members=members,
            routes=tuple(RouteLoad(id=r.id, hits=self.hits.get(r.id, (0, 0.0))[0],
                                   last_hit_at=self.hits.get(r.id, (0, 0.0))[1]) for r in self._site.routes),
            rewrites=tuple(RouteLoad(id=r.id, hits=self.hits.get(r.id, (0, 0.0))[0],
                                     last_hit_at=self.hits.get(r.id, (0, 0.0))[1]) for r in self._site.rewrites),
            listeners=tuple(ListenerState(name=name, address=row.address, port=int(row.address.rpartition(":")[2]),
                                          connections=in_flight + 11 if self._newest else 0, draining=False,
                                          turned_away=self.turned_away)
                            for name, row in self._site.listeners.items()),
            seconds=tuple(self.seconds), demo=self.demo, limited=dict(self.limited),
        )  # fmt: skip

    def _load(self, key: Key, numbers: Numbers) -> MemberLoad:
        members = self._members
        member = members.get(key)
        serving = {k: m for k, m in members.items() if k[0] == key[0] and m.status == "enabled" and m.role == "regular"}
        enabled = {k: m.weight for k, m in serving.items() if m.weight > 0}
        elected = {k: sum(s[0] for s in n.seconds) for k, n in self._states() if k[0] == key[0]}
        health = self.health.get(key, "up" if numbers.elected else "unknown")
        recent = list(numbers.seconds)[-5:]
        load = MemberLoad(
            balancer=key[0], member=key[1], url=member.url if member else "", weight=member.weight if member else 0.0,
            status=member.status if member else "draining", health=health,
            retry_in=60.0 - self.now % 60.0 if health == "error" else 0.0,
            last_error="connection refused" if health == "error" else "", retired=member is None, busy=numbers.busy,
            oldest=0.05 * numbers.busy if member and member.status == "enabled" else 12.0 * numbers.busy,
            elected=numbers.elected, rate=sum(s[0] for s in recent) / len(recent) if recent else 0.0,
            promised=enabled.get(key, 0.0) / sum(enabled.values()) if enabled else 0.0,
            share=elected.get(key, 0) / sum(elected.values()) if sum(elected.values()) else 0.0,
            sent=numbers.sent, received=numbers.received, errors=numbers.errors,
            latency=Percentiles(*percentiles(s[2] for s in numbers.seconds)),
            per_second=tuple(s[1] for s in numbers.seconds),
            role=member.role if member else "regular", lbset=member.lbset if member else 0,
            drained=not numbers.busy and member is not None and member.status != "enabled",
        )  # fmt: skip
        return msgspec.structs.replace(load, **self.seen.get(key, {}))

    def records(self, after: int, limit: int = 500) -> tuple[Record, ...]:
        skip = max(0, after - (self._newest - len(self.ring)))
        return tuple(islice(self.ring, skip, skip + limit))

    async def explain(self, question: Question) -> Explanation:
        """The real rules decide; maps are asked as ``look_up`` says."""
        rules = compile_site(self._site, Registry(), self._generations[-1].number)
        return await explain(rules, Outside(self), question)

    def inspect(self, number: int) -> Inspection | None:
        index = number - (self._newest - len(self.ring)) - 1
        if not 0 <= index < len(self.ring):
            return None
        record = self.ring[index]
        head = f"{record.method} {record.target} HTTP/1.1\r\nHost: {record.host}\r\nUser-Agent: {record.user_agent}\r\n"
        head += "Authorization: ****\r\nAccept: */*\r\n\r\n"
        member = self._members.get((record.balancer, record.member))
        forwarded = head.replace(record.host, member.url.removeprefix("http://"), 1) if member else ""
        answer = "HTTP/1.1 {} X\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n"
        return Inspection(
            record=record,
            request_head=head,
            forwarded_head=forwarded.replace("\r\n\r\n", f"\r\nX-Forwarded-For: {record.client}\r\n\r\n"),
            answer_head=answer.format(record.status, record.sent) if record.first >= 0 else "",
            explanation=self._way(record, head),
        )

    def _way(self, record: Record, head: str) -> Explanation:
        rules = compile_site(self._site, Registry(), record.generation)
        raw = head.encode()
        view = RequestView(record.method.encode(), record.target.encode(), record.host.encode(), record.client, "http",
                           raw, Connection("http", "127.0.0.1", 8080))  # fmt: skip
        trace, facts = Trace(), Facts(ask=Outside(self).ask)
        exchange = Exchange(rules, view, raw, "1.1", 0.0, 0.0, facts=facts)
        host = rules.program.host_of(view, trace)
        decision = host.decide(view, facts, trace)
        found = decision if isinstance(decision, Need) else Way(decision, host, None, view, NO_FIELDS)
        return explanation(Findings(exchange, found, trace, "http"))

    def site(self) -> SiteState:
        return SiteState(
            generation=self._generations[-1].number, site=self._site, text=self._text, file="/srv/shop/site.toml"
        )

    def problems(self) -> tuple[Problem, ...]:
        return tuple(self.trouble)

    def maps(self) -> tuple[MapState, ...]:
        return tuple(
            MapState(
                name=name, type=each.type, reads=each.file or each.function or "entries", hits=120 + n, misses=n,
                errors=int(name in self.faults), entries=len(dict(self._rows(name))) if each.type != "int" else -1,
                changed_at=self.now - 3600 if each.file else 0.0, fault=self.faults.get(name, ""),
                last_error=self.faults.get(name, ""), error_at=self.now if name in self.faults else 0.0,
            )
            for n, (name, each) in enumerate(self._site.maps.items())
        )  # fmt: skip

    def _rows(self, name: str) -> list[tuple[str, str]]:
        return [(row.key, row.value) for row in self._map_rows(name)]

    def _map_rows(self, name: str) -> tuple[MapRow, ...]:
        each = self._site.maps[name]
        return rows(self.files[each.file]) if each.file else tuple(MapRow(k, v, 0) for k, v in each.entries.items())

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        return self._map_rows(name)

    async def look_up(self, name: str, key: str) -> str | None:
        self.looked_up.append((name, key))
        return await self.answer(name, key)

    def ask(self, name: str, key: str) -> tuple[bool, str | None]:
        each = self._site.maps[name]
        if each.type == "int":
            return True, key.lower()
        return True, dict(reversed(self._rows(name))).get(key)

    async def answer(self, name: str, key: str) -> str | None:
        return self.ask(name, key)[1]

    def history(self) -> tuple[Generation, ...]:
        return tuple(self._generations[-200:])

    def can_undo(self) -> str:
        return self._past[-1][2] if self._past else ""

    def can_redo(self) -> str:
        return self._future[-1][2] if self._future else ""

    async def preview(self, command: Command) -> Preview:
        text, files, _, problems = self._outcome(command)
        return Preview(diff=self._diff(text, files), problems=problems)

    def _diff(self, text: str, files: dict[str, str]) -> str:
        return diff(self._text, text) + "".join(diff(self.files[name], new, name) for name, new in files.items())

    async def submit(self, command: Command, author: str = "console") -> Result:
        self.commands.append(command)
        text, files, sentence, problems = self._outcome(command)
        if any(problem.severity == "error" for problem in problems):
            return Refused(problems=problems)
        match command:
            case Undo():
                self._future.append((self._text, self.files, self._past.pop()[2]))
            case Redo():
                self._past.append((self._text, self.files, self._future.pop()[2]))
            case _:
                self._past.append((self._text, self.files, sentence))
                self._future.clear()
        changes = self._diff(text, files)
        self._take(text)
        self.files = self.files | files
        number = len(self._generations) + 1
        self._texts.append(text)
        self._generations.append(Generation(number=number, at=self.now, author=author, sentence=sentence, diff=changes))
        return Applied(generation=number, sentence=sentence, diff=changes, warnings=problems)

    def _outcome(self, command: Command) -> tuple[str, dict[str, str], str, tuple[Problem, ...]]:
        """The text, the changed map files, the sentence and the problems that a command leads to."""
        match command:
            case Undo() | Redo():
                word = "undo" if isinstance(command, Undo) else "redo"
                states = self._past if isinstance(command, Undo) else self._future
                if not states:
                    return self._text, {}, "", (Problem(what=f"there is nothing to {word}"),)
                text, files, sentence = states[-1]
                return text, files, f"{word}: {sentence}", ()
            case Restore():
                return self._texts[command.generation - 1], {}, f"restore generation {command.generation}", ()
            case Reload():
                return self._text, {}, "reload the file", ()
            case Keep() | Merge():
                return self._text, {}, "keep the running site", ()
            case SetEntry(map=name, key=key, value=value):
                sentence = f"map {name}: {key} = {value}" if value is not None else f"map {name}: take {key} out"
                if file := self._site.maps[name].file:
                    try:
                        return self._text, {file: map_text.edited(self.files[file], key, value)}, sentence, ()
                    except map_text.Unwritable as refused:
                        return self._text, {}, sentence, (Problem(what=str(refused)),)
                address = ("maps", name, "entries", key)
                edit = Set(address, value) if value is not None else Delete(address)
                text, sentence, problems = self._changed(Change(edits=(edit,), sentence=sentence))
                return text, {}, sentence, problems
            case Change():
                text, sentence, problems = self._changed(command)
                return text, {}, sentence, problems

    def _changed(self, change: Change) -> tuple[str, str, tuple[Problem, ...]]:
        try:
            text = edited(parse(self._text), change.edits).text
        except Unusable as unusable:
            return self._text, change.sentence, (unusable.problem,)
        document = parse(text)
        return text, change.sentence, document.problems + (lint(document.site) if document.site else ())

    async def start_demo(self) -> str:
        self.demo = True
        self.health.clear()
        return "started demo members on 127.0.0.1:8002"


def diff(before: str, after: str, name: str = "site.toml") -> str:
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, name, n=2)
    return "".join(lines)


class Serialised:
    """Any EngineView, seen through a wire: every answer and every command is encoded and decoded on its way."""

    def __init__(self, engine: EngineView) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._engine, name)
        kind = get_type_hints(getattr(EngineView, name))["return"]

        def call(*arguments: Any, **named: Any) -> Any:
            return over_the_wire(ask(*map(_argument, arguments), **named), kind)

        async def awaited(*arguments: Any, **named: Any) -> Any:
            return over_the_wire(await ask(*map(_argument, arguments), **named), kind)

        return awaited if inspect.iscoroutinefunction(getattr(EngineView, name)) else call


def over_the_wire(value: Any, kind: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)


def _argument(argument: Any) -> Any:
    return over_the_wire(argument, Command) if isinstance(argument, Command) else argument
