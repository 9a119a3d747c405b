"""What a site names outside of itself, and whether it is there: certificates, password files, maps, folders, logs,
pages, programs, sockets and names.

Serving finds out by itself and goes on without what is missing; here an operator is told before, with the place of the
value that names it, in the words that serving has for it. What keeps a file from being taken is an error, and so is a
log that nobody can write; all else is a warning. Nothing is made, started or asked that another could notice, but for
the name servers. What looks at a kind of thing is loaded where a site names one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import monotonic

from msgspec.structs import replace

from proxy_core.config import access_logs
from proxy_core.config.folders import parted
from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document
from proxy_core.config.upstream_tables import upstream_tables
from proxy_core.errors import Address, Problem
from proxy_core.http.target import balancer, origin
from proxy_core.rules.access.networks import parse
from proxy_core.rules.lint.problems import error, warning

_SECONDS = 2.0
"""How long all names may take together; of one that takes longer nothing is said."""
_AT_ONCE = 16
"""Names that are asked for at a time."""


async def with_named_things(document: Document, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems of a site file and those of what it names, in the order of its lines; all but the names of hosts,
    for name servers take their time."""
    return with_things_at_hand(document, problems, await of_maps(document))


async def of_maps(document: Document) -> tuple[Problem, ...]:
    """What is wrong with the maps that a site file names; they alone need a loop."""
    site = _named_by(document)
    if site is None or not site.maps:
        return ()
    from proxy_core.runtime.maps.store import unopenable

    return await unopenable(site, Path(document.file).parent)


def with_things_at_hand(
    document: Document, problems: Iterable[Problem], maps: Iterable[Problem] = (), *, names: bool = False
) -> tuple[Problem, ...]:
    """The same, with those of ``maps`` as they are given; ``names`` has name servers asked, too."""
    site = _named_by(document)
    found: list[Problem] = []
    if site is not None:
        folder = Path(document.file).parent
        found += [*_listeners(site, folder), *_towards_members(site, folder), *_passwords(site, folder), *maps]
        found += [*_folders(site, folder), *_pages_and_logs(site, folder)]
        found += [*_sockets(site), *(_unknown_names(site) if names else ())]
    every = dict.fromkeys([*problems, *map(document.located, found)])
    return tuple(sorted(every, key=lambda problem: (problem.line, problem.column)))


def _named_by(document: Document) -> Site | None:
    if document.site is None and document.remains is not None:
        return document.remains.site
    return document.site


def _listeners(site: Site, folder: Path) -> Iterator[Problem]:
    now = datetime.now(UTC)
    speaking = [(name, listener.tls) for name, listener in site.listeners.items() if listener.tls is not None]
    if not speaking:
        return
    from proxy_core.runtime.certificates import BadTls, server_side

    for name, settings in speaking:
        for row in settings.certificates:
            try:  # each by itself, so that none hides another
                secure = server_side(replace(settings, certificates=(row,)), folder)
                yield from secure.warnings(name, now)
            except BadTls as bad:
                yield bad.problem(("listeners", name, "tls"))


def _towards_members(site: Site, folder: Path) -> Iterator[Problem]:
    naming = [(address, settings) for address, settings in upstream_tables(site) if settings.ca or settings.cert]
    if not naming:
        return
    from proxy_core.runtime.certificates import BadTls, client_side

    for address, settings in naming:
        try:
            client_side(settings, folder)
        except BadTls as bad:
            yield bad.problem(address, "warning")


def _passwords(site: Site, folder: Path) -> Iterator[Problem]:
    if not site.auth:
        return
    from proxy_core.runtime.maps.source import words
    from proxy_core.runtime.passwords import Passwords

    for name, settings in site.auth.items():
        address = ("auth", name, "file")
        try:
            users = Passwords(folder).users(settings.file)
        except OSError as error:
            what = f"{settings.file} cannot be read: {words(error)}; who has to show a password gets 500"
            yield warning(address, what, f"make it: htpasswd -c -B {settings.file} NAME")
        else:
            if not users:
                what = f"there is no user in {settings.file}: nobody can show a password"
                yield warning(address, what, f"add one: htpasswd -B {settings.file} NAME")


def _pages_and_logs(site: Site, folder: Path) -> Iterator[Problem]:
    if site.errors:
        from proxy_core.runtime.error_page_files import unreadable

        yield from unreadable(site, folder)
    yield from _recording(site, folder)
    files = [(file, address) for file, address in access_logs.files(site).items() if file != "-"]
    if not files:
        return
    from proxy_core.control.watching.log_file import unwritable

    for file, address in files:
        yield from unwritable(folder / file, address)


def _recording(site: Site, folder: Path) -> Iterator[Problem]:
    if site.recording is None:
        return
    from proxy_core.control.recording.schema import refusal
    from proxy_core.control.watching.log_file import unwritable

    address, name = ("recording", "file"), site.recording.file
    path = folder / name
    with suppress(OSError):  # told below
        if path.is_file() and (reason := refusal(path)):
            yield error(address, f"recording {name}: {reason}", "name another file, or move that one away")
            return
    yield from unwritable(path, address, "recording")


def _folders(site: Site, folder: Path) -> Iterator[Problem]:
    roots: list[tuple[Address, str]] = [(("site",), site.site.document_root)]
    roots += [(("hosts", name), host.document_root or "") for name, host in site.hosts.items()]
    named: list[tuple[Address, str]] = [((*address, "document_root"), root) for address, root in roots if root]
    named += [(("routes", row.id, "folder"), parted(row)[0]) for row in site.routes if row.enabled and row.folder]
    for address, name in named:
        path = folder / name
        if not path.exists():
            yield warning(address, f"there is no {name}: its requests are answered 404", "make it, or name another")
        elif not os.access(path, os.R_OK):
            yield warning(address, f"{name} may not be read: its requests are answered 403", "grant it to this user")


def _upstreams(site: Site) -> Iterator[tuple[Address, str]]:
    """Where requests are sent, with the host of each; what is no URL has a problem of its own."""
    urls: list[tuple[Address, str]] = [
        (("routes", row.id, key), url or "")
        for row in site.routes
        if row.enabled
        for key, url in (("proxy", row.proxy), ("shadow", row.shadow))
    ]
    for name, group in site.balancers.items():
        urls += [(("balancers", name, "members", key, "url"), each.url) for key, each in group.members.items()]
    for address, url in urls:
        try:
            if balancer(url) is None and "$" not in url:
                yield address, origin(url).host
        except ValueError:
            continue


def _sockets(site: Site) -> Iterator[Problem]:
    for address, host in _upstreams(site):
        path = Path(host.removeprefix("unix:"))
        if host.startswith("unix:") and not path.is_socket():
            yield warning(address, f"there is no socket {path}", "start what listens there, or correct the path")


def _is_number(host: str) -> bool:
    return host.startswith("unix:") or parse(host.strip("[]")) is not None


def _unknown_names(site: Site) -> Iterator[Problem]:
    """Hosts that have no address now, as far as that is known soon enough."""
    hosts = {host: address for address, host in _upstreams(site) if not _is_number(host)}
    if not hosts:
        return
    import socket

    waiting, unknown = list(hosts), list[str]()
    nobody = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))  # other errors do not say that

    def ask() -> None:
        while waiting:
            with suppress(IndexError):  # another one took the last
                host = waiting.pop(0)
                try:
                    socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                except (socket.gaierror, UnicodeError) as error:
                    if isinstance(error, UnicodeError) or error.errno in nobody:
                        unknown.append(host)

    asking = [Thread(target=ask, daemon=True) for _ in range(min(_AT_ONCE, len(hosts)))]
    end = monotonic() + _SECONDS
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(0.0, end - monotonic()))
    for host in tuple(unknown):
        yield warning(hosts[host], f"no name server knows {host} now", "correct the name, or make it known")
