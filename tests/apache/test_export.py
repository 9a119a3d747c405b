"""A site that was exported and imported again is the site in Apache's words; whatever these do not hold is told."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from proxy_core.apache import options
from proxy_core.apache.export import export_site, sayable
from proxy_core.apache.importer import import_file
from proxy_core.apache.lexer import rewrite_word, rewrite_words, word, words
from proxy_core.apache.registry import LOST
from proxy_core.apache.subjects.core import QUIET
from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse, read
from proxy_core.config.schema import fields
from proxy_core.control.cli.__main__ import main
from proxy_core.rules.lint.site import lint
from tests.apache.sites import SITES, normal
from tests.programs import program

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.toml"))
BY_CHANCE = settings(
    deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
"""Without shrinking: a site is large, and what differs is told field by field."""
THE_SAME = settings(BY_CHANCE, derandomize=True)
"""For the suite, which is to tell of a change and not of luck; ``-m soak`` looks further."""


def there_and_back(site: Site, folder: Path) -> tuple[Site, Site]:
    """The site in Apache's words, and what comes back of its export."""
    made = export_site(site, folder / "site.toml", folder)
    for file, text in made.files.items():
        file.write_text(text)
    (folder / "httpd.conf").write_text(made.text)
    back = import_file(folder / "httpd.conf", {}, True)
    losses = [f"{entry.text}: {entry.why}" for entry in back.report.losses]
    assert not losses, losses
    found = parse(back.text)
    assert found.site is not None, found.problems
    return sayable(site, folder, folder)[0], found.site


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.stem)
def test_a_sample_comes_back(sample: Path, tmp_path: Path) -> None:
    site = read(sample).site
    assert site is not None
    said, back = there_and_back(site, tmp_path)
    assert normal(back) == normal(said)


@settings(THE_SAME, max_examples=25)
@given(site=SITES)
def test_a_site_made_by_chance_comes_back(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    said, back = there_and_back(site, tmp_path_factory.mktemp("export"))
    assert normal(back) == normal(said)


@pytest.mark.soak
@settings(BY_CHANCE, max_examples=1_000)
@given(site=SITES)
def test_many_sites_made_by_chance_come_back(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    said, back = there_and_back(site, tmp_path_factory.mktemp("export"))
    assert normal(back) == normal(said)


@settings(THE_SAME, max_examples=15)
@given(site=SITES)
def test_what_apache_can_say_is_sound_and_says_itself(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plain")
    said = sayable(site, folder, folder)[0]
    assert [str(each) for each in lint(said) if each.severity == "error"] == []
    again, losses, _ = sayable(said, folder, folder)
    assert normal(again) == normal(said)
    assert losses == ()


@pytest.mark.apache
@settings(THE_SAME, max_examples=20)
@given(site=SITES)
def test_apache_accepts_it(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("accepted")
    (folder / "www").mkdir()
    made = export_site(site, folder / "site.toml", folder)
    for file, text in {**made.files, folder / "httpd.conf": made.text}.items():
        file.write_text(text)
    asked = subprocess.run(
        [program("apache2"), "-t", "-f", folder / "httpd.conf"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr


def test_every_option_is_said_or_told_of() -> None:
    """Whatever is added to the model has to be thought of here: a table of options has its key, or the way out asks
    for it by its name (what comes in has keys of tables, never names of fields)."""
    nodes = [
        node for file in (ROOT / "proxy_core/apache").rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))
    ]
    asked = {node.attr.rstrip("_") for node in nodes if isinstance(node, ast.Attribute)}
    asked |= {node.arg.rstrip("_") for node in nodes if isinstance(node, ast.keyword) and node.arg}
    asked |= {name for node in nodes if isinstance(node, ast.Call) for name in re.findall("'(\\w+)'", ast.unparse(node))
              if ast.unparse(node.func) == "getattr"}  # fmt: skip
    tables = [table for table in vars(options).values() if isinstance(table, dict)]
    spelled = {pair[0] for table in tables for pair in table.values() if isinstance(pair, tuple)}
    structs: list[Any] = [Site]
    seen: set[Any] = set()
    while structs:
        struct = structs.pop()
        if struct in seen:
            continue
        seen.add(struct)
        lost = {name.partition(".")[2] for name in {*LOST, *QUIET} if name.startswith(f"{struct.__name__}.")}
        for field in fields(struct):
            assert field.name in spelled | asked | lost | {"version", "note", "id"}, f"{struct.__name__}.{field.name}"
            structs += [field.struct] if field.struct is not None and field.name not in lost else []


WORDS = [
    "a",
    "two words",
    'a "quote"',
    "it's",
    r"\.",
    "\\\\",
    r"a\"b",
    "end\\",
    "",
    r"\\ \"",
    "<x>",
    "#",
    "'",
    "$1 ${m:%1}",
]


@pytest.mark.parametrize("text", WORDS)
def test_a_word_is_read_as_it_was_written(text: str) -> None:
    assert list(words(f"{word(text)} {word(text)}")) == [text, text]


@pytest.mark.parametrize("text", [each for each in WORDS if not {"'", '"'} <= {*each}])
def test_a_word_of_a_rule_is_read_as_it_was_written(text: str) -> None:
    assert list(rewrite_words(f"{rewrite_word(text)} {rewrite_word(text)}")) == [text, text]


def test_losses_are_told_with_their_places_and_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    file.write_text("[limits]\nin_flight = 5\n")
    assert main(["export", "--to", "apache", str(file)]) == 3
    told = capsys.readouterr()
    assert told.out.startswith("# Exported from site.toml.")
    assert f"{file}:2:13: warning: limits.in_flight is lost" in told.err
    assert main(["export", "--to", "apache", str(file), "--report", "json"]) == 3
    (loss,) = json.loads(capsys.readouterr().err)["losses"]
    assert (loss["address"], loss["line"]) == (["limits", "in_flight"], 2)


def test_a_text_that_would_end_its_line_never_gets_into_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    for text in (
        '[site]\nserver_name = "a\\nInclude /etc/passwd"\n',
        '[[headers]]\nname = "X"\nvalue = "a\\nInclude /etc/passwd"\n',
        '[balancers.b.members.m]\nurl = "http://m"\n[balancers.b.health]\nmethod = "get"\nexpr = "true\\n|| false"\n',
    ):
        file.write_text(text)
        assert main(["export", "--to", "apache", str(file)]) in (2, 3)
        told = capsys.readouterr()
        assert not re.search(r"^\s*(?:Include|\|\|)", told.out, re.MULTILINE)
        assert "control character" in told.err


def test_nothing_is_written_for_a_site_with_errors_nor_over_what_is_there(tmp_path: Path) -> None:
    file, output = tmp_path / "site.toml", tmp_path / "httpd.conf"
    file.write_text("[limits]\nin_flight = -5\n")
    assert main(["export", "--to", "apache", str(file), "-o", str(output)]) == 2
    assert not output.exists()
    file.write_text("version = 1\n")
    output.write_text("mine")
    assert main(["export", "--to", "apache", str(file), "-o", str(output)]) == 2
    assert output.read_text() == "mine"
    assert main(["export", "--to", "apache", str(file), "-o", str(output), "--force"]) == 0
    assert "Listen" not in output.read_text()
    assert "TraceEnable Off" in output.read_text()
