"""A console on a recording sees what one on the service saw, as far as it was recorded, and changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.control.editing.commands import Refused, Undo
from proxy_core.control.question import Question
from proxy_core.control.recording.decided_again import OutsideThen
from proxy_core.control.recording.recorded_view import RecordedView, Unreadable, _without_gap
from proxy_core.control.recording.recording_file import RecordingFile
from proxy_core.control.recording.schema import REQUESTS, columns_of
from proxy_core.control.view import Second
from proxy_core.control.watching.details import details
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.moment import moment
from proxy_core.control.watching.troubles import AppliedAt, Subject
from tests.control.recording.night import BEGAN, ENTRIES, SITE, bare, recorded, seconds, steps


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "site.rec"
    recorded(path)
    return path


@pytest.fixture
def view(path: Path) -> Iterator[RecordedView]:
    view = RecordedView(path)
    yield view
    view.close()


@pytest.mark.parametrize("place", [0, 6, 12, 23])
def test_a_moment_is_what_the_service_itself_would_show_of_it(view: RecordedView, place: int) -> None:
    known = steps()[: place + 1]
    at = known[-1].at
    without_gap = BEGAN + 155 if at > BEGAN + 155 else 0.0
    shown = [each for each in seconds() if max(at - 120, without_gap) < each.at <= at]
    applied = [AppliedAt(each.number, each.at) for each in ENTRIES]
    wanted = moment(known, place, bare(at), shown, applied)
    got = view.snapshot_at(at + 3)
    assert replace(got, newest_record=0) == replace(wanted, newest_record=0, demo=False)
    assert got.past
    assert got.newest_record == int(at - BEGAN)


def test_now_is_the_newest_moment_and_nothing_is_beyond_the_ends(view: RecordedView) -> None:
    assert view.snapshot() == view.snapshot_at(BEGAN + 1e6)
    assert view.snapshot().at == BEGAN + 240
    assert view.snapshot_at(0.0).at == BEGAN + 10
    assert view.span == 230


def test_a_chart_shows_nothing_of_before_a_time_at_which_nobody_served() -> None:
    came = [Second(at, 1, 0, 0, -1.0, -1.0, -1.0, 0) for at in (1.0, 2.0, 60.0, 61.0, 62.5)]
    assert [each.at for each in _without_gap(came)] == [60.0, 61.0, 62.5]
    assert _without_gap(came[:2]) == came[:2]


def test_requests_are_read_on_and_back_by_number(view: RecordedView) -> None:
    assert [each.number for each in view.records(100, 3)] == [101, 102, 103]
    assert [each.number for each in view.earlier(4, 500)] == [1, 2, 3]
    assert [each.number for each in view.records(0, 9, failed=True)] == [3]
    assert [each.number for each in view.earlier(200, 9, failed=True)] == [3]
    (third,) = view.records(2, 1)
    assert (third.status, third.target, third.waited) == (502, "/old/3?token=(masked)", -1.0)
    assert (third.cut, third.rule, third.retries) == (0, "", 0)
    assert third.total == pytest.approx(0.1)


def test_all_that_a_record_tells_is_recorded() -> None:
    assert {*Record.__struct_fields__} - {"number"} <= {*REQUESTS}


def test_a_recording_of_an_earlier_version_is_read_and_written_on(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.rec"
    shutil.copy(path, old)
    database = sqlite3.connect(old)
    for column in ("cache", "age"):
        database.execute(f"ALTER TABLE requests DROP COLUMN {column}")
    database.commit()
    database.close()
    view = RecordedView(old)
    assert [(each.number, each.cache, each.age) for each in view.records(0, 2)] == [(1, "", 0), (2, "", 0)]
    view.close()
    RecordingFile(old, 4 << 20, 1e9).close()
    assert columns_of(sqlite3.connect(old), "requests") >= {*REQUESTS}


async def test_why_is_answered_by_the_text_of_the_generation_that_the_request_ran_under(view: RecordedView) -> None:
    for number, route in ((3, "one"), (70, "two"), (210, "three")):
        seen = await view.inspect(number)
        assert seen is not None
        assert seen.explanation.rule == ("routes", route)
        assert seen.explanation.pool == "shop"


async def test_what_is_missing_is_said_and_this_machine_is_not_asked_in_its_place(view: RecordedView) -> None:
    failed, went_well = await view.inspect(3), await view.inspect(4)
    assert failed is not None
    assert went_well is not None
    # The rule's -d test holds for "/" on any machine: it is not asked.
    assert [step.verdict for step in failed.explanation.steps if step.address == ("rewrites", "there")] == ["no match"]
    first = failed.explanation.steps[0].reason
    assert first.endswith("without answers of maps, files, passwords and services, 1 masked field")
    assert "all fields but these three" in went_well.explanation.steps[0].reason
    assert failed.request_head.split("\n")[2:] == ["Cookie: (3 bytes, masked)", "X-Own: 1"]
    assert went_well.request_head == "GET /old/4?token=(masked) HTTP/1.1\nHost: shop"


async def test_a_generation_whose_text_is_gone_leaves_the_request_and_says_so(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.rec"))
    database = sqlite3.connect(copy)
    database.execute("DELETE FROM generations WHERE number = 1")
    database.commit()
    database.close()
    view = RecordedView(copy)
    seen = await view.inspect(3)
    view.close()
    assert seen is not None
    assert seen.record.status == 502
    assert "generation 1 is not in the recording" in seen.explanation.sentence


async def test_a_question_is_answered_by_the_newest_site(view: RecordedView) -> None:
    assert (await view.explain(Question(url="/x"))).rule == ("routes", "three")
    assert (await view.explain(Question(url="/x", generation=1))).rule == ("routes", "one")
    with pytest.raises(ValueError, match="generation 7 is not in the recording"):
        await view.explain(Question(url="/x", generation=7))
    assert (view.site().generation, view.site().text) == (2, SITE % "three")


def test_only_the_time_is_known_of_the_outside_then() -> None:
    outside = OutsideThen(5.9)
    assert outside.ask(("time", "", "")) == (True, "5")
    for fact in (("osenv", "HOME", ""), ("map", "m", "k"), ("file", "-d", "/"), ("password", "f", "a:b")):
        assert outside.ask(fact) == (True, None)


def test_history_has_what_changed_from_one_to_the_next(view: RecordedView) -> None:
    past = view.history()
    assert [(each.number, each.author, bool(each.diff)) for each in past] == [
        (1, "anna", False), (2, "cleo", True),
    ]  # fmt: skip
    assert '-id = "one"\n+id = "three"\n' in past[1].diff
    assert view.history() is past
    did = past[1].effect
    assert did is not None
    # Steps 1 to 20, but for the seventh.
    assert (did.before.requests, did.before.part_4xx > 0, did.after.seconds) == (432.0, True, 40.0)


async def test_nothing_in_it_can_be_changed(view: RecordedView, path: Path) -> None:
    before = path.read_bytes()
    assert isinstance(await view.submit(Undo()), Refused)
    assert (await view.preview(Undo())).problems
    assert (view.can_undo(), view.can_redo(), await view.inspect(999)) == (None, None, None)
    assert path.read_bytes() == before


def test_a_copy_that_nobody_may_write_is_read(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.rec"))
    copy.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        view = RecordedView(copy)
        assert view.snapshot().at == BEGAN + 240
        view.close()
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(("content", "words"), [
    (b"a letter", "it is no recording of rproxy"),
    (b"", "no such table"),
])  # fmt: skip
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words):
        RecordedView(path)


def test_a_recording_in_which_nothing_is_yet_is_told(tmp_path: Path) -> None:
    RecordingFile(tmp_path / "a.rec", 4 << 20, 60.0).close()
    with pytest.raises(Unreadable, match="nothing is recorded yet"):
        RecordedView(tmp_path / "a.rec")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recording_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.rec").touch(0o000)
    with pytest.raises(OSError, match="denied"):
        RecordedView(tmp_path / "a.rec")


async def test_what_one_did_is_told_from_the_steps_that_are_recorded(view: RecordedView) -> None:
    site = Subject("site", "", "")
    for at, known in ((0.0, steps()), (BEGAN + 100, steps()[:10])):
        assert await view.details(site, at) == await details(known, site)


def test_a_row_says_which_generation_changed_it_last(view: RecordedView) -> None:
    assert [(each.address, each.generations) for each in view.last_changes()] == [(("routes", "three"), (2,))]


def test_the_copy_that_the_page_says_how_to_make_is_a_recording(path: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "recordings.md").read_text()
    (query,) = re.findall(r'^sqlite3 site\.rec "(VACUUM INTO .*)"$', page, re.MULTILINE)
    database = sqlite3.connect(path)
    database.execute(query.replace("night.rec", str(tmp_path / "night.rec")))
    database.close()
    view = RecordedView(tmp_path / "night.rec")
    assert view.snapshot().at == BEGAN + 240
    view.close()
