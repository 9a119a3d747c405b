"""What the documents say can be done, can be done."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_the_readme_has_one_command_to_run_it_and_one_to_test_it() -> None:
    run, test = COMMANDS
    assert run.endswith("&& .venv/bin/rproxy-tui --demo samples/site.toml")
    assert "&& .venv/bin/pytest -n 4" in test


def test_the_ci_script_runs_the_readmes_own_test_command() -> None:
    wanted = re.search(r"grep -m 1 '([^']+)' README.md", (ROOT / ".ci" / "run").read_text())
    assert wanted
    first = next(line for line in README.splitlines() if re.search(wanted[1], line))
    assert first == COMMANDS[1]


def test_the_readmes_commands_name_programs_that_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"^(?:.*/)?(rproxy[a-z-]*) ", README, re.MULTILINE))
    assert named == set(project["scripts"])


def test_installing_leaves_nothing_in_the_clone_and_takes_every_package() -> None:
    """setuptools, for one, leaves build/ and an egg-info folder beside the sources."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["build-system"]["build-backend"] == "hatchling.build"
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == project["tool"]["mypy"]["files"]
    assert all((ROOT / package / "__init__.py").exists() for package in packages)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}, which is not there"


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_headings_that_are_there(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        assert anchor in headings(document.parent / target if target else document), (
            f"{document.name}: {target}#{anchor}"
        )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_that_documents_name_are_there(document: Path) -> None:
    """`serve/deadlines.py`, `config/editing/splice.py`: the names that a reader would look up."""
    for named in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", document.read_text()):
        places = (ROOT, ROOT / "proxy_core", ROOT / "rproxy_tui")
        assert any((place / named).exists() for place in places), f"{document.name} names {named}"
