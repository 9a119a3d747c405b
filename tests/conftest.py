"""What all tests share: a state folder of their own, so that no test finds or leaves a journal in the user's; a
collector that does not walk through the suite itself again and again; and a line at the end on what was skipped."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests import programs

# How long an example takes is the machine's business. The suite asks the same each time, so that a commit that was
# green stays green; `pytest --hypothesis-profile search` asks what nobody asked before.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("suite")

YOUNG = 3
"""Collections of the middle generation, of some 50,000 objects each, after which a full one is worth its time."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are objects that stay to the end: each full collection would visit them all."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, 10, 100)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Garbage in circles is collected between tests; what stays is not visited again."""
    if gc.get_count()[2] >= YOUNG:
        gc.collect()
        gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many tests want a program that is not here, and how to get it."""
    reports = terminalreporter.getreports("skipped")
    if line := programs.missing(report.longreprtext for report in reports):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def state_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for state folders. pytest's own way to number them reads all that there are, each time."""
    base = tmp_path_factory.mktemp("state")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def state_folder(state_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's journals and logs go. Who writes there makes it."""
    folder = next(state_folders)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder / "run"))
    return folder
