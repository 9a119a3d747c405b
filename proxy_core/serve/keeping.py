"""Keeps a member's answer as it comes, and makes a newer one of a 304 that says that it is still good (RFC 9111 §3.1,
§4.3.4).

What is kept is what the member sent, without the fields of one hop; the site's edits are done at each use.
"""

from __future__ import annotations

from time import monotonic, time

from proxy_core.cache.bodies import Growing
from proxy_core.cache.freshness import AskedBy, Lifetime, Terms, judged, lifetime, merged, terms
from proxy_core.cache.store import OVERHEAD, KeptAnswer, Primary, Rest
from proxy_core.config.model import Cache
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import AnswerCache, CacheKey
from proxy_core.serve.builtin_pages import date


def made_kept(primary: Primary, rest: Rest, lifetime: Lifetime, answer: tuple[bytes, int, list[bytes]]) -> KeptAnswer:
    """What is kept, without its body yet; ``answer`` is its head as it came, its status, and its lines, status line
    first."""
    raw, status, lines = answer
    kept = KeptAnswer(primary, rest, OVERHEAD + 2 * len(raw))
    kept.raw, kept.status, kept.lifetime = raw, status, lifetime
    aged = b"\nage:" in raw.lower()
    kept.lines = [line for line in lines if line[:4].lower() != b"age:"] if aged else lines
    kept.born = monotonic() - lifetime.initial
    kept.made = float(int(time() - lifetime.initial))
    return kept


class Deposit:
    """An answer that is to be kept, while its body comes."""

    __slots__ = ("_body", "_cache", "kept")

    def __init__(self, cache: AnswerCache, kept: KeptAnswer, body: Growing) -> None:
        self.kept = kept
        self._cache = cache
        self._body = body

    def grows(self, data: bytes) -> bool:
        """Take a piece; whether there is a place for it. Raises OSError."""
        body, before = self._body, self._body.in_memory
        good = body.add(data)
        self._cache.pending += body.in_memory - before
        return good and body.length <= self._cache.config.largest

    def given_up(self) -> None:
        """It is not kept."""
        self._cache.pending -= self._body.in_memory

    def whole(self) -> KeptAnswer:
        """It has come to its end."""
        self.given_up()
        self.kept.body = self._body.whole()
        self.kept.size += self._body.length
        return self.kept


def begun(cache: AnswerCache, key: CacheKey, asked: AskedBy, answer: Answer, since: float) -> Deposit | str:
    """What is to be kept of an answer whose head has come, to a request that was sent at ``since`` (monotonic); or why
    nothing is."""
    life = lifetime_of(cache.config, asked, answer, since)
    return life if isinstance(life, str) else deposit(cache, key, life, answer)


def lifetime_of(config: Cache, asked: AskedBy, answer: Answer, since: float) -> Lifetime | str:
    """What keeping an answer comes to, whose head has come just now, or why it is not kept; ``since`` as above."""
    known = answer.terms
    if isinstance(known, tuple) and known[0] is config:
        found: Terms | str = known[1]
    else:
        found = terms_of(config, answer, time())
    return found if isinstance(found, str) else lifetime(config, found, asked, time(), monotonic() - since)


def deposit(cache: AnswerCache, key: CacheKey, life: Lifetime, answer: Answer) -> Deposit | str:
    """A place for an answer whose body is still to come, or why there is none."""
    growing = cache.growing(answer.length)
    if growing is None:
        return "it is longer than [cache] has room for"
    return Deposit(cache, _without_body(cache.config, key, life, answer), growing)


def taken(
    cache: AnswerCache, key: CacheKey, asked: AskedBy, came: tuple[Answer, bytes], since: float
) -> KeptAnswer | Deposit | str:
    """As ``begun``, with what of the body has come with the head: where that is all, and short enough for memory, it
    takes no place for what is still to come."""
    answer, body = came
    config = cache.config
    life = lifetime_of(config, asked, answer, since)
    if isinstance(life, str):
        return life
    if len(body) != answer.length or answer.length > min(config.in_memory, config.largest):
        return deposit(cache, key, life, answer)
    kept = _without_body(config, key, life, answer)
    kept.body = body
    kept.size += len(body)
    return kept


def _without_body(config: Cache, key: CacheKey, life: Lifetime, answer: Answer) -> KeptAnswer:
    lines = answer.lines if answer.dated else [*answer.lines, date()]
    return made_kept(*key, life, (answer.raw, answer.status, stripped(config, lines)))


def terms_of(config: Cache, answer: Answer, at: float) -> Terms | str:
    """``terms`` of an answer, remembered with it: a member's connection has the same one for heads that are alike."""
    found = terms(config, answer.status, answer.lines[1:], at)
    if isinstance(found, str) or found.date is not None:  # else it goes by when it came
        answer.terms = config, found
    return found


def stripped(config: Cache, lines: list[bytes]) -> list[bytes]:
    """An answer's lines without those that the site does not keep."""
    if not config.ignore_fields:
        return lines
    names = {name.lower().encode("latin-1") for name in config.ignore_fields}
    return [lines[0], *(line for line in lines[1:] if line.partition(b":")[0].lower() not in names)]


def renewed(config: Cache, kept: KeptAnswer, answer: Answer, delay: float) -> KeptAnswer | None:
    """What is kept after a 304 said that it is still good; None where it may not be kept any longer."""
    lines = answer.lines if answer.dated else [*answer.lines, date()]
    new = [kept.lines[0], *merged([*kept.lines[1:]], stripped(config, lines)[1:])]
    lifetime = judged(config, AskedBy(), kept.status, new[1:], time(), delay)
    if not isinstance(lifetime, Lifetime):
        return None
    made = made_kept(kept.primary, kept.rest, lifetime, (kept.raw, kept.status, new))
    made.body, made.asked, made.coded = kept.body, kept.asked, kept.coded
    made.size = kept.size
    return made
