"""A site as haproxy.cfg: ``rproxy export --to haproxy``.

HAProxy decides itself what it can say exactly, of requests that are plain in every respect. All others it hands, as
they came, to a headless rproxy behind it, the *lane*, which has the whole site and is told who the client is by the
PROXY protocol (version 2). At the first doubt a request goes down the lane: by its spelling, its host, its path, its
route. So nothing has to be lost, and no guard is said twice in two languages for one request. A listener none of whose
hosts HAProxy can say is passed through as it is, byte by byte.

What the rules mean is not read from the site a second time: lines are made of the compiled rules (``rules.program``).
Pure but for maps and files of certificates, which are named and not read. The words are those of HAProxy 2.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.editing.site_edits import Edit, Set, edited
from proxy_core.config.model import Host, Limits, Listener, Site
from proxy_core.config.reading.document import Document
from proxy_core.errors import Address, Problem
from proxy_core.haproxy import fields, sections, variables
from proxy_core.haproxy.access import alternatives, networks
from proxy_core.haproxy.forwards import HaproxyForward, backends, remarks
from proxy_core.haproxy.gate import gate
from proxy_core.haproxy.part import LEAVE, OPEN, HostPart, answer, lane, plain_page
from proxy_core.haproxy.rewriting import rewrites
from proxy_core.haproxy.routes import routes
from proxy_core.haproxy.spoken import not_done, unspoken
from proxy_core.haproxy.words import AT_ONCE, HandOver, Lines, equal, joined, name, quoted
from proxy_core.http.hop_by_hop import IDEMPOTENT
from proxy_core.http.target import endpoint
from proxy_core.rules.compile import compile_rules
from proxy_core.rules.hosts import is_wild, names
from proxy_core.rules.program import Program
from proxy_core.rules.rule_state import RuleState
from proxy_core.runtime.maps import text_file

LANE_SOURCE = "127.0.0.9"
"""The address that HAProxy has towards the lane, and that may say there who clients are."""
LANE_AT = "127.0.0.1:18080"
"""Where the lane listens for the first listener; the others follow, port by port."""


class HaproxyExport(Struct, frozen=True):
    """A site as haproxy.cfg."""

    text: str
    """The text of haproxy.cfg."""
    files: dict[Path, str]
    """Files that it needs beside it."""
    joined: dict[Path, tuple[Path, ...]]
    """Files that are made of others, one behind the other: certificates with their keys."""
    lane: dict[str, str]
    """Where the lane listens, by the name of the listener; empty where nothing goes down it."""
    laned: tuple[Problem, ...]
    """What goes down the lane, with addresses in the site."""
    whole: tuple[str, ...]
    """The hosts that go down the lane as a whole, "" for the server."""
    near: tuple[Problem, ...]
    """What HAProxy does in another way that answers do not show."""
    losses: tuple[Problem, ...]
    """What is lost."""


def lane_addresses(site: Site, at: str = LANE_AT) -> dict[str, str]:
    """Where the lane listens for each listener, from an address on."""
    host, port = endpoint(at)
    shown = f"[{host}]" if ":" in host else host
    return {key: f"{shown}:{port + number}" for number, key in enumerate(site.listeners)}


def lane_text(document: Document, at: Mapping[str, str]) -> str:
    """The site file of the lane: the site's, but that it listens elsewhere and believes HAProxy alone who asks."""
    assert document.site is not None
    edits: list[Edit] = [Set(("site", "trusted_proxies"), [*document.site.site.trusted_proxies, LANE_SOURCE])]
    for key, address in at.items():
        edits += [Set(("listeners", key, "address"), address), Set(("listeners", key, "proxy_protocol"), True)]
    return edited(document, edits).text


def export_site(site: Site, folder: Path, beside: Path, at: Mapping[str, str] | None) -> HaproxyExport:
    """Export a sound site, whose files are relative to ``folder``; what else is needed is to stand in ``beside``.
    ``at`` says where the lane listens, by listener; None for no lane: what would go down it is refused with 501, and
    lost."""
    program = compile_rules(site, lambda table, row: RuleState((table, row)))
    told: dict[tuple[Address, str], None] = {}
    hand = lambda address, why: told.setdefault((address, why))  # noqa: E731
    files: dict[Path, str] = {}

    def page(row: str, text: str) -> str:
        file = beside / f"page-{row}.html"
        files[file] = text
        return str(file)

    def table(key: str) -> tuple[str, dict[str, str]]:
        row, file = site.maps[key], beside / f"{name(key)}.map"
        if row.type != "txt":
            raise HandOver(f"a map of the kind {row.type}")
        entries = dict(row.entries)
        if row.file:
            try:
                entries = text_file.table((folder / row.file).read_text("utf-8"))
            except (OSError, ValueError):
                raise HandOver(f"the map {key} cannot be read") from None
        files[file] = "".join(f"{each} {value}\n" for each, value in entries.items())
        return str(file), entries

    whole: dict[str, None] = {}
    made = HostPart(program, program.server, site.site, (), _located(site), False, 0, page, hand, folder, table)
    forwards: list[HaproxyForward] = []
    lines, joints = list(_beginning(site)), dict[Path, tuple[Path, ...]]()
    for key, listener in site.listeners.items():
        lines += ["", *_frontend(site, key, listener, made, forwards, whole)]
        if listener.tls is not None and lines[-1] != f"    default_backend lane.{name(key)}.tcp":
            _certificates(key, listener, folder, beside, files, joints)
    lines += backends(forwards)
    for key, listener in site.listeners.items():
        lines += ["", *_lane_backend(key, None if at is None else at[key], listener.tls is not None)]
    text = "\n".join([*lines, ""]).replace("@beside@", str(beside))
    if at is None:
        text = text.replace(LEAVE, f"{_REFUSED} if {{ var(txn.lane) -m found }}").replace("    mode tcp\n", "")
    losses = tuple(not_done(site))
    laned = tuple(
        _problem(address, "goes down the lane" if at is not None else "is lost", why) for address, why in told
    )
    near = tuple(
        _problem(*each) for each in dict.fromkeys((a, "is near, not the same", w) for a, w in remarks(forwards))
    )
    if at is None:
        spelled = _problem(("site",), "is lost in part", "what is not spelled or framed plainly is refused with 501")
        return HaproxyExport(text, files, joints, {}, (), tuple(whole), near, (*losses, *laned, spelled))
    return HaproxyExport(text, files, joints, dict(at), laned, tuple(whole), near, losses)


def _problem(address: Address, what: str, why: str) -> Problem:
    return Problem(what=f"{'.'.join(address)} {what}", todo=why, severity="warning", address=address)


def _located(site: Site) -> frozenset[str]:
    rows = (*site.headers, *site.errors, *site.reverse, *site.expires)
    return frozenset(row.location for row in rows if row.location)


def _beginning(site: Site) -> Iterator[str]:
    limits = site.limits
    yield "# Made by rproxy export --to haproxy. Edits belong into the site file."
    yield from ("global", "    tune.bufsize 65536", "    tune.http.maxhdr 1001")
    if limits.connections:
        yield f"    maxconn {limits.connections}"
    yield f"    hard-stop-after {_ms(max(site.site.drain_timeout, 0.001))}"
    yield from ("", "defaults", "    mode http", "    option http-keep-alive", "    log global")
    yield f"    timeout connect {_ms(site.site.connect_timeout)}"
    yield f"    timeout server {_ms(site.site.timeout)}"
    yield f"    timeout tunnel {_ms(site.site.tunnel_timeout)}"
    yield f"    timeout client {_ms(max(limits.body_time, site.site.timeout))}"
    yield f"    timeout http-request {_ms(limits.head_time)}"
    yield f"    timeout http-keep-alive {_ms(limits.idle_time)}"
    for status in (400, 408, 500, 502, 503, 504):
        yield f"    http-error status {status} {plain_page(status)}"


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _frontend(
    site: Site, key: str, listener: Listener, made: HostPart, forwards: list[HaproxyForward], handed: dict[str, None]
) -> Iterator[str]:
    """The lines of a listener: passed through where every host of it is the lane's. ``handed`` gets the hosts that are
    the lane's as a whole."""
    limits = listener.limits.over(site.limits)
    parts = [
        replace(made, rules=rules, secure=listener.tls is not None, body=limits.body, required=required)
        for rules, required in _reached(site, made.program, key)
    ]
    parts = [replace(part, known=variables.spoken(part)) for part in parts]
    whole = [*_beyond_all(site, limits, listener)] or None
    for address, why in whole or ():
        made.hand(address, why)
    reasons = [[*_beyond(part)] for part in parts] if whole is None else []
    handed.update((part.rules.name, None) for at, part in enumerate(parts) if whole is not None or reasons[at])
    bind = f"    bind {quoted(_bound(listener.address))}"
    if whole is not None or all(reasons):
        for found in reasons:
            for address, why in found:
                made.hand(address, why)
        yield from (f"frontend {name(key)}", "    mode tcp", bind, f"    default_backend lane.{name(key)}.tcp")
        return
    yield f"frontend {name(key)}"
    if listener.tls is not None:
        version = f"ssl-min-ver TLSv{listener.tls.min_version}"
        bind += f" ssl crt-list '@beside@/{name(key)}.crt-list' {version}"
    yield f"{bind} proto h1{' accept-proxy' * listener.proxy_protocol}"
    for line in _rules(site, limits, listener, parts, reasons, forwards):
        yield f"    {line}"
    yield f"    default_backend lane.{name(key)}"


def _bound(address: str) -> str:
    return f"*{address}" if address.startswith(":") else address


def _reached(site: Site, program: Program, listener: str) -> list[tuple[object, tuple[str, ...]]]:
    """The rules of the hosts that a listener reaches, in their order, with who may ask there."""
    table = program.tables.get(listener)
    if table is None:
        return [(program.server, site.site.require)]
    return [(program.hosts[each], site.hosts[each].require or site.site.require) for each in table.order]


def _beyond_all(site: Site, limits: Limits, listener: Listener) -> Iterator[tuple[Address, str]]:
    """What sends all requests of a listener down the lane."""
    yield from unspoken(site, ())
    yield from unspoken(site.limits, ("limits",))
    tls = listener.tls
    if tls is not None and (tls.client_ca or tls.client_verify != "off" or tls.client_headers):
        yield ("listeners",), "certificates of clients are not handed on"
    if tls is not None and not tls.certificates:
        yield ("listeners",), "there is no certificate"


def _beyond(part: HostPart) -> Iterator[tuple[Address, str]]:
    """What sends all requests of a host down the lane."""
    rules, site = part.rules, part.rules.site
    where: Address = ("hosts", rules.name) if rules.name else ("site",)
    yield from unspoken(site.site, where)
    host = site.hosts.get(rules.name, Host())
    for address, why in unspoken(host, where):
        if address[-1] not in site.site.__struct_fields__:
            yield address, why
    if rules.early:
        yield where, "a route looks at the path before it is decoded"
    if row := variables.decisive(part):
        yield ("env", row), "its variable says how members are asked"
    try:
        alternatives(site, part.required)
        list(fields.doubtful(part))
        list(fields.of_every_answer(part))
    except HandOver as why:
        yield where, str(why)


def _rules(
    site: Site, limits: Limits, listener: Listener, parts: list[HostPart], reasons: list[list[tuple[Address, str]]],
    forwards: list[HaproxyForward],
) -> Iterator[str]:  # fmt: skip
    """The rules of a listener that HAProxy has a part in."""
    if listener.proxy_protocol:
        trusted = [*networks((*site.site.trusted_proxies, *site.site.internal_proxies))]
        yield from (f"acl trusted {each[2:-2]}" for each in trusted)
        yield "tcp-request connection reject if !trusted"
    secure = listener.tls is not None
    yield from (f"http-request set-var(txn.lane) bool(true) if {each}" for each in gate(site, limits, secure))
    yield LEAVE
    passing = [ban.network for ban in site.bans if ban.until]
    yield from (f"http-request set-var(txn.lane) bool(true) if {each}" for each in networks(passing))
    yield from [LEAVE] * bool(passing)
    for each in networks((*site.site.deny, *(ban.network for ban in site.bans if not ban.until))):
        yield f"http-request return status 403 {plain_page(403)} if {each}"
    for each in networks(site.site.trusted_proxies):
        yield f"http-request set-var(txn.trusted) bool(true) if {each}"
    yield "http-request set-var(txn.host) req.fhdr(host),lower"
    if parts[0].rules.name:
        yield from _named(parts)
    for part, found in zip(parts, reasons, strict=True):
        yield f"# {part.rules.name or 'the server'}"
        if found:
            for address, why in found:
                part.hand(address, why)
            yield from lane(part, *found[0])
            continue
        yield from _of_host(part, forwards)
    if secure and listener.tls is not None and listener.tls.hsts:
        yield (f"http-after-response set-header Strict-Transport-Security max-age={listener.tls.hsts} "
               "if !{ var(txn.lane) -m found }")  # fmt: skip
    yield "use_backend %[var(txn.be)] if { var(txn.be) -m found } !{ var(txn.lane) -m found }"


def _named(parts: list[HostPart]) -> Iterator[str]:
    """The lines that find the host which a request names; the first of all has what names none."""
    free = "!{ var(txn.vh) -m found }"
    subject = "var(txn.host),field(1,:)"
    for part in parts:
        host = part.rules.site.hosts[part.rules.name]
        label = f"http-request set-var(txn.vh) str({part.rules.name}) if {free}"
        plain = sorted(names(host).plain)
        for start in range(0, len(plain), AT_ONCE):
            yield f"{label} {{ {subject} -m str -- {' '.join(map(quoted, plain[start : start + AT_ONCE]))} }}"
        for each in filter(is_wild, (*host.names, host.server_name)):
            spelled = "".join({"*": ".*", "?": "."}.get(sign) or _escaped(sign) for sign in each.lower())
            yield f"{label} {{ {subject} -m reg {quoted(f'^{spelled}$')} }}"
    yield f"http-request set-var(txn.vh) str({parts[0].rules.name}) if {free}"


def _escaped(sign: str) -> str:
    return sign if sign.isalnum() else f"\\x{ord(sign):02x}"


def _of_host(part: HostPart, forwards: list[HaproxyForward]) -> Iterator[str]:
    yield from sections.handed(part)
    yield from variables.variables(part)
    for row, condition in fields.doubtful(part):
        yield from lane(part, ("headers", row.id), "its value has no equal", condition)
    yield from rewrites(part, forwards)
    yield from routes(part, forwards)
    nobody = partial(joined, part.when)
    if part.rules.root:
        where: Address = ("hosts", part.rules.name) if part.rules.name else ("site",)
        yield from lane(part, (*where, "document_root"), "HAProxy serves no files", OPEN)
    else:
        yield f"http-request set-var(txn.be) str(-){nobody(OPEN)}"
    yield from sections.admitted(part)
    unknown = equal("var(txn.be)", "-")
    try:
        yield from answer(part, 404, unknown)
    except HandOver as why:
        yield from lane(part, ("errors",), str(why), unknown)
    for action, condition in fields.of_every_answer(part):
        yield f"{action}{joined(part.when, condition, '!{ var(txn.lane) -m found }')}"


_REFUSED = "http-request return status 501 hdr X-Lost 1"
"""What becomes of a request that would go down the lane where there is none."""


def _lane_backend(key: str, address: str | None, secure: bool) -> Iterator[str]:
    if address is None:
        yield from (f"backend lane.{name(key)}", f"    {_REFUSED}", f"backend lane.{name(key)}.tcp", f"    {_REFUSED}")
        return
    tls = " ssl verify none sni ssl_fc_sni" if secure else ""
    yield f"backend lane.{name(key)}"
    # A connection says who the client is, so it is of use to that client alone.
    yield from (f"    source {LANE_SOURCE}", "    http-reuse never")
    # The lane may start anew behind HAProxy: what may be sent again is.
    yield from ("    retries 3", "    retry-on conn-failure empty-response")
    yield f"    http-request disable-l7-retry if !{{ method {' '.join(sorted(map(bytes.decode, IDEMPOTENT)))} }}"
    yield f"    server lane {address} send-proxy-v2{tls}"
    yield from ("", f"backend lane.{name(key)}.tcp", "    mode tcp")
    yield from (f"    source {LANE_SOURCE}", "    retries 3", f"    server lane {address} send-proxy-v2")


def _certificates(
    key: str,
    listener: Listener,
    folder: Path,
    beside: Path,
    files: dict[Path, str],
    joints: dict[Path, tuple[Path, ...]],
) -> None:
    """The list of a listener's certificates, and each with its key in one file, as HAProxy wants it."""
    assert listener.tls is not None
    rows: Lines = []
    for number, row in enumerate(listener.tls.certificates):
        pem = beside / f"{name(key)}-{number}.pem"
        joints[pem] = tuple(folder / each for each in (row.cert, row.chain, row.key) if each)
        rows.append(" ".join([str(pem), *row.names]))
    files[beside / f"{name(key)}.crt-list"] = "\n".join([*rows, ""])
