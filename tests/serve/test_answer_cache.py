"""What the cache remembers of answers and of those who wait: the same as without remembering, and no more than is
bounded."""

from __future__ import annotations

from proxy_core.cache.freshness import ANYBODY, AskedBy, Terms, judged, lifetime
from proxy_core.config.model import Cache
from proxy_core.runtime.upstreams.response_head import read_head
from proxy_core.serve.answer_cache import MOST_UNKEPT, UNKEPT_SECONDS, AnswerCache, CacheKey, Sharer
from proxy_core.serve.keeping import terms_of


class Asking:
    """A Sharer."""

    def __init__(self, key: CacheKey) -> None:
        self.key = key
        self.waiters: list[Sharer] | None = None
        self.spoiled = False
        self.looks = 0

    def arrived(self) -> None:
        self.looks += 1


def key(number: int = 0) -> CacheKey:
    return (b"a", b"/%d" % number), ("http", ())


HEADS = [
    b"Cache-Control: no-store", b"Cache-Control: private, max-age=9", b"Cache-Control: max-age=9", b"Vary: *",
    b"Cache-Control: public, max-age=9\r\nAge: 3", b"Cache-Control: s-maxage=9, stale-if-error=4\r\nVary: Cookie",
    b"Expires: Tue, 01 Dec 2026 12:00:00 GMT", b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", b"Set-Cookie: a=1",
    b'ETag: "x"\r\nCache-Control: no-cache', b"Cache-Control: max-age=0", b"Date: nonsense\r\nCache-Control: max-age=9",
    b"Date: Tue, 01 Dec 2026 11:59:00 GMT\r\nCache-Control: max-age=9, stale-while-revalidate=5",
    b"Date: Tue, 01 Dec 2026 11:59:00 GMT\r\nExpires: Tue, 01 Dec 2026 12:00:00 GMT",
]  # fmt: skip
ASKED = [ANYBODY, AskedBy("a user asks"), AskedBy(no_store=True)]
SITES = [Cache(), Cache(store_no_store=True, store_private=True, cookies=True), Cache(default_expire=60.0)]


AT = 1_796_126_400.0  # Tue, 01 Dec 2026 12:00:00 GMT


def test_what_is_remembered_of_a_head_is_what_would_be_found_anew() -> None:
    remembered = 0
    for fields in HEADS:
        answer = read_head(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % fields)
        for number, config in enumerate((*SITES, *SITES)):
            for at in (AT + 10 * number, AT + 10 * number + 5):
                known = answer.terms
                if isinstance(known, tuple) and known[0] is config:
                    found: Terms | str = known[1]
                    remembered += 1
                else:
                    found = terms_of(config, answer, at)
                for asked in ASKED:
                    said = found if isinstance(found, str) else lifetime(config, found, asked, at, 2.0)
                    assert said == judged(config, asked, 200, answer.lines[1:], at, 2.0), fields
    assert remembered


def test_one_asks_and_others_wait_until_it_is_over() -> None:
    cache = AnswerCache()
    first, second, third = Asking(key()), Asking(key()), Asking(key())
    assert cache.leads(first, True, 0.0)
    assert not cache.leads(second, True, 0.0)
    assert not cache.leads(third, True, 0.0)
    cache.leaves(third)
    cache.over(first)
    assert (second.looks, third.looks) == (1, 0)
    assert cache.leads(third, True, 0.0)


def test_who_asks_beside_another_is_told_too_that_what_it_wants_is_thrown_out() -> None:
    cache = AnswerCache()
    first, beside, other = Asking(key()), Asking(key()), Asking(key(1))
    assert [cache.leads(each, False, 0.0) for each in (first, beside, other)] == [True] * 3
    cache.invalidate(key()[0])
    assert [each.spoiled for each in (first, beside, other)] == [True, True, False]
    late = Asking(key())
    assert cache.leads(late, True, 0.0)  # what is thrown out is not waited for
    for each in (first, beside, other, late):
        cache.over(each)
    assert not cache._leading
    assert not cache._beside


def test_that_an_answer_is_not_kept_is_remembered_where_somebody_waited_and_for_so_many_keys_alone() -> None:
    cache = AnswerCache()
    for number in range(MOST_UNKEPT + 10):
        alone = Asking(key(number))
        cache.leads(alone, True, 0.0)
        cache.over(alone, unkept=True)
    assert not cache._unkept
    for number in range(MOST_UNKEPT + 10):
        first, second = Asking(key(number)), Asking(key(number))
        cache.leads(first, True, 0.0)
        cache.leads(second, True, 0.0)
        cache.over(first, unkept=True)
        assert key(number) in cache._unkept
    assert len(cache._unkept) <= MOST_UNKEPT
    first, second = Asking(key(number)), Asking(key(number))
    assert cache.leads(first, True, 0.0)
    assert cache.leads(second, True, 0.0)


def test_most_requests_go_past_a_cache_that_kept_no_answer_twice_and_some_look_again() -> None:
    cache = AnswerCache()
    cache.never_kept(key(), 0.0)
    assert not any(cache.goes_past(key(), 1.0) for _ in range(50))
    cache.never_kept(key(), 0.0)
    past = [cache.goes_past(key(), 1.0) for _ in range(2000)]
    assert 1700 < sum(past) < 1990
    assert not any(cache.goes_past(key(), UNKEPT_SECONDS + 1) for _ in range(50))
    assert not any(cache.goes_past(key(1), 1.0) for _ in range(50))
    for number in range(MOST_UNKEPT + 10):
        cache.never_kept(key(number), 0.0)
    assert len(cache._past) <= 50  # but for marks that two keys share, what came once is not remembered
    for number in range(MOST_UNKEPT + 10):
        cache.never_kept(key(number), 0.0)
        cache.never_kept(key(number), 0.0)
        assert len(cache._past) <= MOST_UNKEPT
