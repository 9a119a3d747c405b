"""Whether another engine does with a site's requests what rproxy does: the proof of an export.

The site is moved to free ports of loopback, before stubs (``moving``); rproxy serves it, the engine serves its export,
with the lane's rproxy behind it where there is one. Both are asked the same raw requests (``questions``), and status,
fields of the answer and what the member received are compared. Nothing of the site's own is touched: it is a copy in a
temporary folder, and every process is ended before this returns.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct

from proxy_core.apache import export as to_apache
from proxy_core.config.editing import spelling
from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document, parse
from proxy_core.control.conform.asking import alike, asked
from proxy_core.control.conform.engines import CannotStart, apache, haproxy, look_through, rproxy
from proxy_core.control.conform.moving import Data, Stubs, compared, in_maps, moved, stubs
from proxy_core.control.conform.ports import free_port
from proxy_core.control.conform.questions import MOST, Asking, questions
from proxy_core.control.demo.scratch_site import scratch_copy
from proxy_core.haproxy import export as to_haproxy

EngineName = Literal["haproxy", "apache"]
Ports = Mapping[str, int]
LOST = ["501", "x-lost: 1"]
"""What HAProxy answers where a lane would be needed and there is none."""


class Disagreement(Struct, frozen=True):
    """A request that the two answer differently."""

    asking: Asking
    """The request."""
    ours: tuple[str, ...]
    """What came of it at rproxy, in lines."""
    theirs: tuple[str, ...]
    """What came of it at the engine."""


class Conformity(Struct, frozen=True):
    """What came of asking."""

    asked: int
    """The requests that were asked."""
    beyond: int
    """The requests that there would be besides."""
    lost: int
    """The requests that the engine refused because there is no lane."""
    differences: tuple[Disagreement, ...]
    """The requests that were answered differently."""


def conformity(document: Document, engine: EngineName, program: str, lane: bool = True, most: int = MOST) -> Conformity:
    """Ask rproxy and an engine, ``most`` requests. ``document`` is that of a sound site in a file. ``lane``: HAProxy
    has one. Raises CannotStart."""
    file = Path(document.file)
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(_copied(file)) for _ in range(2))
        data = in_maps(document, file.parent)
        stand_in = stack.enter_context(stubs(data, theirs.parent))
        site = _written(ours, data, stand_in, ports := _ports(data))
        engine_ports = _ports(data)
        engine_site = _written(theirs, data, stand_in, engine_ports)
        start = _haproxy if engine == "haproxy" else _apache
        start(stack, program, theirs, engine_site, engine_ports, lane)
        stack.enter_context(rproxy(ours, list(ports.values()), ours.parent / "state"))
        made, beyond = questions(site, most)
        secure = {key for key, listener in site.listeners.items() if listener.tls is not None}

        def both(asking: Asking) -> tuple[list[str], list[str]]:
            name = asking.name if asking.listener in secure else ""
            first, second = (
                compared(
                    alike(asked(where[asking.listener], asking.request, name)), stand_in, site, folder, asking.line
                )
                for where, folder in ((ports, ours.parent), (engine_ports, theirs.parent))
            )
            return first, second

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(both, made))
        lost = sum(second == LOST for _, second in answers)
        differing = [
            Disagreement(asking, tuple(first), tuple(second))
            for asking, (first, second) in zip(made, answers, strict=True)
            if first != second and second != LOST
        ]
        if any(len({_path(each.url) for each in group.members.values()}) > 1 for group in site.balancers.values()):
            differing = [each for each in differing if not _by_choice([both(each.asking) for _ in range(_AGAIN)])]
    return Conformity(len(made), beyond, lost, tuple(differing))


_AGAIN = 12


def _by_choice(answers: list[tuple[list[str], list[str]]]) -> bool:
    """Whether two servers that are asked several times each answer in the same few ways: members of a balancer that
    have different paths."""
    ours, theirs = ({tuple(each[at]) for each in answers} for at in (0, 1))
    return ours == theirs


def _path(url: str) -> str:
    return url.partition("://")[2].partition("/")[2]


@contextmanager
def _copied(file: Path) -> Iterator[Path]:
    copy = scratch_copy(file)
    try:
        copy.parent.chmod(0o755)  # httpd gives up its rights before it reads what it serves
        yield copy
    finally:
        shutil.rmtree(copy.parent)


def _ports(data: Data) -> dict[str, int]:
    return {name: free_port() for name in data.get("listeners", {})}


def _written(copy: Path, data: Data, stand_in: Stubs, ports: Ports) -> Site:
    text = spelling.document(moved(data, stand_in, Path(copy.parent), ports))
    copy.write_text(text)
    found = parse(text, str(copy))
    if found.site is None:
        raise CannotStart(f"the site cannot be moved to be asked: {'; '.join(map(str, found.problems))}")
    return found.site


def _haproxy(stack: ExitStack, program: str, file: Path, site: Site, ports: Ports, lane: bool) -> None:
    at = {name: f"127.0.0.1:{free_port()}" for name in ports}
    made = to_haproxy.export_site(site, file.parent, file.parent, at if lane else None)
    try:
        write_beside(made)
    except OSError as error:
        raise CannotStart(f"{Path(str(error.filename)).name} cannot be read: {error.strerror}") from error
    configuration = file.with_name("haproxy.cfg")
    configuration.write_text(made.text)
    look_through(program, configuration)
    if made.lane:
        behind = file.with_name("lane.toml")
        document = parse(file.read_text(), str(behind))
        behind.write_text(to_haproxy.lane_text(document, made.lane))
        places = [int(each.rpartition(":")[2]) for each in made.lane.values()]
        stack.enter_context(rproxy(behind, places, file.parent / "state"))
    stack.enter_context(haproxy(program, configuration, list(ports.values())))


def write_beside(made: to_haproxy.HaproxyExport) -> None:
    """Write the files that an export needs. Raises OSError."""
    for file, content in made.files.items():
        file.write_text(content)
    for file, parts in made.joined.items():
        file.touch(mode=0o600)
        file.write_bytes(b"\n".join(part.read_bytes() for part in parts))


def _apache(stack: ExitStack, program: str, file: Path, site: Site, ports: Ports, lane: bool) -> None:
    made = to_apache.export_site(site, file, file.parent)
    configuration = file.with_name("httpd.conf")
    for beside, content in {**made.files, configuration: made.text}.items():
        beside.write_text(content)
    stack.enter_context(apache(program, configuration, list(ports.values())))
