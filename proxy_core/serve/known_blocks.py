"""Blocks of fields that were read and judged before: what became of each, remembered for all connections.

Clients of one kind send the same block over and over, byte for byte, each over connections of its own. Reading a block
is a function of its bytes, which begin with the version, of what its connection adds (``Hop``, which holds the policy
of the rules in force), and of the method; so these are the key, whole and compared whole. What else a head holds is the
target, which ``request_head`` reads each time, and more strictly than the parser. Only what was accepted is remembered:
never a refusal, nor what depends on the target (a URL for one). A head with a chunked body is judged each time, for its
parser has to decode the body. The memory is bounded in bytes and forgets all of it when it is full, and whenever other
rules are in force.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from proxy_core.serve.forwarded_fields import Hop
from proxy_core.serve.request_fields import RequestFields

MOST_BYTES = 4 * 1024 * 1024
"""Bytes that are remembered at most, about: 5,000 blocks of a browser's size."""
_OVERHEAD: Final = 600
"""Bytes of the objects that hold a block, about."""

Key = tuple[bytes, bytes, Hop]
"""The method, the block, and what its connection adds."""


@dataclass(slots=True, eq=False)
class KnownBlock:
    """A block of fields with a method, and what became of it."""

    method: bytes
    """The method of its request."""
    block: bytes
    """All from the version to the empty line; b"" for one that says nothing of other requests."""
    fields: RequestFields
    """What it says."""
    client: str
    """Who asks."""
    told: bytes
    """The block as it is without what named the client; b"" for as it was."""
    may_go_on: bool | None = None
    """Whether the strict parser would let its client go on; None where it was not asked yet."""


NO_BLOCK: Final = KnownBlock(b"", b"", RequestFields(b"", b"", 0, True, False, False), "", b"")


@dataclass(slots=True, eq=False)
class KnownBlocks:
    """The memory of a server."""

    find: Callable[[Key], KnownBlock | None] = field(init=False)
    """What is known of a block."""
    _known: dict[Key, KnownBlock] = field(default_factory=dict)
    """All that is remembered."""
    _bytes: int = 0
    """What that takes, about."""

    def __post_init__(self) -> None:
        self.find = self._known.get

    def keep(self, known: KnownBlock, hop: Hop) -> None:
        """Remember a block, at the price of all others where there is no room."""
        taken = _OVERHEAD + len(known.method) + 2 * len(known.block) + len(known.told)
        if self._bytes + taken > MOST_BYTES:
            self.forget()
        if taken <= MOST_BYTES // 64:
            self._known[known.method, known.block, hop] = known
            self._bytes += taken

    def forget(self) -> None:
        self._known.clear()
        self._bytes = 0
