"""How things stood at the end of each step of the last hour, kept packed.

The steps count requests; who was up, what was in flight and what was wrong is in no count. So with each step a bare
snapshot is put beside it: without routes, rules and rates, which the steps have. Packed, one of four members takes a
few hundred bytes. Bounded: as many as there are steps, and of a site with very many members the first only; of
the others the steps tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from zlib import compress, decompress

from msgspec import Struct
from msgspec.msgpack import Decoder, encode
from msgspec.structs import replace

from proxy_core.control.view import Second, Snapshot
from proxy_core.control.watching.moment import SHOWN_STEPS, moment, nearest
from proxy_core.control.watching.troubles import AppliedAt
from proxy_core.runtime.last_hour import STEPS, TenSeconds

MOST_MEMBERS = 256
"""Members whose state is kept."""
FAST = 1
"""The level of compression that takes least of the loop."""

_bare = Decoder(Snapshot)


class PackedSnapshot(Struct, frozen=True):
    """How things stood at ``at``, the end of a step, and the seconds of that step."""

    at: float
    packed: bytes
    seconds: tuple[Second, ...]


def unpacked(packed: bytes) -> Snapshot:
    """The bare snapshot that was packed. Raises DecodeError of msgspec and zlib.error for what is none."""
    return _bare.decode(decompress(packed))


class KeptSnapshots:
    """Bare snapshots of the last hour, by the end of their step, oldest first."""

    def __init__(self) -> None:
        self._kept: dict[float, PackedSnapshot] = {}

    def keep(self, at: float, bare: Snapshot, seconds: Sequence[Second]) -> None:
        """How things stand at the end of the step at ``at``, and the seconds of that step."""
        packed = compress(encode(replace(bare, members=bare.members[:MOST_MEMBERS])), FAST)
        self._kept[at] = PackedSnapshot(at, packed, tuple(seconds))
        for old in [*self._kept][:-STEPS]:
            del self._kept[old]

    def after(self, at: float) -> list[PackedSnapshot]:
        """Those of later steps than the one that ended at ``at``."""
        return [self._kept[each] for each in self._kept if each > at]

    def moment(self, steps: Sequence[TenSeconds], at: float, generations: Sequence[AppliedAt]) -> Snapshot:
        """The moment nearest to ``at``; there must be a step."""
        place = nearest(steps, at)
        before = [self._kept.get(step.at) for step in steps[max(0, place + 1 - SHOWN_STEPS) : place + 1]]
        known = [each for each in takewhile(bool, reversed(before)) if each is not None][::-1]
        bare = unpacked(known[-1].packed) if known else None
        seconds = [second for each in known for second in each.seconds]
        return moment(steps, place, bare, seconds, generations)
