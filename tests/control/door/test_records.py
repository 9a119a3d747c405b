"""Finished requests through the door: which are asked for, and what a far console is given of those that failed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from proxy_core.control.door.answers import HANDLERS, Asked, Refusal
from proxy_core.control.door.async_client import DoorLine
from proxy_core.control.door.endpoints import Records, RecordsQuery
from proxy_core.control.door.record_feed import RecordFeed
from proxy_core.control.watching.log_records import Record
from tests.control.watching.test_record_filter import ROW


class Kept:
    """What a service has: of the numbers 1 to 2000 those from 1001 on, of all others each 10th, which failed."""

    def __init__(self) -> None:
        self.rows = [
            replace(ROW, number=n, status=200 if n % 10 else 502) for n in range(1, 2001) if n > 1000 or n % 10 == 0
        ]
        self.asked: list[RecordsQuery] = []

    def snapshot(self) -> Any:
        return SimpleNamespace(newest_record=self.rows[-1].number)

    def records(self, after: int, limit: int, failed: bool) -> tuple[Record, ...]:
        return tuple(each for each in self.rows if each.number > after and (each.went_wrong or not failed))[:limit]

    def earlier(self, before: int, limit: int, failed: bool) -> tuple[Record, ...]:
        return tuple(each for each in self.rows if each.number < before and (each.went_wrong or not failed))[-limit:]

    async def answer(self, query: RecordsQuery) -> Records:
        self.asked.append(query)
        asked = Asked(peer=cast(Any, None), names={}, query=query, body=None, on=0)
        return cast(Records, await HANDLERS["records"](cast(Any, SimpleNamespace(behind=self)), asked))


def numbers(found: Any) -> list[int]:
    return [each.number for each in found]


@pytest.mark.parametrize(
    ("query", "found", "seen"),
    [
        (RecordsQuery(after=985, limit=4), [990, 1000, 1001, 1002], 1002),
        (RecordsQuery(after=-2), [1999, 2000], 2000),
        (RecordsQuery(limit=2, failed=True), [10, 20], 20),
        (RecordsQuery(after=1500, limit=2, failed=True), [1510, 1520], 1520),
        (RecordsQuery(before=1003, limit=4), [990, 1000, 1001, 1002], 1002),
        (RecordsQuery(before=31, limit=9), [10, 20, 30], 30),
        (RecordsQuery(before=10, limit=9), [], 9),
        (RecordsQuery(before=1031, limit=2, failed=True), [1020, 1030], 1030),
        (RecordsQuery(before=1031, limit=4, filter="status=200"), [1027, 1028, 1029], 1030),
        (RecordsQuery(after=1950, last=2, limit=5), [1970, 1980, 1990, 1999, 2000], 2000),
        (RecordsQuery(after=1985, last=2, limit=5), [1990, 1999, 2000], 2000),
        (RecordsQuery(after=1999, last=2, limit=5), [2000], 2000),
        (RecordsQuery(after=1950, last=2, limit=5, filter="number>1975"), [1980, 1990, 1999, 2000], 2000),
    ],
)
async def test_records_are_read_on_and_back_all_or_only_what_went_wrong(
    query: RecordsQuery, found: list[int], seen: int
) -> None:
    answer = await Kept().answer(query)
    assert (numbers(answer.records), answer.seen) == (found, seen)


@pytest.mark.parametrize("query", [RecordsQuery(last=501), RecordsQuery(last=-1), RecordsQuery(limit=0)])
async def test_a_question_out_of_bounds_is_refused(query: RecordsQuery) -> None:
    with pytest.raises(Refusal, match="is "):
        await Kept().answer(query)


def feed_of(kept: Kept, newest: int, slow: bool = False) -> RecordFeed:
    async def ask(_: str, query: RecordsQuery) -> Records:
        return await kept.answer(query)

    return RecordFeed(cast(DoorLine, SimpleNamespace(ask=ask, slow=slow)), newest)


async def test_what_went_wrong_is_fetched_first_and_as_far_back_as_it_goes() -> None:
    kept = Kept()
    feed = feed_of(kept, 2000)
    assert feed.earlier(1751, 250, failed=False) is None
    assert feed.earlier(1751, 250, failed=True) is None
    await feed.read_back(0.0)
    assert numbers(feed.earlier(1751, 3, failed=True)) == [1730, 1740, 1750]
    assert feed.earlier(1751, 250, failed=False) is None
    await feed.read_back(0.0)
    assert numbers(feed.earlier(1751, 2, failed=False)) == [1749, 1750]
    oldest, fetched = 1751, 0
    while (older := feed.earlier(oldest, 250, failed=True)) != () and fetched < 9:
        if older is None:
            await feed.read_back(0.0)
            fetched += 1
        else:
            oldest = older[0].number
    assert (oldest, older) == (10, ())


async def test_what_went_wrong_since_the_console_is_attached_is_there_at_once() -> None:
    feed = feed_of(Kept(), 1000)
    for newest in range(1100, 2001, 100):
        await feed.read_on(newest)
    assert numbers(feed.earlier(1021, 9, failed=True))[-2:] == [1010, 1020]
    oldest = numbers(feed.earlier(1021, 99, failed=True))[0]
    assert feed.earlier(oldest, 2, failed=True) is None
    await feed.read_back(0.0)
    assert numbers(feed.earlier(oldest, 2, failed=True)) == [oldest - 20, oldest - 10]


async def test_a_slow_line_is_given_the_newest_and_of_the_others_what_went_wrong() -> None:
    kept = Kept()
    feed = feed_of(kept, 1500, slow=True)
    await feed.read_on(2000)
    assert len(kept.asked) == 1
    assert numbers(feed.after(1500, 999, failed=False)) == [*range(1510, 1901, 10), *range(1901, 2001)]
    assert feed.high == 2000
