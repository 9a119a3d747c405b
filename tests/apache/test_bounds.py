"""Whatever a configuration includes, expands or nests, its import ends, and says with a place what it left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from proxy_core.apache import budget
from proxy_core.apache.importer import import_file
from proxy_core.apache.reader import read
from proxy_core.config.reading.document import parse

LINES, FILES, BYTES, NAMES = 4000, 400, 2 << 20, 4000
"""Bounds that are soon reached."""
HEAD = "Listen 127.0.0.1:8080\nProxyPass / http://127.0.0.1:1/\n"


def circle(folder: Path) -> None:
    (folder / "part").symlink_to(folder / "part")


def endless(folder: Path) -> None:
    with (folder / "part").open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (lambda folder: os.mkfifo(folder / "part"), "not a regular file"),
    "a device": (lambda folder: (folder / "part").symlink_to("/dev/zero"), "not a regular file"),
    "a circle of links": (circle, "symbolic links"),
    "more than memory": (endless, "more than 67108864 bytes"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_only_regular_files_within_bounds_are_read(tmp_path: Path, name: str) -> None:
    make, words = NO_FILES[name]
    make(tmp_path)
    (tmp_path / "httpd.conf").write_text(f"{HEAD}Include part\nRemoteIPTrustedProxyList part\n")
    made = import_file(tmp_path / "httpd.conf", {}, True)
    [problem] = made.report.problems
    assert (problem.file, problem.line) == ("httpd.conf", 3)
    assert words in problem.what
    assert [(loss.line, loss.directive) for loss in made.report.losses] == [(4, "RemoteIPTrustedProxyList")]
    assert [each.what for each in read(tmp_path / "part", {}).problems]


@pytest.mark.parametrize("name", NO_FILES)
def test_variables_of_debian_that_cannot_be_read_are_none(tmp_path: Path, name: str) -> None:
    NO_FILES[name][0](tmp_path)
    (tmp_path / "part").rename(tmp_path / "envvars")
    (tmp_path / "httpd.conf").write_text(HEAD)
    assert read(tmp_path / "httpd.conf", {}).problems == ()


def test_variables_of_debian_may_be_any_bytes_and_double(tmp_path: Path) -> None:
    (tmp_path / "envvars").write_bytes(b"B=\xff\nA=xxxxxxxxxx\n" + b"A=$A$A\n" * 60)
    (tmp_path / "httpd.conf").write_text(HEAD + "ServerName ${A}\n")
    assert read(tmp_path / "httpd.conf", {}).problems == ()


def includes_that_double(folder: Path) -> str:
    for number in range(30):
        (folder / f"part{number}").write_text(f"Include part{number + 1}\n" * 2)
    (folder / "part30").write_text("ServerName a\n")
    return "Include part0\n"


def includes_of_one_another(folder: Path) -> str:
    (folder / "parts").mkdir()
    for number in range(10):
        (folder / "parts" / f"{number}.conf").write_text("Include parts/*.conf\n")
    return "Include parts/*.conf\n"


def links_in_a_circle(folder: Path) -> str:
    (folder / "parts").mkdir()
    for number in range(4):
        (folder / "parts" / str(number)).symlink_to(".")
    return f"IncludeOptional parts/{'*/' * 30}*.conf\n"


def macros_that_double(folder: Path) -> str:
    macros = [f"<Macro M{n}>\nUse M{n - 1}\nUse M{n - 1}\n</Macro>\n" for n in range(1, 30)]
    return "<Macro M0>\nServerName a\n</Macro>\n" + "".join(macros) + "Use M29\n"


def parameters_that_double(folder: Path) -> str:
    values = [f"${name}" * 50 for name in "bcdef"]
    return f"<Macro M $a $b $c $d $e $f>\nServerName {'$a' * 50}\n</Macro>\nUse M {' '.join(values)} {'x' * 100}\n"


def long_values(folder: Path) -> str:
    return f"Define A {'x' * 100_000}\n" + "ServerAlias ${A}${A}${A}\n" * 2000


DEEP = {"sections": "Location /", "conditions": "IfModule a.c", "expressions": 'If "true"', "groups": "RequireAll"}
MUCH: dict[str, tuple[str | Callable[[Path], str], str]] = {
    "includes that double": (includes_that_double, f"more than {FILES} files"),
    "includes of one another": (includes_of_one_another, "deeper than 40 levels"),
    "links in a circle": (links_in_a_circle, f"more than {NAMES} names of files"),
    "patterns for all files": ("IncludeOptional /proc/*/*/*.conf\n" * 50, f"more than {NAMES} names of files"),
    "a folder without end": ("IncludeOptional /proc\n", f"more than {NAMES} names of files"),
    "variables that double": (f"Define A {'x' * 10}\n" + "Define A ${A}${A}\n" * 60, "more than 1048576 characters"),
    "a line of long variables": (f"Define A {'x' * 9999}\nServerName {'${A}' * 9999}\n", "1048576 characters"),
    "lines of long variables": (long_values, f"more than {BYTES} bytes"),
    "lines that go on": ("ServerName a\\\n" * 100_000, "more than 1048576 characters"),
    "macros that double": (macros_that_double, f"more than {LINES} lines"),
    "a macro that uses itself": ("<Macro M>\nUse M\n</Macro>\nUse M\n", "deeper than 40 levels"),
    "parameters that double": (parameters_that_double, "more than 1048576 characters"),
    "sections without end": ("".join(f"<A{n}>\n" for n in range(3000)), "more faults than these"),
    "sections closed the wrong way round": (
        "".join(f"<A{n}>\n" for n in range(1500)) + "".join(f"</A{n}>\n" for n in range(1500)), "closes <a1499>"),
    **{
        f"{name} in one another": (f"<{head}>\n" * 400 + f"</{head.split()[0]}>\n" * 400, "deeper than 40 levels")
        for name, head in DEEP.items()
    },
    "a version that is no pattern": ("<IfVersion ~ (>\n</IfVersion>\n", "cannot be decided"),
    "a version without end": (f"<IfVersion {'9' * 5000}>\n</IfVersion>\n", "cannot be decided"),
    "names that no file has": (f"Include a\0b\nInclude {'a' * 5000}\nInclude {'a/' * 3000}\n", "there is no a"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUCH)
def test_what_is_too_much_is_told_with_its_place(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(budget.MOST, "lines", LINES)
    monkeypatch.setitem(budget.MOST, "files", FILES)
    monkeypatch.setitem(budget.MOST, "bytes", BYTES)
    monkeypatch.setitem(budget.MOST, "names of files", NAMES)
    text, words = MUCH[name]
    (tmp_path / "httpd.conf").write_text(HEAD + (text if isinstance(text, str) else text(tmp_path)))
    begun = monotonic()
    made = import_file(tmp_path / "httpd.conf", {}, True)
    assert monotonic() - begun < 20
    told = [each for each in made.report.problems if words in each.what]
    assert told, made.report.problems[:3]
    assert told[0].line or words == "more faults than these"
    assert len(made.report.problems) <= budget.FAULTS + 1
    document = parse(made.text)
    assert document.site is not None
    assert 'proxy = "http://127.0.0.1:1/"' in made.text


CONDITION = f"%{{HTTP:A}} == '{'b' * 180}'"
HARMLESS = {
    "names that no file has": f"DocumentRoot /{'a' * 5000}\nRewriteMap m txt:/{'b' * 5000}\nServerRoot a\0b\n",
    "files that are not there": f"<IfFile /{'a' * 5000}>\nA\n</IfFile>\n<IfFile a\0b>\nA\n</IfFile>\n",
    "a version that backtracks": "<IfVersion ~ ^(((2|\\.|4|71)+)+)+x>\nA\n</IfVersion>\n",
    "conditions one after another": '<If "true">\n</If>\n'
    + f'<ElseIf "{CONDITION}">\nHeader set A b\n</ElseIf>\n' * 400,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_only_odd_is_read_in_time(tmp_path: Path, name: str) -> None:
    (tmp_path / "httpd.conf").write_text(HEAD + HARMLESS[name])
    begun = monotonic()
    made = import_file(tmp_path / "httpd.conf", {}, True)
    assert monotonic() - begun < 20
    assert [each for each in made.report.problems if "cannot be decided" not in each.what] == []


def test_reading_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.0)
    (tmp_path / "httpd.conf").write_text(HEAD)
    [problem] = read(tmp_path / "httpd.conf", {}).problems
    assert "it takes more than 0 seconds" in problem.what


def test_conditions_that_are_lost_let_nobody_in(tmp_path: Path) -> None:
    more = f'<ElseIf "{CONDITION}">\nRequire ip 10\n</ElseIf>\n' * 400
    (tmp_path / "httpd.conf").write_text(f'{HEAD}<If "true">\n</If>\n{more}')
    made = import_file(tmp_path / "httpd.conf", {}, True)
    site = parse(made.text).site
    assert site is not None
    assert (site.locations[-1].path, site.locations[-1].require) == ("/", ("all denied",))
    assert len(made.text) < 10_000_000


def test_a_folder_below_very_many_is_found(tmp_path: Path) -> None:
    folders = [tmp_path / "parts"]
    folders += [Path(f"{folders[0]}{'/a' * depth}") for depth in range(1, 1200)]
    for folder in folders:
        folder.mkdir()
    part = folders[-1] / "a.conf"
    part.write_text("ServerName deep.test\n")
    (tmp_path / "httpd.conf").write_text(f"{HEAD}Include parts\n")
    try:
        assert 'server_name = "deep.test"' in import_file(tmp_path / "httpd.conf", {}, True).text
    finally:  # who tidies up behind tests goes down into folders without a bound
        part.unlink()
        for folder in reversed(folders):
            folder.rmdir()


@pytest.mark.parametrize("name", ["a\x1b[31m.conf", "a\n[metrics]\naddress = '\x7f'", "a\x7f"])
def test_the_name_of_a_configuration_neither_breaks_the_site_file_nor_adds_to_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Listen 8080\n")
    text = import_file(tmp_path / name, {}, False).text
    site = parse(text).site
    assert site is not None
    assert site.metrics is None
    assert text.replace("\n", "").isprintable()
