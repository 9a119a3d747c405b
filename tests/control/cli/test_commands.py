"""What the programs tell of themselves: help, version, the word that was meant, completion in shells, man pages."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from argparse import Action, ArgumentParser
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from proxy_core import __version__
from proxy_core.control.cli import __main__ as cli
from proxy_core.control.cli.ctl import VERBS
from rproxy_tui import __main__ as console
from rproxy_tui import attach
from tests.builds import COMPILED

ROOT = Path(__file__).parent.parent.parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROGRAMS = {"rproxy": cli, "rproxy-tui": console}
BUILD = "compiled" if COMPILED else "pure Python"


def ended(capsys: pytest.CaptureFixture[str], program: str, *arguments: str) -> tuple[object, str, str]:
    """Exit status, standard output and standard error of a program that says what it was asked and ends."""
    with pytest.raises(SystemExit) as end:
        PROGRAMS[program].main(arguments)
    return end.value.code, *capsys.readouterr()


def options(parser: ArgumentParser) -> Iterator[Action]:
    """Every option and argument of a command line, those of its commands too."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from options(command)
        elif action.dest != "help":
            yield action


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_tells_its_version_and_which_build_it_is(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, program, "--version") == (0, f"{program} {__version__} ({BUILD})\n", "")


def test_the_version_is_that_of_the_package() -> None:
    assert version("rproxy-tui") == __version__


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_a_line_for_each_command(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ended(capsys, "rproxy", flag)
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    for name, (_, about) in cli.COMMANDS.items():
        assert f" {name} {about}" in words
    assert "--version" in out
    assert "--allow-empty" in out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_has_help_that_begins_with_its_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ended(capsys, "rproxy", name, "--help")
    assert status == 0
    assert out.startswith(f"usage: rproxy {name} ")
    assert cli.COMMANDS[name][1] in " ".join(out.split())


@pytest.mark.parametrize(
    ("program", "arguments", "told"),
    [
        ("rproxy", ["chekc", "x.toml"], "chekc is no command, and there is no file of that name; did you mean check?"),
        ("rproxy", ["chekc"], "did you mean check?"),
        ("rproxy", ["exprot", "--to", "apache", "x.toml"], "did you mean export?"),
        ("rproxy", ["frobnicate"], "; the commands are check, conform, ctl, explain, export, import, init, test"),
        ("rproxy", ["--alow-empty", "x.toml"], "unrecognized arguments: --alow-empty; did you mean --allow-empty?"),
        ("rproxy", ["explain", "x.toml", "/", "--jsno"], "did you mean --json?"),
        ("rproxy", ["export", "x.toml", "--to", "apache", "--modlues=/x"], "did you mean --modules?"),
        ("rproxy", ["check", "x.toml", "y.toml"], "rproxy check: error: unrecognized arguments: y.toml\n"),
        ("rproxy-tui", [], "which site? Give its file, or --demo to look around"),
        ("rproxy-tui", ["--read-olny", "x.toml"], "did you mean --read-only?"),
        ("rproxy", ["\x1b[31m", "x.toml"], "unrecognized arguments: x.toml"),
    ],
)
def test_a_word_that_is_none_says_which_was_meant(
    program: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ended(capsys, program, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert "\x1b" not in err


def test_a_site_file_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chekc").write_text("version = [\n")
    assert cli.main(["chekc"]) == 2
    assert "chekc:1:" in capsys.readouterr().err


COMPLETED = [
    ("rproxy", ["ch"], "check"), ("rproxy", ["si"], "site.toml"), ("rproxy", ["check", "si"], "site.toml"),
    ("rproxy", ["--comp"], "--completion"), ("rproxy", ["explain", "--cl"], "--client"),
    ("rproxy", ["export", "--to", "a"], "apache"), ("rproxy", ["export", "--modules", "si"], "site.toml"),
    ("rproxy", ["ctl", "rev"], "revert"), ("rproxy", ["ctl", "history", "--js"], "--json"),
    ("rproxy-tui", ["--d"], "--demo"), ("rproxy-tui", ["si"], "site.toml"),
    ("rproxy-tui", ["att"], "attach"), ("rproxy-tui", ["attach", "--br"], "--browser"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "typed", "wanted"), COMPLETED)
def test_bash_completes_commands_options_and_files(
    program: str, typed: list[str], wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, script, _ = ended(capsys, program, "--completion", "bash")
    assert status == 0
    (tmp_path / "site.toml").touch()
    words = shlex.join([program, *typed])
    name = re.sub(r"\W", "_", program)
    asked = (
        f'\nCOMP_WORDS=({words}); COMP_CWORD={len(typed)}; _shtab_{name} {words}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    said = subprocess.run(["bash", "-c", script + asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [wanted]


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_completed_in_every_shell(program: str, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, script, _ = ended(capsys, program, "--completion", shell)
    for action in options(PROGRAMS[program].whole()):
        assert all(name.lstrip("-") in script for name in action.option_strings)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manuals_command_makes_a_man_page_with_every_command_and_option(program: str, tmp_path: Path) -> None:
    found = re.search(rf"^argparse-manpage (.*--prog {program} (?:.*\\\n)*.*)$", OPERATIONS, re.MULTILINE)
    assert found
    code = "import sys; from argparse_manpage.cli import main; main()"
    arguments = shlex.split(found[1].replace("\\\n", ""))
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path)
    page = (tmp_path / f"{program}.1").read_text().replace("\\-", "-")
    for action in options(PROGRAMS[program].whole()):
        assert all(name in page for name in action.option_strings)
        assert not action.help or (action.help % {"default": action.default}).split()[0] in page
    abouts = [about for _, about in cli.COMMANDS.values()] + [verb.about for verb in VERBS.values()]
    assert all(about in page for about in (abouts if program == "rproxy" else [attach.ABOUT]))
