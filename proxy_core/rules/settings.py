"""What holds for a request besides where it goes: its header edits and its pages for errors.

Rows are laid over each other in Apache's order: the server's, then the host's, then those of the route, then those of
the locations that hold (``merge_headers_config``, ``merge_core_dir_configs``). Each combination is made once and
remembered. A site without such rows has no Scopes at all, and its requests pay nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus

from msgspec import Struct, field
from msgspec.structs import replace

from proxy_core.config.model import ErrorPage, ExpiryRule, HeaderRule, Host, Options, ReverseRule, Site
from proxy_core.config.own_fields import for_members
from proxy_core.errors import Address
from proxy_core.http.content_coding import Offer
from proxy_core.http.statuses import REASONS, error_statuses
from proxy_core.rules import compressing, hosts
from proxy_core.rules.decision import CookieRow, ReverseRow
from proxy_core.rules.fields.edit_scope import Moment, found, value_of
from proxy_core.rules.fields.edits import Edit, Edits, alike, compile_edit
from proxy_core.rules.routing.reverse import explicit_rows
from proxy_core.rules.text.variables import DEFAULT_PORTS, server_port

_MOST_KEPT = 4096


class Settings(Struct, frozen=True, eq=False):
    """``pages`` are by status; ``reverse`` and ``cookies`` come before what the route says itself; ``offer`` says which
    answers are coded, None for none."""

    edits: Edits
    pages: Mapping[int, ErrorPage]
    reverse: tuple[ReverseRow, ...] = ()
    cookies: tuple[CookieRow, ...] = ()
    offer: Offer | None = None

    def page(self, status: int) -> ErrorPage | None:
        """The page for a status; one that httpd does not know gets that for 500 (``ap_index_of_response``)."""
        row = self.pages.get(status)
        known = status in REASONS and status != HTTPStatus.IM_A_TEAPOT
        return row if row is not None or known else self.pages.get(500)


Key = tuple[str, str, tuple[str, ...]]


class Scopes(Struct, eq=False):
    """The rows of a site by what they are for."""

    headers: Sequence[tuple[HeaderRule, Edit]]
    """The enabled rows of [[headers]], compiled."""
    pages: Sequence[ErrorPage]
    """The enabled rows of [[errors]]."""
    site: Site
    """The whole site, for what it adds to fields itself."""
    located: bool
    """Whether some row is for a location."""
    early: bool
    """Whether some edit is done before the rules."""
    asks: bool
    """Whether some edit may ask for a fact."""
    shows_paths: bool
    """Whether some edit may look at the path that answers."""
    kept: dict[Key, Settings] = field(default_factory=dict)
    """The combinations that were asked for."""

    def find(self, host: str, route: str, locations: tuple[str, ...] = ()) -> Settings:
        """What holds for requests of a host, of the route with this id ("" for none) and of these rows of
        [[locations]], in the order in which they are laid over each other."""
        key = (host, route, locations)
        known = self.kept.get(key)
        if known is None:
            if len(self.kept) >= _MOST_KEPT:
                self.kept.clear()
            known = self.kept[key] = self._made(host, route, locations)
        return known

    def _made(self, host: str, route: str, locations: tuple[str, ...]) -> Settings:
        def depth(row: HeaderRule | ExpiryRule | ErrorPage | ReverseRule) -> int:
            """How late a row is laid on; -1 where it does not hold."""
            of = row.route if isinstance(row, HeaderRule | ErrorPage) else ""
            if (
                not row.enabled
                or row.host not in ("", host)
                or (of and of != route)
                or (row.location and row.location not in locations)
            ):
                return -1
            if row.location:
                return 3 + locations.index(row.location)
            return 2 if of else 1 if row.host else 0

        rows = [(depth(row), "early" if row.early else row.on, edit) for row, edit in self.headers]
        rows.sort(key=lambda each: each[0])
        made = {on: tuple(e for at, where, e in rows if at >= 0 and where == on) for on in (*_KINDS, "early")}
        options = hosts.options(self.site, self.site.hosts[host]) if host in self.site.hosts else self.site.site
        own = {on: tuple(edit for where, edit in (*_users(self.site), *_own(options)) if where == on) for on in _KINDS}
        pages: dict[int, ErrorPage] = {}
        for row in sorted(self.pages, key=depth):
            if depth(row) >= 0:
                pages |= dict.fromkeys(error_statuses(row.status), row)
        pages = {status: row for status, row in pages.items() if not row.builtin}
        back = [row for row in sorted(self.site.reverse, key=depth) if depth(row) >= 0]
        whole, adds, expires = self.site.site, options.add_forwarded, options.expires_active
        charset: tuple[Address, str] = (("site",), options.default_charset)
        places = {row.id: row for row in self.site.locations}
        service = ""
        for said in (places[place] for place in locations):
            adds = adds if said.add_forwarded is None else said.add_forwarded
            expires = expires if said.expires_active is None else said.expires_active
            charset = charset if said.default_charset is None else (("locations", said.id), said.default_charset)
            service = said.forward_auth or service
        given, told = _given(self.site, service), _told(self.site, service)
        dates = [row for row in sorted(self.site.expires, key=depth) if expires and depth(row) >= 0]
        offered = compressing.offer(compressing.table(self.site, host, route, locations)[1])
        edits_made = Edits(
            request=made["request"] + own["request"] + given + compressing.of_requests(offered),
            response=made["response"] + own["response"] + _charset(*charset),
            always=made["always"] + own["always"],
            server=None if options.server_name == whole.server_name else options.server_name.encode(),
            early=made["early"],
            names=alike((*made["early"], *made["request"], *own["request"], *given, *told)),
            told=told,
            adds=None if adds == whole.add_forwarded else adds,
            expiry={row.type.lower(): row for row in dates},
        )
        return Settings(edits_made, pages, *explicit_rows(self.site, back), offered)


_KINDS = ("request", "response", "always")


def compile_scopes(site: Site) -> Scopes | None:
    """The scopes of a site that ``lint`` found no error in; None where it has nothing of the kind."""
    headers = [(row, compile_edit(row)) for row in site.headers if row.enabled]
    pages = [row for row in site.errors if row.enabled]
    differ = any(_differs(site, host) for host in site.hosts.values())
    coding = any(compressing.offer(table) is not None for _, table in compressing.tables(site))
    places = any(
        (coding and row.compress is not None)
        or (row.add_forwarded, row.expires_active, row.default_charset) != (None, None, None)
        or row.forward_auth in site.forward_auth
        for row in site.locations
    )
    rows = (*site.headers, *site.errors, *site.reverse, *site.expires)
    own = _own(site.site) or site.site.default_charset
    if not (coding or headers or pages or _users(site) or own or site.reverse or site.expires or differ or places):
        return None
    located = places or any(row.location for row in rows)
    early, asks = any(row.early for row, _ in headers), any(edit.asks for _, edit in headers)
    shows_paths = any(_SHOWN_PATHS.search(text) for row, _ in headers for text in (row.value, row.expr))
    return Scopes(headers, pages, site, located, early, asks, shows_paths)


_SHOWN_PATHS = re.compile(r"REQUEST_URI|DOCUMENT_URI|FILENAME|PATH_INFO|HANDLER", re.IGNORECASE)


def _differs(site: Site, host: Host) -> bool:
    """Whether a host says something of its own in the fields that the proxy adds."""
    mine, whole = hosts.options(site, host), site.site
    return any(getattr(mine, name) != getattr(whole, name) for name in _OF_FIELDS)


_OF_FIELDS = ("server_name", "via", "add_forwarded", "default_charset")


def _users(site: Site) -> list[tuple[str, Edit]]:
    """What each [auth.NAME] does to the requests of its users."""
    made = []
    for name, auth in site.auth.items():
        of_it = partial(_of, name)
        if auth.user_header:
            said = auth.user_header.encode("latin-1")
            edit = Edit(("auth", name), "set", said.lower(), said, lambda moment: moment.scope.user, False, holds=of_it)
            made.append(("request", edit))
        if auth.hide:
            made.append(
                (
                    "request",
                    replace(_edit("unset", b"Authorization", ""), address=("auth", name), steady=False, holds=of_it),
                )
            )
    return made


def _given(site: Site, service: str) -> tuple[Edit, ...]:
    """What members get of a [forward_auth.NAME]: its word in the place of the client's, and none where it has none."""
    settings = site.forward_auth.get(service)
    if settings is None:
        return ()
    made: list[Edit] = []
    for name in for_members(settings):
        spelled = name.encode("latin-1")
        of_it = partial(_of_service, spelled.lower())
        dropped = replace(_edit("unset", spelled, ""), address=("forward_auth", service), steady=False)
        made += [dropped, replace(dropped, action="set", value=of_it, holds=of_it)]
    return tuple(made)


def _told(site: Site, service: str) -> tuple[Edit, ...]:
    """The fields that a [forward_auth.NAME] goes by: members must not take others for them."""
    settings = site.forward_auth.get(service)
    names = settings.request_headers if settings is not None else ()
    stands = replace(_edit("tell", b"", ""), address=("forward_auth", service))
    made = [replace(stands, name=name.lower().encode(), spelled=name.encode()) for name in names]
    return tuple(edit for edit in made if edit.name in alike(made))


def _of_service(name: bytes, moment: Moment) -> str:
    """What the service that was asked first gives in a field, "" for nothing."""
    lines = moment.scope.given
    return ", ".join(value_of(lines[at]) for at in found(lines, name))


def _of(auth: str, moment: Moment) -> bool:
    return moment.scope.auth == auth


def _own(options: Options) -> list[tuple[str, Edit]]:
    """Via and the request id, which come behind all rows: httpd's proxy handler adds them last."""
    made = []
    if options.request_id:
        name = options.request_id.encode("latin-1")
        made.append(("request", _edit("id", name, "")))
    if options.via == "block":
        made.append(("request", _edit("unset", b"Via", "")))
    elif options.via != "off":
        via = _via(options.server_name, " (rproxy)" if options.via == "full" else "")
        made.append(("request", via))
        # Nothing in an answer tells which port and version its request had, so its head is never the same for all.
        made.append(("response", replace(via, action="via+", steady=False)))
    return made


def _charset(of: Address, name: str) -> tuple[Edit, ...]:
    """What core puts behind the type of a text (``ap_make_content_type``), "" for nothing."""
    if not name:
        return ()
    pattern, value = r"(?i)^(text/(?:plain|html)(?!.*charset=).*)$", f"$1; charset={name}"
    row = HeaderRule(id="", on="response", action="edit", name="Content-Type", pattern=pattern, value=value)
    return (replace(compile_edit(row), address=of),)


def _via(name: str, product: str) -> Edit:
    """This proxy's name, with the port that the client spoke to where it is not the usual one."""

    def value(moment: Moment) -> str:
        port = server_port(moment.scope)
        return name + ("" if port == DEFAULT_PORTS.get(moment.scope.view.scheme) else f":{port}") + product

    return Edit(("site",), "via", b"via", b"Via", value, True)


def _edit(action: str, name: bytes, value: str) -> Edit:
    steady: Callable[[object], str] = lambda moment: value  # noqa: E731
    return Edit(("site",), action, name.lower(), name, steady, action != "id")
