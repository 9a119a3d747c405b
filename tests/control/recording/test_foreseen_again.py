"""A change is tried out on recorded requests; those whose rules read what is masked or lost are counted apart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy_core.control.editing.commands import Change, Reload, Replace, Set, Undo
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.recording.foreseen_again import RecordedRequest, foreseen
from proxy_core.control.recording.recorded_view import RecordedView
from proxy_core.control.watching.log_records import Record
from proxy_core.errors import errors
from tests.control.recording.night import SITE, recorded

TEXT = """\
version = 1
[listeners.http]
address = "127.0.0.1:80"
%s
[[routes]]
id = "all"
path = "/"
proxy = "balancer://shop/"
[balancers.shop.members.a]
url = "http://h1:1"
route = "a"
[balancers.shop.members.b]
url = "http://h2:1"
route = "b"
"""


def rule(flags: str = "F", **condition: str) -> str:
    test, pattern = condition["test"], condition["pattern"]
    return (
        f'[[rewrites]]\nid = "r"\npattern = "^/x"\nsubstitution = "-"\nflags = ["{flags}"]\n'
        f"conditions = [{{ test = '{test}', pattern = '{pattern}' }}]\n"
    )


def came(target: str, number: int = 1, head: str = "", **more: Any) -> RecordedRequest:
    plain: dict[str, Any] = {"client": "10.0.0.1", "referer": "", "user_agent": "old", "cause": "", "host": "shop"}
    record = Record(
        number=number, at=1000.0 + number, method="GET", target=target, version="1.1", status=200, received=0, sent=5,
        route="all", balancer="shop", member="a", attempts=1, generation=1, waited=0.0, first=0.01, total=0.02,
        **(plain | more),
    )  # fmt: skip
    return RecordedRequest(record, "http", head)


def told(requests: list[RecordedRequest], after: str, before: str = "") -> Foreseen:
    entry = HistoryEntry(number=1, at=1.0, author="a", sentence="s", diff="", text=TEXT % before)
    return asyncio.run(foreseen([entry], Replace(text=TEXT % after), requests))


def test_a_request_counts_for_as_many_as_it_stands_for() -> None:
    found = told([came("/x", 1, weight=7), came("/y", 2)], rule(test="%{REQUEST_METHOD}", pattern="GET"))
    assert (found.judged, found.elsewhere, found.unjudged) == (8, 7, 0)
    assert [(way.before, way.after, way.requests) for way in found.ways] == [("shop", "403", 7)]
    assert sum(each.before for each in found.members) == 8


WHOLE = "GET /x HTTP/1.1\nHost: shop\nCookie: (9 bytes, masked)\nX-Team: red\nUser-Agent: old"


@pytest.mark.parametrize(
    ("test", "head", "judged"),
    [
        ("%{HTTP_USER_AGENT}", "", True),
        ("%{HTTP_USER_AGENT}", WHOLE, True),
        ("%{HTTP:X-Team}", WHOLE, True),
        ("%{HTTP:X-None}", WHOLE, True),
        ("%{HTTP:X-Team}", "", False),
        ("%{HTTP_COOKIE}", WHOLE, False),
        ("%{HTTP_COOKIE}", "", False),
        ("${m:%{HTTP_USER_AGENT}}", WHOLE, False),
        ("%{ENV:none}", "", False),
    ],
)
def test_who_reads_a_masked_field_one_that_was_not_recorded_or_a_map_is_not_judged(
    test: str, head: str, judged: bool
) -> None:
    change = rule(test=test, pattern="red|old") + '[maps.m]\ntype = "txt"\nfile = "nowhere.txt"\n'
    found = told([came("/x", 1, head), came("/y", 2)], change)
    assert (found.judged, found.unjudged) == (1 + judged, 1 - judged)


def test_a_field_of_which_nobody_knows_is_no_absent_one_to_who_had_a_whole_head() -> None:
    change = rule(test="%{HTTP:X-Team}", pattern="^$")
    bare = WHOLE.replace("X-Team: red\n", "")
    found = told([came("/x", 1, bare), came("/x", 2), came("/x", 3, bare)], change)
    assert (found.elsewhere, found.unjudged) == (2, 1)


def test_who_has_a_session_that_is_masked_is_not_judged_where_it_decides() -> None:
    sticky = '[balancers.shop.sticky]\ncookie = "S"\n'
    plain = WHOLE.replace("Cookie: (9 bytes, masked)\n", "")
    found = told([came("/x", 1, WHOLE), came("/x", 2), came("/x", 3, plain)], sticky, sticky)
    assert (found.judged, found.unjudged) == (1, 2)


async def test_the_view_of_a_recording_tells_what_a_change_would_do_and_changes_nothing(tmp_path: Path) -> None:
    recorded(tmp_path / "site.rec")
    view = RecordedView(tmp_path / "site.rec")
    found = await view.what_if(Change(edits=(Set(("routes", "three", "path"), "/shop"),), sentence="move"))
    assert (found.judged, found.unjudged) == (0, 240)  # its rule asks for a folder
    found = await view.what_if(Replace(text=(SITE % "three").replace("-d", "^/$").replace('["F"]', '["G"]')))
    assert found.unjudged == 240  # by the rules in force, still
    preview = await view.preview(Change(edits=(Set(("routes", "three", "path"), "/shop"),), sentence="move"))
    assert '+path = "/shop"' in preview.diff
    assert not errors(preview.problems)
    assert "this is a recording" in preview.problems[-1].what
    for command in (Undo(), Reload()):
        with pytest.raises(ValueError, match="asks for files of the service"):
            await view.what_if(command)
    view.close()
