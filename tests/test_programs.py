"""A test whose program is not installed is skipped with one word at the end, or fails where all tests are demanded."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.programs import DEMANDED, PACKAGES, missing, program

ROOT = Path(__file__).parent.parent


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: None)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_program_skips_its_test_and_fails_it_where_all_are_demanded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DEMANDED, raising=False)
    with pytest.raises(pytest.skip.Exception, match=name):
        program(name)
    monkeypatch.setenv(DEMANDED, "1")
    with pytest.raises(pytest.fail.Exception, match=f"apt-get install {PACKAGES[name]}"):
        program(name)


@pytest.mark.usefixtures("nothing_installed")
def test_one_line_tells_how_many_tests_need_what_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEMANDED, raising=False)
    reasons = ["Skipped: no soak today"]
    for name in ("htpasswd", "apache2", "apache2", "httxt2dbm"):
        with pytest.raises(pytest.skip.Exception) as skipped:
            program(name)
        reasons.append(f"('tests/x.py', 1, 'Skipped: {skipped.value}')")
    assert missing(reasons[:1]) == ""
    assert missing(reasons) == (
        "4 skipped for want of programs: apache2 (2), htpasswd (1), httxt2dbm (1); "
        "to run them: apt-get install apache2 apache2-utils"
    )


def test_no_test_looks_for_a_program_in_another_way() -> None:
    """A name that stands first in a command, or that is looked for, is one of these and goes through ``program``."""
    direct = re.compile(rf'which\(|\[\s*"({"|".join(PACKAGES)})"|_exec\(\s*"({"|".join(PACKAGES)})"')
    scripts = {"tests/programs.py", "tests/test_programs.py", "tests/conformance/strictness.py"}
    found = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("*.py") if direct.search(file.read_text())}
    assert found <= scripts


def test_the_ci_script_installs_and_demands_what_tests_ask_for_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    (wanted,) = re.findall(r"^wanted=\((.*)\)$", script, re.MULTILINE)
    assert sorted(wanted.split()) == sorted(set(PACKAGES.values()))
    assert f"\nexport {DEMANDED}=1\n" in script
