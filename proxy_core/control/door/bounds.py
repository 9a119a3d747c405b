"""What one user may take of the door: so many connections, so many questions a second, so much, for so long.

The door is served by the loop that serves requests, so whoever asks without a pause must not be able to take much of
it. The users are those that the kernel names. The service's own user and root have more room than those who may only
read, so that a reader who takes all it can get keeps nobody from editing. Pure: the clock is given.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from proxy_core import regular_files
from proxy_core.control.door.peers import Peer

CONNECTIONS, CONNECTIONS_OF_READERS = 96, 16
"""Connections that one user may have: who may write, and who may only read."""
RATE, RATE_OF_READERS = 400.0, 100.0
"""Questions a second of one user, over some seconds."""
BURST = 2.0
"""Seconds of the rate that may come at once."""
MOST_USERS = 1024
LONGEST, LONGEST_OF_READERS = regular_files.MOST, 64 * 1024
"""Bytes of a body: of who may write, as much as a site file may have; and of who may only read."""
BODY_WITHIN = 30.0
"""Seconds that a body may take to come."""
BODIES = 2
"""Bodies that may come at once of who may write: each may be large."""
READ_WITHIN = 10.0
"""Seconds for which a reader may read nothing of its answer."""
WAITING = 64 * 1024
"""Bytes of answers that wait for one reader."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Bounds:
    """Counts for each user."""

    def __init__(self) -> None:
        self._open = Counter[int]()
        self._asked: dict[int, _Bucket] = {}

    def enter(self, peer: Peer) -> bool:
        """Whether one more connection may be had; ``leave`` gives it back."""
        if self._open[peer.uid] >= (CONNECTIONS if peer.may_write else CONNECTIONS_OF_READERS):
            return False
        self._open[peer.uid] += 1
        return True

    def leave(self, peer: Peer) -> None:
        self._open[peer.uid] -= 1
        if not self._open[peer.uid]:
            del self._open[peer.uid]

    def ask(self, peer: Peer, now: float) -> bool:
        """Whether a question may be asked now: a token bucket."""
        rate = RATE if peer.may_write else RATE_OF_READERS
        bucket = self._asked.get(peer.uid)
        if bucket is None:
            if len(self._asked) >= MOST_USERS:
                self._asked.clear()
            bucket = self._asked[peer.uid] = _Bucket(rate * BURST, now)
        bucket.left = min(rate * BURST, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True
