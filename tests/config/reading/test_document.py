"""Reading gives a site or the reasons why not, whatever the file is, and never raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.reading.document import parse, read
from tests.examples import examples


def test_an_empty_file_is_a_site() -> None:
    document = parse("")
    assert document.site is not None
    assert document.problems == ()


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"a = 1\nb = '\xff'\n")
    [problem] = read(bad).problems
    assert (problem.line, problem.column) == (2, 6)
    assert "0xff" in problem.what
    assert read(tmp_path / "none.toml").problems[0].what.startswith("the file cannot be read")
    assert read(tmp_path).broken


@pytest.mark.parametrize("kind", ["pipe", "device", "circle", "endless"])
def test_what_is_no_regular_file_within_bounds_is_a_problem_at_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "site.toml"
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case "circle":
            file.symlink_to(file)
        case "endless":
            with file.open("wb") as written:
                written.truncate(1 << 40)
    [problem] = read(file).problems
    assert problem.what.startswith("the file cannot be read: ")
    assert problem.file == str(file)


@examples(150)
@given(st.one_of(st.text(max_size=40), st.text("[]{}=.,'\"\\\n#ab1 -", max_size=60)))
def test_reading_never_raises(text: str) -> None:
    document = parse(text)
    assert (document.site is None) == any(problem.severity == "error" for problem in document.problems)
    assert all(problem.line for problem in document.problems)
