"""A service that is asked first whether a request may go on: what it is told, and what its answer means.

That is what nginx calls auth_request, Traefik ForwardAuth and Caddy forward_auth. Asking is a fact like a password, so
nothing is sent from here. The key of the fact is all that the service is told, word for word: requests that differ in
anything that it is told never share an answer.

The service is told the path that routes and locations go by, never the client's spelling, so that it decides about what
the member will read. Where members may read a path in several ways, it is asked about each, and has to admit each. It
is told no field that ``Connection`` takes away, for the member does not get that either, and nothing that clients say
of themselves in X-Forwarded-*. ``CDN-Loop`` (RFC 8586) marks what is asked: an ask that comes back here, to where it
would be asked again, ends. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

from msgspec import Struct, field

from proxy_core.config.destination import service
from proxy_core.config.model import ForwardAuth, Site
from proxy_core.config.own_fields import for_members, own_fields
from proxy_core.http.escaping import sendable
from proxy_core.http.hop_by_hop import REQUEST_KINDS, Kind, as_cgi
from proxy_core.http.syntax import tokens
from proxy_core.http.target import Reading, escaped, readable
from proxy_core.rules.access.networks import Networks, trusted
from proxy_core.rules.decision import Extras, OwnPage, Redirect, Respond, Step, Trace
from proxy_core.rules.facts import Unknown
from proxy_core.rules.text.variables import Scope

OFF: Final = "off"
"""What a place says where nobody is to be asked."""
REFUSALS: Final = frozenset((401, 403))
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_OF_THE_BODY: Final = (b"content-", b"etag", b"last-modified")
_LOOP: Final = b"cdn-loop"
_CLAIMS: Final = frozenset((Kind.CLAIM, Kind.FORWARDED))
_UNFIT = re.compile(r"[^a-z0-9.:_-]")
"""Finds what no name in CDN-Loop holds."""


class Service(Struct, frozen=True):
    """A [forward_auth.NAME] as places hold it. The one without a name is nobody: it is not asked."""

    name: str = ""
    """Its name in the site."""
    pool: str = ""
    """The pool that it is reached by."""
    target: str = "/"
    """The path and query that it is asked for."""
    told: frozenset[bytes] = frozenset()
    """The fields of requests that it is told, in lower case."""
    claims: frozenset[bytes] = frozenset()
    """Those of them that say who asks for whom: only proxies in front are believed in them."""
    given: frozenset[bytes] = frozenset()
    """The fields of its answer that members get, in lower case."""
    returned: frozenset[bytes] = frozenset()
    """The fields of its answer that clients get, in lower case."""
    user: bytes = b""
    """The field of its answer that names the user, in lower case; b"" for none."""
    here: str = "localhost"
    """What this proxy calls itself in CDN-Loop."""
    trusted: Networks = field(default_factory=lambda: Networks(()))
    """Proxies in front, whose word of the client is believed."""
    certified: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """By listener, the fields that it is told of clients' certificates, and the variables whose values they get."""


NOBODY: Final = Service()


def bound(site: Site, name: str) -> Service | None:
    """What a place asks; None where it says nothing of that. Raises ValueError for a URL that does not parse."""
    if name in ("", OFF):
        return NOBODY if name else None
    settings = site.forward_auth[name]
    pool, target = service(settings.url)
    own = own_fields(site)
    told = _folded(settings.request_headers)
    claims = {
        each for each in told if REQUEST_KINDS[each] in _CLAIMS or each == site.site.client_header.lower().encode()
    }
    certified = {
        listener: tuple((its, of) for its, of in each.tls.client_headers.items() if its.lower().encode() in told)
        for listener, each in site.listeners.items()
        if each.tls is not None
    }
    return Service(
        name, pool, target, frozenset(each for each in told if as_cgi(each) not in own), frozenset(claims),
        _folded(for_members(settings)),
        _folded(settings.response_headers), settings.user_header.lower().encode(),
        _UNFIT.sub("-", site.site.server_name.lower()), trusted(site), certified,
    )  # fmt: skip


def _folded(names: Iterable[str]) -> frozenset[bytes]:
    return frozenset(name.lower().encode() for name in names)


# -- what the service is told


class _Lines:
    """The field lines of a head."""

    def __init__(self, head: bytes) -> None:
        self.all = [(line.partition(b":")[0].lower(), line) for line in head.split(b"\r\n")[1:-2]]

    def values(self, name: bytes) -> list[bytes]:
        return [line.partition(b":")[2].strip(b" \t") for its, line in self.all if its == name]

    @cached_property
    def passing(self) -> list[tuple[bytes, bytes]]:
        """Without those that Connection names."""
        named = tokens(self.values(b"connection"))
        return [(name, line) for name, line in self.all if name not in named]


def question(asked: Service, scope: Scope, lines: _Lines, uri: bytes) -> str:
    """All that the service is told about a URI: where it is asked on the first line, then field lines."""
    view = scope.view
    believed = asked.trusted.find(view.connection.peer or view.client)
    proto = lines.values(b"x-forwarded-proto") if believed else []
    names = asked.told if believed else asked.told - asked.claims
    told = [
        b"X-Forwarded-Method: " + view.method,
        b"X-Forwarded-Uri: " + uri,
        b"X-Forwarded-Host: " + (view.host or scope.server_name.encode()),
        b"X-Forwarded-Proto: " + (proto[0] if proto in ([b"http"], [b"https"]) else view.scheme.encode()),
        b"X-Forwarded-For: " + (view.client or "unknown").encode(),
        b"CDN-Loop: " + b", ".join([*lines.values(_LOOP), asked.here.encode()]),
    ]
    if b"host" in asked.told:
        told.insert(0, b"Host: " + (view.host or scope.server_name.encode()))
    told += [line for name, line in lines.passing if name in names and name != b"host"]
    known = view.connection.tls
    certified = asked.certified.get(view.connection.listener, ())
    told += [f"{name}: {known[of]}".encode() for name, of in certified if known.get(of)]
    return "\r\n".join([f"{asked.pool} {asked.target}", *(line.decode("latin-1") for line in told)])


# -- what it answers


class ServiceAnswer(Struct, frozen=True):
    """What a service has said; ``status`` is 0 where it has not, and ``why`` says why. ``lines`` are the field lines
    that matter."""

    status: int
    why: str = ""
    lines: tuple[bytes, ...] = ()
    body: bytes = b""
    stored: bool = True
    """Whether Cache-Control lets anybody keep it."""

    @property
    def admits(self) -> bool:
        return self.status // 100 == 2

    @property
    def lasting(self) -> bool:
        """Whether it may hold for other requests, later."""
        return self.admits and self.stored and not self.personal

    @property
    def personal(self) -> bool:
        """Whether it is for one client alone: it has a cookie for it."""
        return any(line[:11].lower() == b"set-cookie:" for line in self.lines)


def understood(asked: ForwardAuth, status: int, lines: Sequence[bytes], body: bytes) -> ServiceAnswer:
    """What an answer of these field lines means."""
    if status // 100 == 2:
        wanted = _folded((*for_members(asked), *asked.response_headers))
        control = tokens([line.partition(b":")[2] for line in lines if _name(line) == b"cache-control"])
        kept = tuple(line for line in lines if _name(line) in wanted)
        return ServiceAnswer(status, lines=kept, stored=not control & {b"no-store", b"no-cache"})
    targets = [_value(line) for line in lines if _name(line) == b"location"]
    if status in REFUSALS or (status in REDIRECTS and len(targets) == 1 and targets[0]):
        return ServiceAnswer(status, lines=tuple(line for line in lines if _name(line) != b"date"), body=body)
    what = "without one Location" if status in REDIRECTS else "which is neither 2xx nor 401, 403 or a redirect"
    return ServiceAnswer(0, f"it answered {status}, {what}")


def spelled(said: ServiceAnswer) -> str:
    """As the answer to a fact."""
    why = " ".join(said.why.split())
    head = [f"{said.status} {why}", *(line.decode("latin-1") for line in said.lines)]
    return "\r\n".join([*head, "", said.body.decode("latin-1")])


def read(answer: str | None) -> ServiceAnswer:
    """``spelled``, read again."""
    if answer is None:
        return ServiceAnswer(0, "nobody asks it here")
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    status, _, why = first.partition(" ")
    return ServiceAnswer(int(status), why, tuple(line.encode("latin-1") for line in lines), body.encode("latin-1"))


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


# -- what comes of it


def refusal(
    asked: Service, scope: Scope, paths: Sequence[str], reading: Reading, trace: Trace | None
) -> Respond | Redirect | None:
    """The answer to a request that the service does not admit under each of these paths, None where it does: then the
    ``scope`` gets what it gives. Raises Unknown where it has to be asked."""
    lines = _Lines(scope.view.head)
    if asked.here.encode() in {each.partition(b";")[0].strip().lower() for each in _listed(lines.values(_LOOP))}:
        cause = f"{_called(asked)} would be asked about a question of this proxy: CDN-Loop names {asked.here}"
        return Respond(508, None, cause)
    if len(lines.values(b"authorization")) > 1:
        return Respond(400, None, "there are several Authorization fields, of which nobody knows which one counts")
    query = b"" if scope.args is None else b"?" + sendable(scope.args)
    first: ServiceAnswer | None = None
    for path in paths:
        said = _answer(asked, scope, lines, escaped(path, reading) + query, trace)
        if not said.admits:
            return _refused(asked, said)
        first = first or said
    assert first is not None
    scope.given = tuple(line for line in first.lines if _name(line) in asked.given)
    scope.told = tuple(line for line in first.lines if _name(line) in asked.returned)
    scope.user = ", ".join(_value(line) for line in first.lines if asked.user and _name(line) == asked.user)
    return None


def _listed(values: Iterable[bytes]) -> Iterable[bytes]:
    return (each for value in values for each in value.split(b","))


def _value(line: bytes) -> str:
    return line.partition(b":")[2].strip(b" \t").decode("latin-1")


def _answer(asked: Service, scope: Scope, lines: _Lines, uri: bytes, trace: Trace | None) -> ServiceAnswer:
    where = f"{asked.pool}{asked.target} is asked about {uri.decode()}"
    try:
        said = read(scope.fact("forward_auth", asked.name, question(asked, scope, lines, uri)))
    except Unknown:
        if trace is not None:
            trace.append(Step(("forward_auth", asked.name), "skipped", f"{where}: only 2xx lets it through"))
        raise
    if trace is not None:
        what = f"it answered {said.status}" if said.status else said.why
        names = [readable(line.partition(b":")[0]) for line in said.lines if said.admits]
        details = [f"gives {', '.join(names)}"] if names else []
        trace.append(
            Step(("forward_auth", asked.name), "match" if said.admits else "no match", f"{where}: {what}", details)
        )
    return said


def _called(asked: Service) -> str:
    return f"forward_auth {asked.name}"


def _refused(asked: Service, said: ServiceAnswer) -> Respond | Redirect:
    """Addresses and cookies go out as the service wrote them: they are about itself, not about a member."""
    if not said.status:
        cause = f"{_called(asked)} says nothing that counts: {said.why}"
        return Respond(503, None, cause, Extras((b"Retry-After: 1",)))
    cause = f"{_called(asked)} answered {said.status}"
    fields = tuple(line for line in said.lines if not _name(line).startswith(_OF_THE_BODY))
    if said.status in REDIRECTS:
        (location,) = (line for line in fields if _name(line) == b"location")
        rest = tuple(line for line in fields if line is not location)
        return Redirect(said.status, location.partition(b":")[2].strip(b" \t"), cause, Extras(rest))
    page = OwnPage(tuple(line for line in said.lines if line not in fields), said.body) if said.body else None
    return Respond(said.status, None, cause, Extras(fields, page=page))
