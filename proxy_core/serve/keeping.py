"""Makes a Kept of a member's answer, and a newer one of a 304 that says that it is still good (RFC 9111 §3.1, §4.3.4).

What is kept is what the member sent, without the fields of one hop; the site's edits are done at each use.
"""

from __future__ import annotations

from time import monotonic, time

from proxy_core.cache.freshness import Asked, FieldLines, Lifetime, judged, merged
from proxy_core.cache.store import OVERHEAD, Kept, Primary, Rest
from proxy_core.config.model import Cache
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.builtin_pages import date


def made_kept(primary: Primary, rest: Rest, lifetime: Lifetime, answer: tuple[bytes, int, FieldLines]) -> Kept:
    """A Kept without its body yet; ``answer`` is its head as it came, its status and its lines, status line first."""
    raw, status, lines = answer
    kept = Kept(primary, rest, OVERHEAD + 2 * len(raw))
    kept.raw, kept.status, kept.lifetime = raw, status, lifetime
    kept.lines = [line for line in lines if line[:4].lower() != b"age:"]
    kept.born = monotonic() - lifetime.initial
    kept.made = time() - lifetime.initial
    return kept


def stripped(config: Cache, lines: list[bytes]) -> list[bytes]:
    """An answer's lines without those that the site does not keep."""
    names = {name.lower().encode("latin-1") for name in config.ignore_fields}
    if not names:
        return lines
    return [lines[0], *(line for line in lines[1:] if line.partition(b":")[0].lower() not in names)]


def renewed(config: Cache, kept: Kept, answer: Answer, delay: float) -> Kept | None:
    """What is kept after a 304 said that it is still good; None where it may not be kept any longer."""
    lines = answer.lines if answer.dated else [*answer.lines, date()]
    new = [kept.lines[0], *merged([*kept.lines[1:]], stripped(config, lines)[1:])]
    lifetime = judged(config, Asked(), kept.status, new[1:], time(), delay)
    if not isinstance(lifetime, Lifetime):
        return None
    made = made_kept(kept.primary, kept.rest, lifetime, (kept.raw, kept.status, new))
    made.body, made.url = kept.body, kept.url
    made.size = kept.size
    return made
