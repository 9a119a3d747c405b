"""DBM files that the real httxt2dbm has written are read key by key."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from proxy_core.runtime.maps.dbm import BadDbmFile, fetch, files
from tests.programs import program

FORMATS = ["SDBM", "GDBM", "DB"]


def made(folder: Path, form: str, entries: dict[bytes, bytes], name: str = "map") -> Path:
    text = folder / f"{name}.txt"
    text.write_bytes(b"".join(key + b" " + value + b"\n" for key, value in entries.items()))
    return written(text, form)


def written(text: Path, form: str) -> Path:
    subprocess.run(
        [program("httxt2dbm"), "-f", form, "-i", text, "-o", text.with_suffix("")], check=True, capture_output=True
    )
    return text.with_suffix("")


def value_of(path: Path, key: bytes) -> bytes | None:
    return fetch(*files(path, "auto"), key)


@pytest.mark.parametrize("form", FORMATS)
def test_every_key_of_a_large_file_is_found_and_no_other(tmp_path: Path, form: str) -> None:
    chance = random.Random(form)
    letters = b"abc0123456789/.-\x80\xc3\xa9\xff"
    entries = {
        bytes(chance.choices(letters, k=chance.randint(1, 30))): b"v%d" % n + b"x" * chance.choice([0, 0, 0, 300])
        for n in range(4000)
    }
    path = made(tmp_path, form, entries)
    kind, paths = files(path, "auto")
    assert {"SDBM": "sdbm", "GDBM": "gdbm", "DB": "db"}[form] == kind
    assert [key for key, value in entries.items() if fetch(kind, paths, key) != value] == []
    absent = [b"", *(b"zz%d" % n for n in range(500)), *(key + b"z" for key in [*entries][:500])]
    assert [key for key in absent if fetch(kind, paths, key) is not None] == []


@pytest.mark.parametrize("form", ["GDBM", "DB"])
def test_long_keys_and_values_are_read_whole(tmp_path: Path, form: str) -> None:
    entries = {b"k" * 8: b"v" * 1010, b"K" * 1010: b"v", b"a": b"1"}
    path = made(tmp_path, form, entries)
    assert {key: value_of(path, key) for key in entries} == entries


@pytest.mark.parametrize("form", FORMATS)
def test_the_last_of_two_lines_with_one_key_wins_and_a_value_is_one_word(tmp_path: Path, form: str) -> None:
    (tmp_path / "map.txt").write_text("a 1 one\na 2 two\n# a 3\n b 4\nb\n")
    path = written(tmp_path / "map.txt", form)
    assert (value_of(path, b"a"), value_of(path, b"b")) == (b"2", None)


@pytest.mark.parametrize("name", ["map", "map.pag", "map.dir"])
def test_sdbm_is_named_by_its_common_name_or_by_one_of_its_files(tmp_path: Path, name: str) -> None:
    made(tmp_path, "SDBM", {b"a": b"1"})
    assert value_of(tmp_path / name, b"a") == b"1"


@pytest.mark.parametrize("content", [b"", b"just text, and more than a header of text is long", b"\xcf\x9aW\x13"])
def test_what_is_no_dbm_file_is_said_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "map").write_bytes(content)
    with pytest.raises(BadDbmFile, match=r"httxt2dbm|damaged"):
        value_of(tmp_path / "map", b"a")


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_gives_a_value_a_miss_or_words_but_never_anything_else(tmp_path: Path, form: str) -> None:
    path = made(tmp_path, form, {b"key%d" % n: b"value" for n in range(200)})
    kind, paths = files(path, "auto")
    whole = paths[-1].read_bytes()
    chance = random.Random(form)
    for _ in range(100):
        damaged = bytearray(whole[: chance.choice([len(whole), chance.randrange(len(whole))])])
        for _ in range(chance.choice([0, 1, 20])):
            if damaged:
                damaged[chance.randrange(min(len(damaged), chance.choice([200, 100_000])))] = chance.randrange(256)
        paths[-1].write_bytes(damaged)
        try:
            fetch(kind, paths, b"key%d" % chance.randrange(200))
        except (BadDbmFile, OSError) as refused:
            assert str(refused)  # noqa: PT017
