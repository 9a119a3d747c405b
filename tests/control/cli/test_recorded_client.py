"""``rproxy ctl`` asks a recording as it asks a service, also of a moment that is past, and changes nothing there."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path

import pytest

from proxy_core.control.cli import __main__ as cli
from tests.control.recording.night import BEGAN, recorded


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked") / "site.rec"
    recorded(path)
    return path


def clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(BEGAN + seconds):'%Y-%m-%d %H:%M:%S'}"


@pytest.mark.parametrize(
    ("said", "status", "out", "err"),
    [
        ("members", 0, "member", ""),
        (f"members --at {clock(30)}", 0, "shop/a", ""),
        (f"members --at {clock(-900)}", 0, "shop/a", "nothing is kept of"),
        (f"history --at {clock(210)}", 0, "a journal was lost", ""),
        ("history", 0, "a journal was lost", ""),
        (f"tail --at {clock(100)} -n 1", 0, "/old/100?token=(masked)", ""),
        (f"tail --at {clock(100)} status=502", 0, "/old/3?", ""),
        ("tail -n 1 --once", 0, "/old/240?", ""),
        ("what-if weight shop/a 3", 0, "240 requests cannot be judged", ""),
        ("explain /old/x", 0, "GET /old/x", ""),
        ("weight shop/a 3", 1, "", "this is a recording"),
        ("status", 1, "", "this is a recording"),
    ],
)
def test_each_word_that_asks_is_answered(
    path: Path, capsys: pytest.CaptureFixture[str], said: str, status: int, out: str, err: str
) -> None:
    assert cli.main(["ctl", "-s", str(path), *shlex.split(said)]) == status
    found = capsys.readouterr()
    assert out in found.out
    assert err in found.err


def test_what_was_not_yet_is_not_told_of_a_moment(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["ctl", "-s", str(path), "history", "--at", clock(30).strip("'")])
    assert "a journal" not in capsys.readouterr().out


def test_a_database_that_is_no_recording_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    assert cli.main(["ctl", "-s", str(tmp_path / "x.db"), "members"]) == 5
    assert "no recording of rproxy" in capsys.readouterr().err


def test_a_note_is_written_of_a_moment(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.main(["ctl", "-s", str(path), "note", "--since", "1m", "--at", clock(90).strip("'")]) == 0
    (note,) = tmp_path.rglob("README.md")
    assert str(note.parent) in capsys.readouterr().out
    assert "rename" not in note.read_text()  # another of that number came later
    assert "/old/3?" not in note.read_text()
    assert "GET /item/{n}" in note.read_text()
