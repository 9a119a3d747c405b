"""What the tests of reading share: a text, and the beginnings of the problems that are found in it."""

from __future__ import annotations

from proxy_core.config.reading.document import parse


def assert_problems(text: str, wanted: list[str]) -> None:
    document = parse(text, "x.toml")
    found = [str(problem) for problem in document.problems]
    assert document.site is None
    assert [got[: len(f"x.toml:{start}")] for got, start in zip(found, wanted, strict=True)] == [
        f"x.toml:{start}" for start in wanted
    ]
    assert all(problem.todo for problem in document.problems)
