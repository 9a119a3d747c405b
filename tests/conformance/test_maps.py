"""Apache httpd and our own maps say the same of the same files, programs and functions, also when the files change.

A redirect carries what a map says to the client: ``/NAME/KEY`` becomes ``http://-/[VALUE]``, the default being
``none``. Keys and values are bytes that a header can carry.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from urllib.parse import quote_from_bytes

import pytest

from proxy_core.config.model import RewriteMap
from proxy_core.runtime.maps.store import MapStore
from tests.conformance.apache import over_the_wire, running
from tests.runtime.maps.helpers import asked, maps_in_force
from tests.runtime.maps.test_dbm import written
from tests.semantics.askers import Asked

pytestmark = pytest.mark.apache

PROGRAM = """\
#!/bin/sh
while IFS= read -r key; do
    case $key in null) echo NulL;; empty) echo;; *) echo "<$key>";; esac
done
"""
APACHE = {
    "txt": "txt:{0}/t.txt", "rnd": "rnd:{0}/t.txt", "sdbm": "dbm=sdbm:{0}/SDBM", "gdbm": "dbm=gdbm:{0}/GDBM",
    "db": "dbm=db:{0}/DB", "prg": "prg:{0}/program", "toupper": "int:toupper", "tolower": "int:tolower",
    "escape": "int:escape", "unescape": "int:unescape",
}  # fmt: skip
OURS = {
    "txt": RewriteMap(type="txt", file="t.txt"), "rnd": RewriteMap(type="rnd", file="t.txt"),
    "sdbm": RewriteMap(type="dbm", file="SDBM"), "gdbm": RewriteMap(type="dbm", file="GDBM"),
    "db": RewriteMap(type="dbm", file="DB"), "prg": RewriteMap(type="prg", command=("./program",)),
    **{name: RewriteMap(type="int", function=name) for name in ("toupper", "tolower", "escape", "unescape")},
}  # fmt: skip
KEYS = [
    *(b"a", b"b", b"A", b"ab", b"#a", b"#", b"x|y", b"empty", b"null", b"caf\xc3\xa9", b"%41", b"%zz", b"%2", b"a b"),
    *(b"1", b"long", b"none", b"\xff", b"'", b"&", b"a=1"),
]


def text(chance: Random) -> bytes:
    """A map file of lines that are nearly, or not at all, entries."""
    words = [b"a", b"b", b"#a", b"ab", b"x|y", b"1", b"caf\xc3\xa9", b"long", b"'", b"&", b"\xff"]
    blanks = [b" ", b"\t", b"  ", b" \t ", b"\v", b"\f"]
    lines = [
        chance.choice([b"", b"", b"", b" ", b"#", b"\0"])
        + chance.choice(blanks).join(chance.choices(words, k=chance.choice([0, 1, 2, 2, 2, 3])))
        + chance.choice([b"", b"", b" ", b"y" * chance.randint(1015, 1030)])
        for _ in range(30)
    ]
    return chance.choice([b"\n", b"\n", b"\r\n"]).join(lines) + chance.choice([b"", b"\n"])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, int]]:
    folders: list[Path] = []

    def directives(folder: Path) -> list[str]:
        folders.append(folder)
        (folder / "program").write_text(PROGRAM)
        (folder / "program").chmod(0o755)
        fill(folder, text(Random(0)), time.time_ns())
        maps = [f'RewriteMap {name} "{what.format(folder)}"' for name, what in APACHE.items()]
        rules = [f'RewriteRule "^/{name}/(.*)$" "http://-/[${{{name}:$1|none}}]" [NE,R,L]' for name in APACHE]
        return ["RewriteEngine on", *maps, *rules]

    with running(["authz_core", "mpm_event", "rewrite"], directives) as port:
        yield folders[0], port


def fill(folder: Path, content: bytes, at: int) -> None:
    for old in [*folder.glob("*DB*"), *folder.glob("DB*")]:
        old.unlink(missing_ok=True)
    (folder / "t.txt").write_bytes(content)
    for form in ("SDBM", "GDBM", "DB"):
        (folder / f"{form}.txt").write_bytes(re.sub(rb"y{9,}", b"y", content))  # SDBM has no room for long values
        written(folder / f"{form}.txt", form)
    for file in [*folder.glob("*DB*"), folder / "t.txt"]:
        file.chmod(0o644)
        os.utime(file, ns=(at, at))


@pytest.fixture
async def maps(server: tuple[Path, int]) -> AsyncIterator[MapStore]:
    async with maps_in_force(server[0], OURS) as maps:
        yield maps


def theirs(port: int, name: str, key: bytes) -> str:
    return over_the_wire(port, Asked("-", f"/{name}/{quote_from_bytes(key)}")).outcome


async def ours(maps: MapStore, name: str, key: bytes) -> str:
    value = await asked(maps, key.decode("latin-1"), name)
    return f"302 http://-/[{'none' if value is None else value}]"


@pytest.mark.parametrize("name", [name for name in APACHE if name != "rnd"])
async def test_a_map_says_what_httpds_says(server: tuple[Path, int], maps: MapStore, name: str) -> None:
    assert [(key, await ours(maps, name, key)) for key in KEYS] == [(key, theirs(server[1], name, key)) for key in KEYS]


async def test_a_rnd_map_gives_the_same_parts(server: tuple[Path, int], maps: MapStore) -> None:
    fill(server[0], b"a x|y||z\nb one\n", time.time_ns() + 10**10)
    assert {await ours(maps, "rnd", b"a") for _ in range(100)} == {theirs(server[1], "rnd", b"a") for _ in range(100)}
    assert await ours(maps, "rnd", b"b") == theirs(server[1], "rnd", b"b")


@pytest.mark.parametrize("seed", range(1, 9))
async def test_a_file_that_changes_is_followed_alike_forwards_and_backwards(
    server: tuple[Path, int], maps: MapStore, seed: int
) -> None:
    chance = Random(seed)
    fill(server[0], text(chance), time.time_ns() + chance.choice([-1, 1]) * seed * 10**11)
    for name in ("txt", "sdbm", "gdbm", "db"):
        seen = [(name, key, await ours(maps, name, key)) for key in KEYS]
        assert seen == [(name, key, theirs(server[1], name, key)) for key in KEYS]


async def test_a_file_that_is_gone_misses_alike(server: tuple[Path, int], maps: MapStore) -> None:
    fill(server[0], b"a 1\n", time.time_ns() + 10**12)
    assert await ours(maps, "txt", b"a") == theirs(server[1], "txt", b"a") == "302 http://-/[1]"
    (server[0] / "t.txt").unlink()
    assert await ours(maps, "txt", b"a") == theirs(server[1], "txt", b"a") == "302 http://-/[none]"
    (server[0] / "t.txt").write_bytes(b"a 2\n")
    assert await ours(maps, "txt", b"a") == theirs(server[1], "txt", b"a") == "302 http://-/[2]"
