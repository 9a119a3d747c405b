"""A site moved to where it can be asked without harm: its listeners on free ports, stubs in the place of its members.

The site's data is changed, not its rules: the same text that names a member anywhere (in a route, a balancer, a rule
that forwards, a map) names its stub. Members of https and sockets are spoken to in plain HTTP there, so what TLS
towards members means is not asked. What listens, writes or counts beside the traffic is left out, and rates are so high
that nobody who asks quickly meets them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from msgspec import Struct

from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document
from proxy_core.control.conform.members import StubMember, StubSocket, answering
from proxy_core.runtime.maps.text_file import table

Data = dict[str, Any]
NOBODY = "nobody"
"""A route that no member has."""

_BESIDE = ("metrics", "access_log", "access_logs", "recording", "control", "tests", "log", "console")
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_ORIGIN = re.compile(rf"(?:https?|wss?)://({_NAME}(?::\d+)?|\[[0-9a-fA-F:.]+\](?::\d+)?)")
_SOCKET = re.compile(r"unix:(/[^|]+)\|")
_AUTHORITY = re.compile(r"[A-Za-z0-9_.-]+:\d+").fullmatch
_OF_MEMBERS = ("routes", "balancers", "rewrites", "maps", "forward_auth", "reverse", "locations")
"""The tables in which members are named."""
_HIGH = {"client_rate": 1e6, "client_burst": 1 << 20, "client_connections": 1 << 20, "in_flight": 1 << 20}
"""Bounds that are kept, so that they still count as said, and that nobody meets."""


class Stubs(Struct, frozen=True):
    """Who stands in for the members of a site."""

    names: Mapping[str, str]
    """What stands for an authority or a socket, in the words of a URL's authority: "127.0.0.1:40001"."""
    labels: Mapping[str, str]
    """What a stub calls itself, by its address: the balancer and a number, "shop/1"."""


@contextmanager
def stubs(data: Data, folder: Path) -> Iterator[Stubs]:
    """Stubs for every member that a site's data names, as long as this lasts. Their sockets stand in ``folder``."""
    by_chance = any(each.get("type") == "rnd" for each in data.get("maps", {}).values())
    groups = _groups(data)
    with ExitStack() as stack:
        names: dict[str, str] = {}
        labels: dict[str, str] = {}
        for number, authority in enumerate(dict.fromkeys(_authorities(data))):
            label = f"{groups.get(authority, 'any' if by_chance else f'member-{number}')}/{number}"
            if authority.startswith("/"):
                file = folder / f"{number}.sock"
                stack.enter_context(answering(StubSocket(label, file)))
                names[authority] = str(file)
                continue
            stub = StubMember(label)
            stack.enter_context(answering(stub))
            names[authority] = f"127.0.0.1:{stub.port}"
            labels[names[authority]] = label
        yield Stubs(names, labels)


def _groups(data: Data) -> dict[str, str]:
    """The name of the balancer that has a member, by the member's authority; one name for balancers that share one."""
    groups: dict[str, str] = {}
    for name, group in data.get("balancers", {}).items():
        urls = [str(member.get("url", "")) for member in group.get("members", {}).values()]
        mine = [found[1] for url in urls if (found := _SOCKET.match(url) or _ORIGIN.match(url)) is not None]
        known = {groups[each] for each in mine if each in groups}
        groups = {each: name if before in known else before for each, before in groups.items()}
        groups |= dict.fromkeys(mine, name)
    return groups


def _authorities(data: Data) -> Iterator[str]:
    for text in _texts([_named_in(data, key) for key in _OF_MEMBERS if key != "reverse"]):
        yield from _SOCKET.findall(text)
        yield from _ORIGIN.findall("" if _SOCKET.match(text) else text)
    for each in data.get("maps", {}).values():
        yield from (value for value in each.get("entries", {}).values() if _AUTHORITY(value))
    for row in _named_in(data, "rewrites"):
        yield from re.findall(r"\|([A-Za-z0-9_.-]+:\d+)\}", str(row.get("substitution", "")))


def _named_in(data: Data, key: str) -> Any:
    """What of a table may name members: of rules only those that forward."""
    return list(filter(_forwards, data.get(key, []))) if key == "rewrites" else data.get(key)


def _forwards(row: Data) -> bool:
    return not {"P", "PROXY"}.isdisjoint(str(flag).strip().upper() for flag in row.get("flags", []))


def in_maps(document: Document, folder: Path) -> Data:
    """The site's data with the entries of its text maps in it, so that members that they name are found there."""
    data = deepcopy(document.data)
    for each in data.get("maps", {}).values():
        if each.get("type") in ("txt", "rnd") and each.get("file") and (file := folder / each["file"]).is_file():
            each["entries"] = table(file.read_text("utf-8", "surrogateescape"))
            del each["file"]
    return data


def moved(data: Data, stand_in: Stubs, folder: Path, ports: Mapping[str, int]) -> Data:
    """The data for listeners on these ports, by name, and with the stubs in it. Names of files that lead out of
    ``folder`` are made whole."""
    made: Data = {key: deepcopy(value) for key, value in data.items() if key not in _BESIDE}
    for key in _OF_MEMBERS:
        if key == "rewrites":
            rows = made.get(key, [])
            made[key] = [_replaced(row, stand_in.names) if _forwards(row) else row for row in rows]
        elif key in made:
            made[key] = _replaced(made[key], stand_in.names)
    for each in made.get("maps", {}).values():
        entries = each.get("entries", {})
        entries |= {name: stand_in.names.get(value, value) for name, value in entries.items()}
    for name, listener in made.get("listeners", {}).items():
        listener["address"] = f"127.0.0.1:{ports[name]}"
        listener.pop("proxy_protocol", None)
    for key, most in _HIGH.items():
        if made.get("limits", {}).get(key):
            made["limits"][key] = most
    whole: Data = _whole(made, folder)
    return whole


def _texts(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping | list):
        for key, each in data.items() if isinstance(data, Mapping) else enumerate(data):
            if key not in ("redirect", "conditions"):
                yield from _texts(each)


def _replaced(data: Any, names: Mapping[str, str]) -> Any:
    if isinstance(data, Mapping):
        return {key: each if key == "redirect" else _replaced(each, names) for key, each in data.items()}
    if isinstance(data, list):
        return [_replaced(each, names) for each in data]
    return _renamed(data, names) if isinstance(data, str) else data


def _renamed(text: str, names: Mapping[str, str]) -> str:
    text = _SOCKET.sub(lambda found: f"unix:{names.get(found[1], found[1])}|", text)
    text = _ORIGIN.sub(lambda found: _plain(found, names), text)
    return re.sub(r"\|([A-Za-z0-9_.-]+:\d+)\}", lambda found: f"|{names.get(found[1], found[1])}}}", text)


def _plain(found: re.Match[str], names: Mapping[str, str]) -> str:
    if found.string[: found.start()].endswith("|") or found[1] not in names:
        return found[0]  # the name that a socket's member is told
    scheme = "ws" if found[0].startswith("ws") else "http"
    return f"{scheme}://{names[found[1]]}"


def _whole(data: Any, folder: Path) -> Any:
    if isinstance(data, Mapping):
        return {key: _whole(each, folder) for key, each in data.items()}
    if isinstance(data, list):
        return [_whole(each, folder) for each in data]
    if isinstance(data, str) and ".." in Path(data).parts and (folder / data).exists():
        return str((folder / data).resolve())
    return data


def compared(lines: Sequence[str], stand_in: Stubs, site: Site, folder: Path, asked: str) -> list[str]:
    """Lines of an answer in which it does not count which member of a balancer was chosen, but for a request that is
    of a session, nor what a request was called, nor in which folder the site stands."""
    cookies = [group.sticky.cookie for group in site.balancers.values() if group.sticky is not None]
    named = site.site.request_id.lower()
    by_chance = any(each.type == "rnd" for each in site.maps.values())
    exact = not by_chance and NOBODY not in asked and any(cookie and f"{cookie}=x" in asked for cookie in cookies)
    made = []
    for line in lines:
        line = line.replace(str(folder), "FOLDER")
        for address, label in stand_in.labels.items():
            line = line.replace(address, label if exact else label.partition("/")[0])
        line = re.sub(r"\b([tD])=\d+", r"\1=*", line)  # moments and spans of time
        if not exact:
            line = re.sub(r"\A(x-upstream: .*)/\d+\Z", r"\1", line)
            for cookie in filter(None, cookies):
                line = re.sub(rf"\Aset-cookie: {re.escape(cookie)}=[^;]*", f"set-cookie: {cookie}=*", line)
        if not named or not line.startswith(f"{named}: "):
            made.append(line)
    return made
