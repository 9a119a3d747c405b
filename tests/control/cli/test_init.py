"""``rproxy init``: what it writes is sound, serves, and stays sound when what is commented out is taken in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.cli.__main__ import main
from proxy_core.control.cli.init_site import site_text
from proxy_core.control.editing.site_problems import check
from tests.control.cli.test_cli import ask, serving
from tests.terminal.terminal import member

MEMBERS = [
    ["http://localhost:8000"],
    ["http://10.0.0.1:8000", "https://app.example/base", "ws://[::1]:81"],
    ["unix:/run/app.sock|http://app"],
]


def problems(text: str) -> list[str]:
    return [str(problem) for problem in check(parse(text), emptied=())]


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize("port", [0, 80, 65535])
def test_what_is_written_has_no_problem_and_says_what_was_given(port: int, members: list[str], tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    assert main(["init", str(file), "--port", str(port), "--member", *members]) == 0
    text = file.read_text()
    assert problems(text) == []
    site = parse(text).site
    assert site is not None
    assert [listener.address for listener in site.listeners.values()] == [f"127.0.0.1:{port}"]
    assert [member.url for member in site.balancers["app"].members.values()] == members


def test_each_thing_that_is_commented_out_can_be_taken_in() -> None:
    text = site_text(8080, ["http://localhost:8000"])
    blocks = re.findall(r"(?:^# (?:\[.*|[a-z_]+ = .*)\n)+", text, re.MULTILINE)
    assert len(blocks) == 6
    for block in blocks:
        taken_in = text.replace(block, re.sub(r"^# ", "", block, flags=re.MULTILINE))
        assert problems(taken_in) == []
        assert parse(taken_in).data != parse(text).data


def test_members_may_be_given_one_by_one_and_are_taken_once(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    given = ["--member", "http://a/", "--member", "http://b", "http://a"]
    assert main(["init", str(file), *given]) == 0
    assert re.findall('^url = "(.*)"', file.read_text(), re.MULTILINE) == ["http://a", "http://b"]


def test_what_is_written_serves(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    with member() as port:
        assert main(["init", str(file), "--port", "0", "--member", f"http://127.0.0.1:{port}"]) == 0
        with serving(file) as (_, own):
            assert ask(own, "/") == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--port", "65536"], "65536 is no port"),
        (["--port", "-1"], "-1"),
        (["--member", "localhost:8000"], '"localhost:8000" is not a URL'),
        (["--member", "ftp://a"], "the scheme of ftp://a is ftp"),
        (["--member"], "--member"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_nothing_is_written(
    given: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    with pytest.raises(SystemExit) as end:
        main(["init", str(file), *given])
    assert end.value.code == 2
    assert told in capsys.readouterr().err
    assert not file.exists()


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text("mine")
    assert main(["init", str(file)]) == 2
    assert "--force" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["init", str(file), "--force"]) == 0


def test_without_a_name_it_is_site_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert problems(Path("site.toml").read_text()) == []
