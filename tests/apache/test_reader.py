"""What httpd does while it reads: includes, conditions, variables, macros (core.html, mod_version, mod_macro)."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.apache.lexer import Directive
from proxy_core.apache.reader import read


def told(directives: tuple[Directive, ...]) -> list[str]:
    """Directives as lines, sections with what is in them."""
    found = []
    for said in directives:
        found += [str(said), *told(said.inside), f"</{said.name}>"] if said.inside is not None else [str(said)]
    return found


def reading(folder: Path, text: str, **defines: str) -> list[str]:
    (folder / "httpd.conf").write_text(text)
    found = read(folder / "httpd.conf", defines)
    assert found.problems == ()
    return told(found.directives)


CONDITIONS = [
    ("<IfDefine X>\nA\n</IfDefine>\n<IfDefine !X>\nB\n</IfDefine>", ["A"]),
    ("<IfDefine Y>\nA\n</IfDefine>\n<IfDefine !Y>\nB\n</IfDefine>", ["B"]),
    ("Define Y\n<IfDefine Y>\nA\n</IfDefine>", ["Define Y", "A"]),
    ("UnDefine X\n<IfDefine X>\nA\n</IfDefine>", ["UnDefine X"]),
    ("<IfModule mod_proxy.c>\nA\n</IfModule>", ["A"]),
    ("LoadModule a_module x\n<IfModule mod_a.c>\nA\n</IfModule>\n<IfModule b_module>\nB\n</IfModule>",
     ["LoadModule a_module x", "A"]),
    ("LoadModule a_module x\n<IfModule !b_module>\nB\n</IfModule>", ["LoadModule a_module x", "B"]),
    ("<IfVersion >= 2.4>\nA\n</IfVersion>\n<IfVersion < 2.4>\nB\n</IfVersion>", ["A"]),
    ("<IfVersion 2.4.71>\nA\n</IfVersion>\n<IfVersion ~ ^2\\.2>\nB\n</IfVersion>", ["A"]),
    ("<IfVersion > 2.5>\nA\n</IfVersion>\n<IfVersion !> 2.5>\nB\n</IfVersion>", ["B"]),
    ("<IfFile httpd.conf>\nA\n</IfFile>\n<IfFile none.conf>\nB\n</IfFile>", ["A"]),
    ("Define V a/b\nA ${V} ${X} ${W}", ["Define V a/b", "A a/b yes ${W}"]),
    ("<IfDefine X>\n<IfDefine Y>\nA\n</IfDefine>\nB\n</IfDefine>", ["B"]),
    ("<Macro M $a $ab>\nA $ab $a\n</Macro>\nUse M 1 2", ["Use M 1 2", "A 2 1"]),
    ("<location /a>\nA\n</Location>", ["<location /a>", "A", "</location>"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), CONDITIONS)
def test_conditions_are_decided_while_reading(tmp_path: Path, text: str, found: list[str]) -> None:
    assert reading(tmp_path, text, X="yes") == found


def test_includes_are_followed_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b", "a"):
        (tmp_path / "more" / f"{name}.conf").write_text(f"From{name.upper()}\n")
    found = reading(
        tmp_path, "Include more/*.conf\nIncludeOptional none/*.conf\nIncludeOptional gone.conf\nInclude more"
    )
    assert [line for line in found if line.startswith("From")] == ["FromA", "FromB", "FromA", "FromB"]


def test_places_name_the_file_that_was_included(tmp_path: Path) -> None:
    (tmp_path / "part.conf").write_text("\n\nHere\n")
    (tmp_path / "httpd.conf").write_text("Include part.conf\n")
    assert [str(each.place) for each in read(tmp_path / "httpd.conf", {}).directives] == ["httpd.conf:1", "part.conf:3"]


FAULTS = [
    ("<Location /a>\nA", "httpd.conf:1:1: <Location> is never closed"),
    ("A\n</Location>", "httpd.conf:2:1: </Location> closes no section"),
    ("<Location /a>\n<If x>\n</Location>", "httpd.conf:3:1: </Location> closes <if>"),
    ("Include gone.conf", "httpd.conf:1:1: there is no gone.conf"),
    ("Include httpd.conf", "stand in one another deeper than 40 levels"),
    ("Error no", "httpd.conf:1:1: it says of itself: no"),
    ("Use M 1", "httpd.conf:1:1: there is no macro M with 1 parameters"),
]


@pytest.mark.parametrize(("text", "what"), FAULTS)
def test_faults_are_told_with_their_place(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "httpd.conf").write_text(text)
    assert any(what in str(problem) for problem in read(tmp_path / "httpd.conf", {}).problems)


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert [each.what for each in read(tmp_path / "none", {}).problems]


def test_variables_of_debians_envvars_are_known(tmp_path: Path) -> None:
    (tmp_path / "envvars").write_text("SUFFIX=\nexport LOGS=/var/log/apache2$SUFFIX\n")
    assert reading(tmp_path, "ErrorLog ${LOGS}/error.log") == ["ErrorLog /var/log/apache2/error.log"]
