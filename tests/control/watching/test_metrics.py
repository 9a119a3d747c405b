"""The metrics page, read by Prometheus' own parser, on a proxy that serves."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy_core.balance.latency_histogram import BUCKETS, bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.config.editing.site_edits import Delete, Set
from proxy_core.control.editing.commands import Applied, Refused
from proxy_core.control.engine import Engine
from proxy_core.control.view import ListenerState
from proxy_core.control.watching.events import Sight
from proxy_core.control.watching.metrics import EDGES, exposition
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.route_tally import CodedTally
from tests.control.harness import get, member, serving, site_with, submitted
from tests.ports import free_port
from tests.screens.fake import FakeEngine
from tests.waiting import until

METRICS = '\n[metrics]\naddress = "127.0.0.1:0"\n'
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    """Every sample by name and sorted labels, after the parser's own checks and a few of Prometheus' rules."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total")
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def page_port(engine: Engine) -> int:
    page = engine.metrics.page
    assert page is not None
    return page.port


async def scraped(engine: Engine) -> Samples:
    status, text = await get(page_port(engine), "/metrics")
    assert status == 200
    return parsed(text)


def histograms(samples: Samples) -> Iterator[tuple[list[tuple[float, float]], float]]:
    """Each histogram: its buckets in the order of their edges, and its count."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            groups.setdefault((name.removesuffix("_bucket"), rest), []).append((float(dict(labels)["le"]), value))
    for (name, rest), buckets in groups.items():
        yield sorted(buckets), samples[f"{name}_count", rest]


async def test_what_was_served_is_on_the_page_by_route_member_and_class(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port, more=METRICS))
        async with serving(file) as (engine, own):
            for _ in range(3):
                await get(own, "/x")
            await get(own, "*")
            samples = await scraped(engine)
            who = (("balancer", "b"), ("member", "m0"))
            assert samples["rproxy_member_elected_total", who] == 3
            assert samples["rproxy_member_up", who] == 1
            assert samples["rproxy_member_in_flight", who] == 0
            assert samples["rproxy_member_requests_total", (who[0], ("class", "2xx"), who[1])] == 3
            route = (("list", "routes"), ("route", "all"))
            assert samples["rproxy_route_requests_total", (("class", "2xx"), *route)] == 3
            assert samples["rproxy_route_sent_bytes_total", route] == 3 * len("m /x")
            assert samples["rproxy_route_hits_total", route] == 3
            assert samples["rproxy_request_duration_seconds_count", ()] == engine.snapshot().requests
            for buckets, count in histograms(samples):
                values = [value for _, value in buckets]
                assert values == sorted(values)
                assert buckets[-1] == (float("inf"), count)


async def test_no_counter_goes_down_when_the_site_is_edited(tmp_path: Path) -> None:
    """Prometheus takes one that did for a restart, and its rates show a peak that never was."""
    file = tmp_path / "site.toml"
    trusted = '\n[site]\ntrusted_proxies = ["192.0.2.0/24"]\n'
    m1, http = ("balancers", "b", "members", "m1"), ("listeners", "http")
    edits = (
        Set((*http, "proxy_protocol"), False),
        Set((*m1, "weight"), 3),
        Set((*http, "address"), f"127.0.0.1:{free_port()}"),
        Set(("routes", "all", "timeout"), 9),
        Delete(m1),
        Set(("balancers", "b", "method"), "bytraffic"),
    )
    async with member() as port, member() as other:
        file.write_text(site_with(port, other, more=f"proxy_protocol = true\n{trusted}{METRICS}"))
        async with serving(file) as (engine, own):
            with pytest.raises((ConnectionError, IndexError)):
                await get(own)
            await until(lambda: engine.snapshot().listeners[0].turned_away)
            before = await scraped(engine)
            for edit in edits:
                assert isinstance(await submitted(engine, edit), Applied), edit
                await until(lambda: len(engine.snapshot().listeners) == 1)
                for _ in range(3):
                    await get(engine.snapshot().listeners[0].port)
                after = await scraped(engine)
                counters = [key for key in before if key[0].endswith(("_total", "_bucket", "_sum", "_count"))]
                assert all(after[key] >= before[key] for key in counters), edit
                before = after
            assert before["rproxy_connections_turned_away_total", (("listener", "http"),)] == 1
            assert before["rproxy_requests_total", (("class", "2xx"),)] == 3 * len(edits)


async def test_routes_have_their_numbers_in_the_snapshot_too(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            for _ in range(5):
                await get(own, "/x")
            await until(lambda: engine.snapshot().routes[0].latency.p50 > 0)
            (load,) = engine.snapshot().routes
            assert (load.hits, load.requests, load.classes, load.in_flight) == (5, 5, (0, 5, 0, 0, 0), 0)
            assert load.sent == 5 * len("m0 /x") - 5
            assert load.rate > 0
            assert engine.snapshot().members[0].classes == (0, 5, 0, 0, 0)


async def test_limits_that_were_reached_are_in_the_snapshot_and_on_the_page(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port, more=f"{METRICS}\n[limits]\nrequest_line = 256\n"))
        async with serving(file) as (engine, own):
            assert (await get(own, "/" + "x" * 300))[0] == 414
            await submitted(engine, Set(("site", "deny"), ["127.0.0.0/8"]))
            assert (await get(own, "/"))[0] == 403
            assert engine.snapshot().limited == {"request_line": 1, "deny": 1}
            samples = await scraped(engine)
            assert samples["rproxy_limit_reached_total", (("limit", "deny"),)] == 1


async def test_what_became_of_the_site_file_is_on_the_page(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        text = site_with(port, more=METRICS)
        file.write_text(text)
        async with serving(file) as (engine, _):
            before = await scraped(engine)
            assert before["rproxy_config_last_reload_successful", ()] == 1
            assert before["rproxy_config_saved", ()] == 1
            taken = before["rproxy_config_last_reload_success_timestamp_seconds", ()]
            assert abs(taken - time.time()) < 60
            file.write_text("version = 1\n")
            await until(lambda: engine.snapshot().saved == "drift")
            refused = await scraped(engine)
            assert refused["rproxy_config_last_reload_successful", ()] == 0
            assert refused["rproxy_config_last_reload_success_timestamp_seconds", ()] == taken
            assert refused["rproxy_config_reloads_total", (("outcome", "refused"),)] == 1
            assert refused["rproxy_problems", (("severity", "error"),)] == 2
            file.write_text(text.replace('"/"', '"/new"'))
            await until(lambda: engine.snapshot().generation == 2)
            after = await scraped(engine)
            assert after["rproxy_config_last_reload_successful", ()] == 1
            assert after["rproxy_config_last_reload_success_timestamp_seconds", ()] > taken
            assert after["rproxy_config_reloads_total", (("outcome", "applied"),)] == 1
            assert after["rproxy_problems", (("severity", "error"),)] == 0


def test_listeners_certificates_maps_and_a_log_that_loses_are_on_the_page() -> None:
    web = ListenerState(
        name="web", address=":1", port=1, connections=0, draining=False, tls=True, expires=9.0, stale=True
    )
    numbers = MapState(name="m", type="txt", reads="m", hits=3, misses=2, errors=1, entries=0, changed_at=7.0,
                       fault="gone", last_error="gone", error_at=8.0)  # fmt: skip
    taken = Problem(what="its port is taken", address=("listeners", "other"))
    sight = Sight(listeners=(web,), maps=(numbers,), faults=(taken,), unwritten=5)
    samples = parsed(exposition(FakeEngine().snapshot(), sight, Recorder(), Registry()))
    listener, other, mapped = (("listener", "web"),), (("listener", "other"),), (("map", "m"),)
    expected = {
        ("listener_up", listener): 1, ("listener_up", other): 0,
        ("certificate_expiry_timestamp_seconds", listener): 9, ("certificate_last_reload_successful", listener): 0,
        ("map_lookups_total", (*mapped, ("outcome", "hit"))): 3, ("map_errors_total", mapped): 1,
        ("map_lookups_total", (*mapped, ("outcome", "miss"))): 2, ("map_up", mapped): 0,
        ("map_changed_timestamp_seconds", mapped): 7, ("access_log_lost_total", ()): 5,
    }  # fmt: skip
    assert {key: samples[f"rproxy_{key[0]}", key[1]] for key in expected} == expected


def test_what_was_coded_is_on_the_page_by_coding() -> None:
    recorder = Recorder(coded={"br": CodedTally(2, 1000, 90), "gzip": CodedTally(1, 10, 30)})
    page = parsed(exposition(FakeEngine().snapshot(), Sight(), recorder, Registry()))
    found = {name: (page[name, (("coding", "br"),)], page[name, (("coding", "gzip"),)]) for name in CODED}
    assert found == dict(zip(CODED, [(2, 1), (1000, 10), (90, 30)], strict=True))


CODED = ("rproxy_coded_answers_total", "rproxy_coded_plain_bytes_total", "rproxy_coded_bytes_total")


def test_names_that_need_escaping_come_back_as_they_were() -> None:
    registry = Registry()
    odd = 'a"b\\c\nd{e="f"}'
    registry.member(MemberKey("", odd)).elected = 7
    text = exposition(FakeEngine().snapshot(), Sight(), Recorder(), registry)
    assert parsed(text)["rproxy_member_elected_total", (("balancer", ""), ("member", odd))] == 7


def test_histograms_are_cut_where_buckets_end_so_that_nothing_is_estimated() -> None:
    """Each duration is counted at the first edge that is not below it (Prometheus: le is inclusive; a microsecond is
    as exact as our buckets are)."""
    recorder, chance = Recorder(), random.Random(4)
    durations = [chance.lognormvariate(-4, 3) for _ in range(2000)]
    for each in durations:
        recorder.histogram[bucket_of(each)] += 1
    assert len(recorder.histogram) == BUCKETS
    samples = parsed(exposition(FakeEngine().snapshot(), Sight(), recorder, Registry()))
    ((buckets, count),) = [found for found in histograms(samples) if found[1] == 2000]
    assert count == len(durations)
    for edge, value in buckets:
        assert value == sum(int(each * 1e6) < edge * 1e6 for each in durations), edge
    assert len(buckets) == len(EDGES) + 1


async def test_only_the_page_is_there_and_only_to_read(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with(free_port(), more=METRICS))
    async with serving(file) as (engine, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", page_port(engine))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"content-type: text/plain; version=0.0.4; charset=utf-8" in (await reader.read()).lower()
        writer.close()
        assert (await get(page_port(engine), "/"))[0] == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", page_port(engine))
        writer.write(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 405 ")
        writer.close()


async def test_the_page_comes_goes_and_stays_with_the_site(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with(free_port()))
    async with serving(file) as (engine, _):
        assert engine.metrics.page is None
        assert isinstance(await submitted(engine, Set(("metrics", "address"), "127.0.0.1:0")), Applied)
        first = page_port(engine)
        await scraped(engine)
        assert isinstance(await submitted(engine, Set(("balancers", "b", "members", "m0", "weight"), 2)), Applied)
        assert page_port(engine) == first
        assert isinstance(await submitted(engine, Delete(("metrics",))), Applied)
        with pytest.raises(ConnectionError):
            await get(first, "/metrics")


async def test_the_names_of_the_page_are_those_of_the_site_in_force(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with(free_port(), more=METRICS))

    async def answered(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: numbers.example\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
        return said[9:12]

    async with serving(file) as (engine, _):
        port = page_port(engine)
        assert await answered(port) == b"421"
        assert isinstance(await submitted(engine, Set(("metrics", "names"), ["numbers.example"])), Applied)
        assert page_port(engine) == port
        assert await answered(port) == b"200"


async def test_a_port_that_is_taken_refuses_the_edit_and_hinders_no_start(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as taken:
        wanted = f"127.0.0.1:{taken}"
        file.write_text(site_with(free_port(), more=METRICS))
        async with serving(file) as (engine, _):
            first = page_port(engine)
            result = await submitted(engine, Set(("metrics", "address"), wanted))
            assert isinstance(result, Refused)
            assert result.problems[0].address == ("metrics", "address")
            assert page_port(engine) == first
        file.write_text(site_with(free_port(), more=METRICS.replace("127.0.0.1:0", wanted)))
        async with serving(file) as (engine, own):
            assert (await get(own, "/"))[0] == 503
            assert any(problem.address == ("metrics", "address") for problem in engine.problems())
            weight = Set(("balancers", "b", "members", "m0", "weight"), 2)
            assert isinstance(await submitted(engine, weight), Applied), "what is wrong already must not refuse others"
            assert any(problem.address == ("metrics", "address") for problem in engine.problems())
