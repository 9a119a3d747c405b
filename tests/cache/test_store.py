"""Which entries stay, what is thrown out, and what of a body is sent."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate
from pathlib import Path

import pytest

from proxy_core.cache.bodies import FileBody, Growing
from proxy_core.cache.conditions import WHOLE, not_modified, range_of
from proxy_core.cache.eviction import MOST_USES, Room, Slot
from proxy_core.cache.freshness import Lifetime
from proxy_core.cache.store import CodedVariant, KeptAnswer, Store
from proxy_core.cache.wishes import Wishes


def trace(length: int, *, flood: bool) -> list[int]:
    """Names by Zipf's law; in its middle, between each two, one that never comes again (below 0)."""
    rng = random.Random(7)
    weights = list(accumulate(1 / n**0.9 for n in range(1, 3000)))
    names = []
    for at in range(length):
        names.append(bisect_left(weights, rng.random() * weights[-1]))
        if flood and length * 0.4 < at < length * 0.6:
            names.append(-at)
    return names


def hit_rate(names: list[int], room: int) -> float:
    there: dict[int, Slot] = {}
    queue = Room(room, 1 << 30, lambda place: there.pop(place.name))  # type: ignore[call-overload]
    hits = 0
    for name in names:
        if name in there:
            there[name].uses = min(there[name].uses + 1, MOST_USES)
            hits += name >= 0
        else:
            there[name] = place = Slot(name, 1)
            queue.add(place)
    assert queue.bytes == len(there) <= room
    return hits / sum(name >= 0 for name in names)


def lru_rate(names: list[int], room: int) -> float:
    there = OrderedDict[int, None]()
    hits = 0
    for name in names:
        if name in there:
            there.move_to_end(name)
            hits += name >= 0
        else:
            there[name] = None
            if len(there) > room:
                there.popitem(last=False)
    return hits / sum(name >= 0 for name in names)


def test_a_flood_of_rare_paths_costs_no_hits_and_lru_is_beaten() -> None:
    calm, flooded = trace(12_000, flood=False), trace(12_000, flood=True)
    mine, under_flood, lru = hit_rate(calm, 150), hit_rate(flooded, 150), lru_rate(flooded, 150)
    assert under_flood > mine - 0.01
    assert under_flood > lru + 0.08


def made(
    target: bytes, *, size: int = 10, rest: tuple[object, ...] = ("http", ()), tags: tuple[bytes, ...] = ()
) -> KeptAnswer:
    kept = KeptAnswer((b"a", target), rest, size)
    kept.lifetime = Lifetime(0.0, 60.0, tags=tags)
    kept.body, kept.asked = b"x", ("http", b"a", target)
    return kept


def test_the_store_stays_within_its_bounds_whatever_comes() -> None:
    store = Store(1000, 50, 0)
    for number in range(500):
        store.put(made(b"/%d" % number, size=number % 300))
        assert store.memory.bytes <= 1000
        assert store.memory.entries <= 50
    assert store.memory.entries == len(list(store)) > 0
    store.bound(100, 50, 0)
    assert store.memory.bytes <= 100
    assert store.memory.bytes == sum(kept.size for kept in store)


def test_what_is_coded_counts_within_the_bound_and_goes_with_what_it_was_made_of() -> None:
    store = Store(1000, 50, 0)
    first, second = made(b"/1", size=400), made(b"/2", size=400)
    store.put(first)
    store.put(second)
    store.add_coded(second, "gzip", CodedVariant(1, b"x" * 100))
    store.add_coded(second, "br", CodedVariant(1, b"x" * 50))
    store.add_coded(second, "gzip", CodedVariant(6, b"x" * 80))
    assert store.memory.bytes == 930
    store.add_coded(second, "zstd", CodedVariant(1, b"x" * 200))
    assert first.gone
    assert store.memory.bytes == second.size == 730
    store.drop(second)
    store.add_coded(second, "zstd", CodedVariant(1, b"x" * 9))
    assert store.memory.bytes == 0
    huge = made(b"/3", size=400)
    store.put(huge)
    store.add_coded(huge, "gzip", CodedVariant(1, b"x" * 700))
    assert (store.memory.bytes, [*store]) == (0, [])


def test_a_resource_is_thrown_out_with_all_its_variants() -> None:
    store = Store(1 << 20, 100, 0)
    for rest in (("http", (b"de",)), ("http", (b"en",)), ("https", (b"de",))):
        store.put(made(b"/x", rest=rest))
    store.put(made(b"/y"))
    assert store.invalidate((b"a", b"/x")) == 3
    assert store.find((b"a", b"/x")) is None
    assert store.memory.entries == 1


def test_a_resource_that_comes_to_vary_by_more_forgets_what_was_told_apart_by_less() -> None:
    store = Store(1 << 20, 100, 0)
    store.put(made(b"/x"))
    assert store.vary((b"a", b"/x"), (b"accept",)) == (b"accept",)
    assert store.vary((b"a", b"/x"), (b"cookie",)) == (b"accept", b"cookie")
    assert [*store] == []


def test_what_is_purged_by_url_prefix_or_tag_is_gone_and_the_rest_stays() -> None:
    store = Store(1 << 20, 100, 0)
    for target, tags in ((b"/a", (b"news",)), (b"/a/b", ()), (b"/c", (b"news", b"x"))):
        store.put(made(target, tags=tags))
    assert store.purge(lambda kept: b"news" in kept.lifetime.tags) == 2
    assert [kept.url for kept in store] == ["http://a/a/b"]


def test_an_answer_takes_the_place_of_the_one_before_it_and_keeps_its_uses() -> None:
    store = Store(1 << 20, 100, 0)
    old = made(b"/a", size=10)
    old.uses = 3
    store.put(old)
    store.put(new := made(b"/a", size=30))
    assert (store.memory.bytes, store.memory.entries, new.uses) == (30, 1, 3)


def test_a_long_body_goes_to_a_file_without_a_name(tmp_path: Path) -> None:
    body = Growing(10, str(tmp_path))
    assert body.add(b"12345678")
    assert body.in_memory == 8
    assert body.add(b"90abc")
    assert body.in_memory == 0
    whole = body.whole()
    assert isinstance(whole, FileBody)
    assert (whole.length, whole.read(2, 5), whole.read(0, 13)) == (13, b"345", b"1234567890abc")
    assert [*tmp_path.iterdir()] == []
    assert not Growing(10, "").add(b"x" * 11)


VALIDATORS = (b'"a"', b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0)


@pytest.mark.parametrize(
    ("tag", "since", "expected"),
    [
        (b'"a"', b"", True), (b'W/"a"', b"", True), (b'"b", "a"', b"", True), (b"*", b"", True), (b'"b"', b"", False),
        (b'"b"', b"Sun, 06 Nov 1994 08:49:37 GMT", False), (b"", b"Sun, 06 Nov 1994 08:49:37 GMT", True),
        (b"", b"Sun, 06 Nov 1994 08:49:36 GMT", False), (b"", b"nonsense", False),
    ],
)  # fmt: skip
def test_a_client_that_has_the_answer_already_is_told_so(tag: bytes, since: bytes, expected: bool) -> None:
    assert not_modified(Wishes(if_none_match=tag, if_modified_since=since), VALIDATORS) is expected


@pytest.mark.parametrize(
    ("asked", "since", "expected"),
    [
        (b"bytes=2-4", b"", (2, 5)), (b"bytes=2-", b"", (2, 10)), (b"bytes=-3", b"", (7, 10)),
        (b"bytes=0-99", b"", (0, 10)),
        (b"bytes=-99", b"", (0, 10)), (b"bytes=10-", b"", None), (b"bytes=-0", b"", None), (b"bytes=4-2", b"", WHOLE),
        (b"bytes=0-1,3-4", b"", WHOLE), (b"lines=1-2", b"", WHOLE), (b"", b"", WHOLE), (b"bytes=2-4", b'"a"', (2, 5)),
        (b"bytes=2-4", b'W/"a"', WHOLE), (b"bytes=2-4", b'"b"', WHOLE),
    ],
)  # fmt: skip
def test_a_client_gets_the_range_that_it_wants_of_a_whole(
    asked: bytes, since: bytes, expected: tuple[int, int] | None
) -> None:
    assert range_of(Wishes(range=asked, if_range=since), VALIDATORS, 10) == expected
