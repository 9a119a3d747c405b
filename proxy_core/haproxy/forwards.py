"""What goes to members: a row that forwards, and the backend lines that make its request and undo its addresses.

Each row says for itself what becomes of the path, of the fields that name the client, and of what the member answers.
Rows that share a balancer share a backend, where each line that they do not have in common holds for its row alone.
Pure.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Iterable, Iterator

from msgspec import Struct

from proxy_core.config.model import Options
from proxy_core.haproxy import fields
from proxy_core.haproxy.part import LEAVE, HostPart, page, plain_page, returned
from proxy_core.haproxy.pools import checked, near, servers
from proxy_core.haproxy.spoken import unspoken
from proxy_core.haproxy.words import HandOver, Line, Lines, equal, fixed, joined, name, quoted
from proxy_core.http.syntax import host_port
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.decision import BoundRoute, CookieRow, ReverseRow
from proxy_core.rules.locations import BoundSection

_SHOWN = (*range(400, 418), *range(421, 430), 431, 451, *range(500, 512))
"""Statuses of errors that members are likely to answer."""


class HaproxyForward(Struct, frozen=True):
    """A row that forwards: of [[routes]], or a rule."""

    part: HostPart
    """The host, by one listener."""
    route: BoundRoute
    """The row as requests meet it."""
    path: tuple[str, ...]
    """The actions that make the member's path of the request's."""
    label: str = ""
    """What tells it from other targets of the same row."""

    @property
    def id(self) -> str:
        return name(self.part.rules.name, self.route.rows, self.route.id) + self.label

    @property
    def backend(self) -> str:
        """The name of its backend: that of its balancer, or one of its own."""
        assert self.route.pool is not None
        if "://" in self.route.pool:
            return f"to.{self.id}"
        pages = "".join(f" {action}" for action, _ in self._pages())
        apart = f".{crc32(pages.encode()):08x}" if pages else ""  # a backend has one page for its own errors
        return f"pool.{name(self.route.pool)}{'.host' * self.route.preserve_host}{apart}"

    def chosen(self, *conditions: str) -> Lines:
        """The lines of a frontend that send a request to it."""
        whole = joined(self.part.when, *conditions)
        body = self.part.body if self.route.max_body is None else self.route.max_body
        longer = joined(self.part.when, *conditions, f"{{ req.hdr_val(content-length) gt {body} }}")
        return [
            *([f"http-request set-var(txn.lane) bool(true){longer}", LEAVE] if body else []),
            f"http-request set-var(txn.r) str({self.id}){whole}",
            f"http-request set-var(txn.be) str({self.backend}){whole}",
        ]

    def lines(self) -> Iterator[Line]:
        """What its backend does. Raises HandOver."""
        options = self.part.rules.site.site
        assert self.route.pool is not None
        yield from forwarded(self.part.whole, options)
        yield from fields.of_requests(self.part, self.route)
        yield from _identified(self.part.whole)
        yield f"http-request set-timeout server {round(self.route.timeout * 1000)}ms", ""
        for action in self.path:
            yield action, ""
        before = checked(self.part.rules.site, self.route.pool, self.route.preserve_host)
        if before:
            yield f"http-request set-path {quoted(fixed(before) + '%[path]')}", ""
        yield from self._pages()
        for status in (each for each in _SHOWN if self.route.hides(each)):
            action = f"http-response {returned(self.part, status, self._row)}"
            if status == 401:
                yield "http-response set-var(txn.asks) res.fhdr(www-authenticate)", "{ status 401 }"
                yield f"{action} hdr www-authenticate %[var(txn.asks)]", "{ status 401 } { var(txn.asks) -m found }"
            yield action, f"{{ status {status} }}"
        settings = self.part.settings(self._row)
        rows = (settings.reverse if settings is not None else ()) + self.route.reverse
        cookies = (settings.cookies if settings is not None else ()) + self.route.cookies
        for field in ("Location", "Content-Location", "URI", "Destination") if rows else ():
            yield from _mapped(field, rows)
        yield from _mapped_cookies(cookies)
        for gone in ("keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer"):
            yield f"http-response del-header {gone}", ""
        if options.default_charset:
            pattern, made = r"(?i)^(text/(?:plain|html)(?!.*charset=).*)$", rf"\1; charset={options.default_charset}"
            yield f"http-response replace-header Content-Type {quoted(pattern)} {quoted(fixed(made))}", ""
        yield from fields.of_answers(self.part, self.route)

    def _pages(self) -> Iterator[Line]:
        """The pages for what HAProxy itself finds wrong with members. Raises HandOver."""
        for status in (502, 503, 504):
            if (made := page(self.part, status, self._row)) != plain_page(status):
                yield f"http-error status {status} {made}", ""

    @property
    def _row(self) -> str:
        return self.route.id if self.route.rows == "routes" else ""


def usable(forward: HaproxyForward) -> None:
    """Raises HandOver for a row whose requests HAProxy cannot take."""
    rules, route = forward.part.rules, forward.route
    assert route.pool is not None
    list(forward.lines())
    where = f"balancer://{route.pool}" if "://" not in route.pool else route.pool
    where += route.target.decode("latin-1")
    for section in rules.sections:
        row = section.row
        wild = row.target_regex is not None or (row.target is not None and set("*?[") & set(row.target))
        prefix = as_bytes_text(row.target or "")
        near_it = bool(prefix) and (where.startswith(prefix) or prefix.startswith(where))
        if (wild or near_it) and not harmless(forward.part, section):
            raise HandOver(f"locations {row.id} may hold for it")


def harmless(part: HostPart, section: BoundSection) -> bool:
    """Whether a section for targets says nothing but that everybody may ask, where nobody has said otherwise."""
    row = section.row
    said = {address[-1] for address, _ in unspoken(row, ())} - {"target", "target_regex"}
    within = section.rules or section.setters or section.redirects or row.id in part.located
    return not (said or within or part.required) and row.require in ((), ("all granted",))


def _identified(whole: Options) -> Iterator[Line]:
    """The field in which a request is given an id. Raises HandOver."""
    if whole.request_id and whole.trusted_proxies:
        raise HandOver("an id from a trusted proxy is kept if it is one")
    if whole.request_id:
        yield f"http-request set-header {whole.request_id} %[uuid()]", ""


def forwarded(whole: Options, options: Options) -> Iterator[Line]:
    """The fields that say who asks (``serve.forwarded_fields``); ``options`` are the host's."""
    trusting = "!{ var(txn.trusted) -m found }" if whole.trusted_proxies else ""
    appends = whole.forwarded == "append" or bool(whole.trusted_proxies)
    if whole.forwarded != "append":
        yield "http-request del-header x-forwarded- -m beg", trusting
        yield "http-request del-header x-real-ip", trusting
    if not options.add_forwarded:
        return
    server = options.server_name.removesuffix(f":{host_port(options.server_name)}")
    for field, value in (("For", "%[src]"), ("Host", "%[req.fhdr(host)]"), ("Server", fixed(server))):
        known = f"{{ req.fhdr(x-forwarded-{field.lower()}) -m found }}"
        if appends:
            both = f"%[req.fhdr(x-forwarded-{field.lower()})], {value}"
            yield f"http-request set-header X-Forwarded-{field} {quoted(both)}", known
        yield f"http-request set-header X-Forwarded-{field} {quoted(value)}", f"!{known}" if appends else ""
    if whole.forwarded != "append":
        scheme = "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]"
        yield scheme, "!{ req.fhdr(x-forwarded-proto) -m found }" if appends else ""


_SELF = "%[ssl_fc,iif(https,http)]://%[var(txn.host)]"


def _mapped(field: str, rows: tuple[ReverseRow, ...]) -> Iterator[Line]:
    """What maps a field of answers back: the first row that its value begins with (``rules.routing.reverse``)."""
    publics = list(dict.fromkeys(row.public for row in rows))
    if len(publics) == 1:
        inner = "|".join(_start(row) for row in rows)
        yield f"http-response replace-header {field} {quoted(f'(?i)^(?:{inner})(.*)$')} {_public(publics[0])}", ""
        return
    for number, row in enumerate(rows):
        held = f"{{ res.fhdr({field}) -m reg {quoted(f'(?i)^{_start(row)}')} }}"
        yield f"http-response set-var(res.back) int({number})", f"!{{ var(res.back) -m found }} {held}"
    for number, row in enumerate(rows):
        action = f"http-response replace-header {field} {quoted(f'(?i)^{_start(row)}(.*)$')} {_public(row.public)}"
        yield action, f"{{ var(res.back) -m int {number} }}"
    yield "http-response unset-var(res.back)", ""


def _start(row: ReverseRow) -> str:
    escaped = re.escape(row.internal).replace("'", r"\x27")
    return rf"(?:[^:/?\x23]+://[^/]*)?{escaped}" if row.internal.startswith("/") else escaped


def _public(public: str) -> str:
    start = "" if "://" in public else _SELF
    return quoted(start + fixed(public).replace("\\", "\\\\") + "\\1")


_LAST = r"(?!.*;[ \t]*(?i:{0})=)"
"""Of two attributes of one name the last one counts."""


def _mapped_cookies(rows: tuple[CookieRow, ...]) -> Iterator[Line]:
    for row in rows:
        key, inner = row.attribute, re.escape(row.internal).replace("'", r"\x27")
        last = _LAST.format(key)
        start = rf"^(.*?;[ \t]*(?i:{key})=){last}"
        public = fixed(row.public).replace("\\", r"\\")
        if key == "domain" and row.rest:
            yield _cookie(rf"^(.*?);[ \t]*(?i:domain)=(?i:\.?{inner}){last}(;.*)?$", r"\1\2")
        elif row.rest:
            if not public:
                yield _cookie(rf"{start}{inner}(;.*)?$", r"\1/\2")
            yield _cookie(rf"{start}{inner}(/[^;]*|(?=;|$))(;.*)?$", rf"\1{public}\2\3")
        else:
            value = inner if key == "path" else f"(?i:{inner})"
            yield _cookie(rf"{start}{value}[^;]*(;.*)?$", rf"\1{public}\2")


def _cookie(pattern: str, made: str) -> Line:
    return f"http-response replace-header Set-Cookie {quoted(pattern)} {quoted(made)}", ""


def climbing(part: HostPart, *conditions: str) -> Lines:
    """The lines that keep a path which a pattern made from leading elsewhere: it is refused, down the lane."""
    climbs = r"{ var(txn.to) -m reg '(?:^|/)\.{1,2}(?:/|$)' }"
    return [f"http-request set-var(txn.lane) bool(true){joined(part.when, *conditions, climbs)}", LEAVE]


def backends(forwards: Iterable[HaproxyForward]) -> Iterator[str]:
    """The backends of rows that forward."""
    groups: dict[str, list[HaproxyForward]] = {}
    for each in forwards:
        group = groups.setdefault(each.backend, [])
        if each.id not in [known.id for known in group]:
            group.append(each)
    for key, group in groups.items():
        pool, preserves = group[0].route.pool, group[0].route.preserve_host
        assert pool is not None
        yield f"\nbackend {key}"
        for start in ("http-request", "http-"):
            yield from _shared(group, start)
        for said in servers(group[0].part.rules.site, pool, preserves):
            yield f"    {said}"


def _shared(group: list[HaproxyForward], start: str) -> Iterator[str]:
    """The lines of one phase: what all rows begin with in common, then those of each, which are for it alone."""
    every = [[line for line in each.lines() if line[0].startswith(start) and
              (start == "http-request" or not line[0].startswith("http-request"))] for each in group]  # fmt: skip
    common = 0
    while all(len(lines) > common and lines[common] == every[0][common] for lines in every):
        common += 1
    for action, condition in every[0][:common]:
        yield f"    {action}{joined(condition)}"
    for each, lines in zip(group, every, strict=True):
        for action, condition in lines[common:]:
            yield f"    {action}{joined(equal('var(txn.r)', each.id), condition)}"


def remarks(forwards: Iterable[HaproxyForward]) -> Iterator[tuple[tuple[str, ...], str]]:
    for each in forwards:
        if each.route.pool is not None:
            yield from near(each.part.rules.site, each.route.pool)
