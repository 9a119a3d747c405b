"""Compares the answers to copies with the real ones, and groups what differs by the shape of the path. Pure.

Compared is what members said, not what was made of it for the client: the status, the fields that the route names, the
length and the content of the body. Addresses are compared as clients would see them, since every member names itself.
Where the status differs nothing else is looked at, for another status is another page. No body is kept, and of a field
no more than the last pair of values that differed.

Bounded: a route has at most MOST groups of their own, behind which all shapes are the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

from msgspec import Struct

from proxy_core.http.hop_by_hop import ANSWER_KINDS, Kind
from proxy_core.rules.decision import ReverseRow
from proxy_core.rules.fields.edit_scope import found, value_of
from proxy_core.rules.routing.reverse import mapped
from proxy_core.runtime.last_hour import REST
from proxy_core.runtime.upstreams.response_head import Answer

MOST: Final = 32
"""Groups of a route that have a shape of their own."""
LONGEST: Final = 80
"""Characters of a value that are kept."""
STATUS, LENGTH, BODY, NO_ANSWER = "status", "length", "body", "no answer"
"""Kinds of difference; a field that differs is one by its name."""


class Body:
    """The length and the digest of a body that passes."""

    __slots__ = ("_digest", "length")

    def __init__(self) -> None:
        self.length = 0
        self._digest = blake2b(digest_size=16)

    def add(self, data: bytes) -> None:
        self.length += len(data)
        self._digest.update(data)

    @property
    def digest(self) -> bytes:
        return self._digest.digest()


class Said(Struct, frozen=True):
    """What is compared of an answer."""

    status: int
    fields: tuple[str | None, ...]
    """The values of the compared fields, None where one is not there."""
    length: int
    """Of the body, as the head says it, else as it came."""
    digest: bytes
    """Of the body."""
    longer: bool = False
    """The body goes on, but nobody listens any more: it is longer than it may be already."""


class Difference(NamedTuple):
    """Something in which the answer to a copy is not the real one."""

    kind: str
    """STATUS, LENGTH, BODY, NO_ANSWER, or the name of a field."""
    real: str
    """What the real answer says."""
    copy: str
    """What the other says, or why there is none."""


MappedBack = tuple[tuple[ReverseRow, ...], str]
"""How addresses in an answer are mapped back: the rows for it, and ``scheme://host`` of ours."""


def said(answer: Answer, body: Body, names: Iterable[bytes], back: MappedBack, *, longer: bool = False) -> Said:
    """What is compared of an answer whose body has come."""
    fields = tuple(_value(answer.lines, name, back) for name in names)
    length = answer.length if answer.length >= 0 else body.length
    return Said(answer.status, fields, length, body.digest, longer and answer.length < 0)


def _value(lines: Sequence[bytes], name: bytes, back: MappedBack) -> str | None:
    values = [value_of(lines[at]) for at in found(lines, name)]
    if ANSWER_KINDS[name] == Kind.ADDRESS:
        values = [mapped(value, *back) for value in values]
    return ", ".join(values) if values else None


def differences(names: Iterable[bytes], real: Said, copy: Said) -> tuple[Difference, ...]:
    """In what the two differ; ``names`` are those of the compared fields."""
    if real.status != copy.status:
        return (Difference(STATUS, str(real.status), str(copy.status)),)
    pairs = zip(names, real.fields, copy.fields, strict=True)
    unlike = [Difference(n.decode("latin-1"), _shown(one), _shown(other)) for n, one, other in pairs if one != other]
    if real.length != copy.length:
        other = f"more than {real.length} bytes" if copy.longer else f"{copy.length} bytes"
        unlike.append(Difference(LENGTH, f"{real.length} bytes", other))
    elif real.digest != copy.digest:
        unlike.append(Difference(BODY, real.digest.hex()[:8], copy.digest.hex()[:8]))
    return tuple(unlike)


def _shown(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


@dataclass(slots=True)
class DifferenceGroup:
    """Differences of one kind on paths of one shape."""

    count: int = 0
    """How many there were."""
    at: float = 0.0
    """When the request of the last one came, in seconds of the epoch."""
    real: str = ""
    """What the real answer said then."""
    copy: str = ""
    """What the other said then."""
    record: int = 0
    """Number of that request among the finished ones."""


ShadowKey = tuple[str, str]
"""The id of a route, and the pool that its copies go to: what is known of one pool says nothing of another."""


@dataclass(slots=True)
class ShadowTally:
    """What is known of the copies of one route to one pool."""

    in_flight: int = 0
    """Copies that are under way."""
    requests: int = 0
    """Copies that were sent and are over."""
    same: int = 0
    """Those whose answer was the real one's."""
    dropped: int = 0
    """Copies that were not made, or came to nothing, because there was no room for them."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Differences by kind."""
    groups: dict[tuple[str, str], DifferenceGroup] = field(default_factory=dict)
    """Differences by shape and kind."""

    def compared(self, differing: Sequence[Difference], shape: str, at: float, record: int) -> None:
        """A copy is over, and this is in what its answer differed."""
        self.requests += 1
        self.same += not differing
        for difference in differing:
            self.kinds[difference.kind] += 1
            key = (shape, difference.kind)
            if key not in self.groups and len(self.groups) >= MOST:
                key = (REST, difference.kind)
            group = self.groups.setdefault(key, DifferenceGroup())
            group.count += 1
            group.at, group.real, group.copy, group.record = at, difference.real, difference.copy, record


def no_answer(real: Said, why: str) -> tuple[Difference, ...]:
    """The difference of a copy that got no answer."""
    return (Difference(NO_ANSWER, str(real.status), why),)
