"""Numbers for Prometheus: the text exposition format 0.0.4, worked out when somebody reads it.

Nothing is counted for it: it spells what the data path counts anyway. Names follow Prometheus' conventions (base
units, ``_total`` for counters). Histograms are cut at powers of two of a microsecond, where buckets of ``bucket_of``
end too, so that no count is estimated. A series lives as long as its member or route, and ten minutes longer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from msgspec.structs import replace

from proxy_core.balance.member_state import MemberState
from proxy_core.config.model import Listener, Site
from proxy_core.config.model import Metrics as Settings
from proxy_core.control.view import ListenerState, Snapshot
from proxy_core.errors import Problem
from proxy_core.runtime.recorder import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.serve.listeners import ListenError, problem_of
from proxy_core.serve.metrics_listener import MetricsListener, serve_page

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

EDGES = range(9, 27)
"""Powers of two of a microsecond at which histograms are cut: 0.5 ms to 67 s."""


class MetricsText:
    """The page that a site's ``[metrics]`` wants. ``problem`` says why it is not there."""

    def __init__(self, text: Callable[[], str]) -> None:
        self.problem: Problem | None = None
        self.page: MetricsListener | None = None
        self._text = text
        self._failed: Settings | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, site: Site) -> None:
        """Open the page, or say why not: at the start, and again for as long as there is a problem."""
        self._failed = self.problem = None
        try:
            self.commit(await self.prepare(site), site)
        except ListenError as error:
            self._failed, self.problem = site.metrics, error.problems[0]

    async def prepare(self, site: Site) -> MetricsListener | None:
        """The page for a site to come: the one that is there where the address stays, none where opening it has failed
        already. Raises ListenError."""
        settings = site.metrics
        if settings is None or settings == self._failed:
            return None
        if self.page is not None and self.page.address == settings.address:
            return self.page
        try:
            return await serve_page(settings.address, "/metrics", CONTENT_TYPE, self._text)
        except (OSError, ValueError) as error:
            problem = problem_of("metrics", Listener(address=settings.address), error)
            raise ListenError((replace(problem, address=("metrics", "address")),)) from error

    async def discard(self, page: MetricsListener | None) -> None:
        """The prepared site is not applied."""
        if page is not None and page is not self.page:
            await page.close()

    def commit(self, page: MetricsListener | None, site: Site) -> None:
        """The prepared page is in force."""
        old, self.page = self.page, page
        if site.metrics != self._failed:
            self._failed = self.problem = None
        if old is not None and old is not page:
            closing = asyncio.create_task(old.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        if self.page is not None:
            await self.page.close()
        await asyncio.gather(*self._closing)


Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""What is appended to the family's name, labels, value."""


def exposition(snapshot: Snapshot, recorder: Recorder, registry: Registry) -> str:
    """The whole page."""
    return "".join(
        (
            *_family("generation", "gauge", "Generation of the site in force.", [("", {}, snapshot.generation)]),
            *_family("uptime_seconds", "gauge", "Seconds since the start.", [("", {}, snapshot.uptime)]),
            *_family("loop_lateness_seconds", "gauge", "How late the event loop was at worst in the last second.",
                     [("", {}, snapshot.lateness)]),
            *_family("connections", "gauge", "Open connections of clients, by listener.",
                     _by_listener(snapshot, lambda each: each.connections)),
            *_family("connections_turned_away_total", "counter",
                     "Connections that ended before HTTP, by listener: no PROXY header, no handshake, or too late.",
                     _by_listener(snapshot, lambda each: each.turned_away)),
            *_family("requests_in_flight", "gauge", "Requests that are not finished.", [("", {}, snapshot.in_flight)]),
            *_family("requests_total", "counter", "Finished requests, by class of their status.",
                     _classes({}, recorder.classes)),
            *_family("request_duration_seconds", "histogram", "From the head of a request to the end of its answer.",
                     _histogram({}, dict(enumerate(recorder.histogram)), recorder.spent)),
            *_family("limit_reached_total", "counter", "How often each limit turned somebody away.",
                     [("", {"limit": name}, count) for name, count in snapshot.limited.items()]),
            *_routes(recorder, registry),
            *_members(snapshot, registry),
        )
    )  # fmt: skip


def _routes(recorder: Recorder, registry: Registry) -> Iterator[str]:
    tallies = [({"list": rows, "route": name}, tally) for (rows, name), tally in recorder.routes.items()]
    hits = [("", {"list": rows, "route": name}, state.hits) for (rows, name), state in registry.rules.items()]
    yield from _family("route_hits_total", "counter", "Requests that a row took part in, by its list and id.", hits)
    yield from _family("route_requests_total", "counter", "Finished requests by route and class of their status.",
                       [s for labels, tally in tallies for s in _classes(labels, tally.classes)])  # fmt: skip
    yield from _family("route_sent_bytes_total", "counter", "Body bytes sent to clients.",
                       [("", labels, tally.sent) for labels, tally in tallies])  # fmt: skip
    yield from _family("route_received_bytes_total", "counter", "Body bytes received from clients.",
                       [("", labels, tally.received) for labels, tally in tallies])  # fmt: skip
    yield from _family("route_duration_seconds", "histogram", "From the head of a request to the end of its answer.",
                       [s for labels, tally in tallies for s in _histogram(labels, tally.histogram, tally.seconds)],
                       )  # fmt: skip


_MEMBER_COUNTERS = (
    ("member_elected_total", "elected", "Attempts that a member was chosen for."),
    ("member_errors_total", "errors", "Connections and answers that failed."),
    ("member_retries_total", "retries", "Requests sent again because their connection broke."),
    ("member_ejections_total", "ejections", "Times that a member was ejected for bad answers."),
    ("member_sent_bytes_total", "sent", "Bytes sent to a member."),
    ("member_received_bytes_total", "received", "Bytes received from a member."),
)
"""Name, field of the member's state, meaning."""


def _members(snapshot: Snapshot, registry: Registry) -> Iterator[str]:
    states = [(_labels(state), state) for state in registry.members.values()]
    now = [({"balancer": load.balancer, "member": load.member}, load) for load in snapshot.members]
    yield from _family("member_in_flight", "gauge", "Requests that a member has.",
                       [("", labels, state.busy) for labels, state in states])  # fmt: skip
    yield from _family("member_weight", "gauge", "Weight of a member in force.",
                       [("", labels, load.weight) for labels, load in now])  # fmt: skip
    yield from _family("member_up", "gauge",
                       "1 for a member that is enabled and in no trouble that anybody has met.",
                       [("", labels, load.status == "enabled" and load.well)
                        for labels, load in now])  # fmt: skip
    yield from _family("member_check_passed", "gauge", "1 where the last health check passed.",
                       [("", labels, load.check.passed) for labels, load in now if load.check and load.check.at],
                       )  # fmt: skip
    for name, field, meaning in _MEMBER_COUNTERS:
        yield from _family(name, "counter", meaning, [("", labels, getattr(state, field)) for labels, state in states])
    yield from _family("member_requests_total", "counter", "Finished requests by member and class of their status.",
                       [s for labels, state in states for s in _classes(labels, state.classes)])  # fmt: skip
    yield from _family("member_duration_seconds", "histogram", "From the head of a request to the end of its answer.",
                       [s for labels, state in states
                        for s in _histogram(labels, dict(enumerate(state.histogram)), state.seconds)])  # fmt: skip


def _labels(state: MemberState) -> Labels:
    return {"balancer": state.key.balancer, "member": state.key.member}


def _classes(labels: Labels, classes: list[int]) -> list[Sample]:
    return [("", {**labels, "class": f"{digit}xx"}, classes[digit]) for digit in range(1, 6)]


def _histogram(labels: Labels, buckets: Mapping[int, int], seconds: float) -> list[Sample]:
    """Bucket ``b`` of ``bucket_of`` ends below 2 to the power of e microseconds just when b < 8 * (e - 3)."""
    below = [0] * len(EDGES)
    total = 0
    for bucket, count in buckets.items():
        total += count
        place = max(0, bucket // 8 + 4 - EDGES.start)
        if count and place < len(below):
            below[place] += count
    samples: list[Sample] = []
    so_far = 0
    for exponent, count in zip(EDGES, below, strict=True):
        so_far += count
        samples.append(("_bucket", {**labels, "le": repr(2**exponent / 1e6)}, so_far))
    return [
        *samples,
        ("_bucket", {**labels, "le": "+Inf"}, total),
        ("_sum", labels, seconds),
        ("_count", labels, total),
    ]


def _by_listener(snapshot: Snapshot, of: Callable[[ListenerState], int]) -> list[Sample]:
    """One that drains may have the name of the one that takes its place: their numbers are one."""
    counts = Counter[str]()
    for each in snapshot.listeners:
        counts[each.name] += of(each)
    return [("", {"listener": name}, count) for name, count in counts.items()]


def _family(
    name: str, kind: Literal["counter", "gauge", "histogram"], meaning: str, samples: Iterable[Sample]
) -> Iterator[str]:
    yield f"# HELP rproxy_{name} {meaning}\n# TYPE rproxy_{name} {kind}\n"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"rproxy_{name}{suffix}{f'{{{pairs}}}' if pairs else ''} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
