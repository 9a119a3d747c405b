"""Numbers for Prometheus: the text exposition format 0.0.4, worked out when somebody reads it; and two pages beside
them for who decides whether this process lives and gets requests.

Nothing is counted for it: it spells what the data path counts anyway. Names follow Prometheus' conventions (base
units, ``_total`` for counters). Histograms are cut at powers of two of a microsecond, where buckets of ``bucket_of``
end too, so that no count is estimated. A series lives as long as its member or route, and ten minutes longer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from proxy_core.balance.member_state import MemberState
from proxy_core.config.model import Listener, Site
from proxy_core.config.model import Metrics as Settings
from proxy_core.control.view import Snapshot
from proxy_core.control.watching.events import Sight
from proxy_core.errors import Problem
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.serve.listeners import ListenError, problem_of
from proxy_core.serve.listening_sockets import InheritedSockets

if TYPE_CHECKING:
    from proxy_core.serve.metrics_and_heartbeat_listeners import AuxiliaryListener, TextPage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"

EDGES = range(9, 27)
"""Powers of two of a microsecond at which histograms are cut: 0.5 ms to 67 s."""


class MetricsText:
    """The pages that a site's ``[metrics]`` wants: the numbers, whether the process lives, and whether requests should
    be sent to it, which ``unready`` has a reason against, or "". ``problem`` says why they are not there."""

    def __init__(self, text: Callable[[], str], unready: Callable[[], str]) -> None:
        self.problem: Problem | None = None
        self.page: AuxiliaryListener | None = None
        self.inherited = InheritedSockets()
        self._pages: dict[str, TextPage] = {
            "/metrics": (CONTENT_TYPE, lambda: (200, text())),
            "/healthz": (PLAIN, lambda: (200, "ok\n")),
            "/readyz": (PLAIN, lambda: (503, f"{why}\n") if (why := unready()) else (200, "ready\n")),
        }
        self._names: tuple[str, ...] = ()
        self._failed: Settings | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, site: Site) -> None:
        """Open the page, or say why not: at the start, and again for as long as there is a problem."""
        self._failed = self.problem = None
        try:
            self.commit(await self.prepare(site), site)
        except ListenError as error:
            self._failed, self.problem = site.metrics, error.problems[0]

    async def prepare(self, site: Site) -> AuxiliaryListener | None:
        """The page for a site to come: the one that is there where the address stays, none where opening it has failed
        already. Raises ListenError."""
        settings = site.metrics
        if settings is None or settings == self._failed:
            return None
        if self.page is not None and self.page.address == settings.address:
            return self.page
        from proxy_core.serve.metrics_and_heartbeat_listeners import serve_pages  # a server that most sites do without

        try:
            return await serve_pages(settings.address, self._pages, lambda: self._names, self.inherited)
        except (OSError, ValueError) as error:
            problem = problem_of("metrics", Listener(address=settings.address), error, self.inherited)
            raise ListenError((replace(problem, address=("metrics", "address")),)) from error

    async def discard(self, page: AuxiliaryListener | None) -> None:
        """The prepared site is not applied."""
        if page is not None and page is not self.page:
            await page.close()

    def commit(self, page: AuxiliaryListener | None, site: Site) -> None:
        """The prepared page is in force."""
        old, self.page = self.page, page
        self._names = site.metrics.names if site.metrics is not None else ()
        if site.metrics != self._failed:
            self._failed = self.problem = None
        if old is not None and old is not page:
            closing = asyncio.create_task(old.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        page, self.page = self.page, None
        if page is not None:
            await page.close()
        await asyncio.gather(*self._closing)


Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""What is appended to the family's name, labels, value."""
Family = tuple[str, Literal["counter", "gauge", "histogram"], str, Iterable[Sample]]
"""Name, kind, meaning, samples."""

MEMBER_COUNTERS = {
    "elected": ("member_elected_total", "Attempts that a member was chosen for."),
    "errors": ("member_errors_total", "Connections and answers that failed."),
    "retries": ("member_retries_total", "Requests sent again because their connection broke."),
    "ejections": ("member_ejections_total", "Times that a member was ejected for bad answers."),
    "sent": ("member_sent_bytes_total", "Bytes sent to a member."),
    "received": ("member_received_bytes_total", "Bytes received from a member."),
}
"""Name and meaning of what a MemberState counts under these names."""
DURATION = "From the head of a request to the end of its answer."


def exposition(snapshot: Snapshot, sight: Sight, recorder: Recorder, registry: Registry) -> str:
    """The whole page."""
    recorder.settle()
    families = (
        *_proxy(snapshot, recorder),
        *_events(sight),
        *_routes(recorder, registry),
        *_members(snapshot, registry),
        *_shadows(snapshot),
        *_cache(snapshot),
        *_coded(recorder),
    )
    return "".join(line for family in families for line in _spelled(*family))


def _proxy(snapshot: Snapshot, recorder: Recorder) -> Iterator[Family]:
    yield "generation", "gauge", "Generation of the site in force.", [("", {}, snapshot.generation)]
    yield "uptime_seconds", "gauge", "Seconds since the start.", [("", {}, snapshot.uptime)]
    meaning = "How late the event loop was at worst in the last second."
    yield "loop_lateness_seconds", "gauge", meaning, [("", {}, snapshot.lateness)]
    yield "connections", "gauge", "Open connections of clients, by listener.", _by_listener(snapshot, "connections")
    meaning = "Connections that ended before HTTP, by listener: no PROXY header, no handshake, or too late."
    yield "connections_turned_away_total", "counter", meaning, _by_listener(snapshot, "turned_away")
    yield "requests_in_flight", "gauge", "Requests that are not finished.", [("", {}, snapshot.in_flight)]
    classes = _classes({}, recorder.classes)
    yield "requests_total", "counter", "Finished requests, by class of their status.", classes
    durations = _histogram({}, dict(enumerate(recorder.histogram)), recorder.spent)
    yield "request_duration_seconds", "histogram", DURATION, durations
    limited = [("", {"limit": name}, count) for name, count in snapshot.limited.items()]
    yield "limit_reached_total", "counter", "How often each limit turned somebody away.", limited


def _events(sight: Sight) -> Iterator[Family]:
    """What the event log tells, as states and counts."""
    successful, saved = sight.saved != "drift", sight.saved == "saved"
    yield "config_last_reload_successful", "gauge", "0 while the site file on disk is refused.", [("", {}, successful)]
    meaning = "When a site was taken last."
    yield "config_last_reload_success_timestamp_seconds", "gauge", meaning, [("", {}, sight.loaded_at)]
    yield "config_saved", "gauge", "1 when the site in force is the file on disk.", [("", {}, saved)]
    meaning = "Requests that access logs did not get, counted once for each file."
    yield "access_log_lost_total", "counter", meaning, [("", {}, sight.unwritten)]
    unrecorded = [("", {"table": table}, count) for table, count in sight.unrecorded.items()]
    yield "recording_lost_total", "counter", "What the recording did not get, by its table.", unrecorded
    reloads = [("", {"outcome": outcome}, count) for outcome, count in sight.reloads.items()]
    yield "config_reloads_total", "counter", "What became of the site file when it was read again.", reloads
    problems = Counter(problem.severity for problem in (*sight.refused, *sight.faults, *sight.remarks))
    meaning = "Problems that are shown, but for those of members."
    yield "problems", "gauge", meaning, [("", {"severity": each}, problems[each]) for each in ("error", "warning")]
    up = Counter({each.address[1]: 0 for each in sight.faults if each.address[:1] == ("listeners",)})
    up.update(each.name for each in sight.listeners if not each.draining)
    yield "listener_up", "gauge", "1 for a listener that accepts.", [("", {"listener": n}, c) for n, c in up.items()]
    secure = [({"listener": each.name}, each) for each in sight.listeners if each.tls and not each.draining]
    meaning = "When the first certificate of a listener ends."
    yield "certificate_expiry_timestamp_seconds", "gauge", meaning, [("", key, each.expires) for key, each in secure]
    meaning = "0 while changed certificate files cannot be used."
    yield "certificate_last_reload_successful", "gauge", meaning, [("", key, not each.stale) for key, each in secure]
    maps = [({"map": each.name}, each) for each in sight.maps]
    hits = [("", {**key, "outcome": "hit"}, each.hits) for key, each in maps]
    misses = [("", {**key, "outcome": "miss"}, each.misses) for key, each in maps]
    yield "map_lookups_total", "counter", "Keys that rules looked up.", [*hits, *misses]
    yield "map_errors_total", "counter", "How often a map failed.", [("", key, each.errors) for key, each in maps]
    yield (
        "map_up",
        "gauge",
        "1 for a map that nothing is wrong with.",
        [("", key, not each.fault) for key, each in maps],
    )
    meaning = "What services said that were asked first; kept and shared are requests that needed no ask."
    outcomes = ("admitted", "refused", "failed", "kept", "shared")
    asks = [("", {"service": s.name, "outcome": o}, getattr(s, o)) for s in sight.services for o in outcomes]
    yield "forward_auth_total", "counter", meaning, asks
    sound = [("", {"service": each.name}, not each.fault) for each in sight.services]
    yield "forward_auth_up", "gauge", "0 where the last ask of a service had no answer that counts.", sound
    changed = [("", key, each.changed_at) for key, each in maps if each.changed_at]
    yield "map_changed_timestamp_seconds", "gauge", "When the file of a map was changed last.", changed


def _routes(recorder: Recorder, registry: Registry) -> Iterator[Family]:
    tallies = [({"list": rows, "route": name}, tally) for (rows, name), tally in recorder.routes.items()]
    hits = [("", {"list": rows, "route": name}, state.hits) for (rows, name), state in registry.rules.items()]
    classes = [sample for labels, tally in tallies for sample in _classes(labels, tally.classes)]
    sent = [("", labels, tally.sent) for labels, tally in tallies]
    received = [("", labels, tally.received) for labels, tally in tallies]
    durations = [s for labels, tally in tallies for s in _histogram(labels, tally.histogram, tally.seconds)]
    yield "route_hits_total", "counter", "Requests that a row took part in, by its list and id.", hits
    yield "route_requests_total", "counter", "Finished requests by route and class of their status.", classes
    yield "route_sent_bytes_total", "counter", "Body bytes sent to clients.", sent
    yield "route_received_bytes_total", "counter", "Body bytes received from clients.", received
    yield "route_duration_seconds", "histogram", DURATION, durations


def _members(snapshot: Snapshot, registry: Registry) -> Iterator[Family]:
    states = [(_labels(state), state) for state in registry.members.values()]
    now = [({"balancer": load.balancer, "member": load.member}, load) for load in snapshot.members]
    busy = [("", labels, state.busy) for labels, state in states]
    up = [("", labels, load.status == "enabled" and load.well) for labels, load in now]
    passed = [("", labels, load.check.passed) for labels, load in now if load.check and load.check.at]
    yield "member_in_flight", "gauge", "Requests that a member has.", busy
    yield "member_weight", "gauge", "Weight of a member in force.", [("", labels, load.weight) for labels, load in now]
    yield "member_up", "gauge", "1 for a member that is enabled and in no trouble that anybody has met.", up
    drained = [("", labels, load.drained) for labels, load in now]
    yield "member_drained", "gauge", "1 for a member that is safe to stop.", drained
    yield "member_check_passed", "gauge", "1 where the last health check passed.", passed
    for counted, (name, meaning) in MEMBER_COUNTERS.items():
        yield name, "counter", meaning, [("", labels, getattr(state, counted)) for labels, state in states]
    classes = [sample for labels, state in states for sample in _classes(labels, state.classes)]
    histograms = ((labels, dict(enumerate(state.histogram)), state.seconds) for labels, state in states)
    yield "member_requests_total", "counter", "Finished requests by member and class of their status.", classes
    yield "member_duration_seconds", "histogram", DURATION, [s for each in histograms for s in _histogram(*each)]


def _coded(recorder: Recorder) -> Iterator[Family]:
    coded = [({"coding": coding}, tally) for coding, tally in recorder.coded.items()]
    yield "coded_answers_total", "counter", "Answers that were coded.", [("", key, each.answers) for key, each in coded]
    meaning = "Bytes of their bodies before."
    yield "coded_plain_bytes_total", "counter", meaning, [("", key, each.plain) for key, each in coded]
    meaning = "Bytes of their bodies after."
    yield "coded_bytes_total", "counter", meaning, [("", key, each.coded) for key, each in coded]


def _shadows(snapshot: Snapshot) -> Iterator[Family]:
    shadows = [({"route": load.route}, load) for load in snapshot.shadows]
    counts = [("", labels, load.requests) for labels, load in shadows]
    kinds = [
        ("", {**labels, "kind": kind.replace(" ", "_")}, count)
        for labels, load in shadows
        for kind, count in load.kinds.items()
    ]
    dropped = [("", labels, load.dropped) for labels, load in shadows]
    yield "shadow_requests_total", "counter", "Copies of requests that are over, by route.", counts
    meaning = "In what answers to copies differed from the real ones: status, length, body, no answer, or a field."
    yield "shadow_differences_total", "counter", meaning, kinds
    yield "shadow_dropped_total", "counter", "Copies for which there was no room.", dropped


def _cache(snapshot: Snapshot) -> Iterator[Family]:
    load = snapshot.cache
    if load is None:
        return
    served = [("", {"served": word}, count) for word, count in load.served.items()]
    kept = [("", {"outcome": "kept"}, load.kept), ("", {"outcome": "not_kept"}, load.unkept)]
    gone = [("", {"why": "room"}, load.evicted), ("", {"why": "purged"}, load.purged)]
    held = [("", {"where": "memory"}, load.memory), ("", {"where": "files"}, load.files)]
    yield "cache_requests_total", "counter", "Requests of routes with a cache, by how it served them.", served
    yield "cache_saved_bytes_total", "counter", "Bytes of bodies that no member was asked for.", [("", {}, load.saved)]
    yield "cache_answers_total", "counter", "Answers of members to requests that missed.", kept
    yield "cache_thrown_out_total", "counter", "Kept answers that were thrown out.", gone
    yield "cache_entries", "gauge", "Answers that are kept.", [("", {}, load.entries)]
    yield "cache_bytes", "gauge", "Bytes that kept answers take.", held


def _labels(state: MemberState) -> Labels:
    return {"balancer": state.key.balancer, "member": state.key.member}


def _classes(labels: Labels, classes: list[int]) -> list[Sample]:
    return [("", {**labels, "class": f"{digit}xx"}, classes[digit]) for digit in range(1, 6)]


def _histogram(labels: Labels, buckets: Mapping[int, int], seconds: float) -> list[Sample]:
    """Bucket ``b`` of ``bucket_of`` ends below 2 to the power of e microseconds just when b < 8 * (e - 3)."""
    counts = [0] * (len(EDGES) + 1)
    for bucket, count in buckets.items():
        counts[min(max(0, bucket // 8 + 4 - EDGES.start), len(EDGES))] += count
    edges = [*(repr(2**exponent / 1e6) for exponent in EDGES), "+Inf"]
    below = [*accumulate(counts)]
    samples = [("_bucket", {**labels, "le": edge}, count) for edge, count in zip(edges, below, strict=True)]
    return [*samples, ("_sum", labels, seconds), ("_count", labels, below[-1])]


def _by_listener(snapshot: Snapshot, counted: str) -> list[Sample]:
    """One that drains may have the name of the one that takes its place: their numbers are one."""
    counts = Counter[str]()
    for each in snapshot.listeners:
        counts[each.name] += getattr(each, counted)
    return [("", {"listener": name}, count) for name, count in counts.items()]


def _spelled(
    name: str, kind: Literal["counter", "gauge", "histogram"], meaning: str, samples: Iterable[Sample]
) -> Iterator[str]:
    yield f"# HELP rproxy_{name} {meaning}\n# TYPE rproxy_{name} {kind}\n"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"rproxy_{name}{suffix}{f'{{{pairs}}}' if pairs else ''} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
