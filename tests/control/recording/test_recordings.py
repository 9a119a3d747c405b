"""A service records what it does: told where it cannot, opened anew by a swap, and there after kill -9."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path

from proxy_core.control.editing.commands import Applied, Change, Delete, Insert, Set
from proxy_core.control.recording.schema import TABLES
from tests.control.harness import get, member, serving, site_with, submitted
from tests.control.recording.harness import asked, integrity
from tests.waiting import until

SECRET = {"id": "s", "on": "request", "name": "Authorization", "value": "h1dden-value"}


async def test_a_service_records_requests_numbers_edits_and_events(tmp_path: Path) -> None:
    file, path = tmp_path / "site.toml", tmp_path / "site.rec"
    async with member() as port:
        file.write_text(site_with(port, more='[recording]\nfile = "site.rec"\n'))
        async with serving(file) as (engine, front):
            await get(front, "/a?token=x1y2z3", "Cookie: hidden=1\r\n")
            await submitted(engine, Set(("balancers", "b", "members", "m0", "weight"), 5.0))
            await engine.submit(Change(edits=(Insert(("headers",), SECRET),), sentence="set value to h1dden-value"))
            await get(front, "/b")
            await until(lambda: engine._recordings._second)
            assert engine.problems() == ()
    counts = {table: asked(path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    assert counts["requests"] == 2
    assert counts["generations"] == 3
    assert min(counts["seconds"], counts["events"]) > 0
    rows = asked(path, "SELECT target, status, route, balancer, member, generation, weight FROM requests ORDER BY row")
    assert rows == [("/a?token=(masked)", 200, "all", "b", "m0", 1, 1), ("/b", 200, "all", "b", "m0", 3, 1)]
    assert "weight = 5" in asked(path, "SELECT text FROM generations ORDER BY number")[-1][0]
    told = asked(path, "SELECT text FROM events WHERE kind = 'config_applied' UNION SELECT sentence FROM generations")
    assert [words for (words,) in told if "set value to (masked)" in words]
    assert b"hidden" not in path.read_bytes()
    assert b"h1dden" not in path.read_bytes()
    assert b"x1y2z3" not in path.read_bytes()


async def test_a_swap_begins_ends_and_moves_the_recording(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with())
    async with serving(file) as (engine, front):
        for table in ({"file": "one.rec"}, {"file": "two.rec"}, {"file": "two.rec", "sample": 20}):
            assert isinstance(await submitted(engine, Set(("recording",), table)), Applied)
            await get(front, f"/{table['file']}")
        await submitted(engine, Delete(("recording",)))
        await get(front, "/none")
        assert not engine._recordings.wanted
    assert asked(tmp_path / "one.rec", "SELECT target FROM requests") == [("/one.rec",)]
    assert asked(tmp_path / "two.rec", "SELECT target FROM requests") == [("/two.rec",)] * 2


async def test_what_cannot_be_recorded_is_a_problem_a_fault_and_a_metric(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    (tmp_path / "a.rec").write_text("another program's")
    file.write_text(site_with(more='[recording]\nfile = "a.rec"\n'))
    async with serving(file) as (engine, _):
        engine._recordings._writer.lose("requests", 7)  # type: ignore[union-attr]
        engine._recordings.close_second(engine.sight())
        await until(lambda: [each for each in engine.problems() if each.what.startswith("recording a.rec: it is no")])
        assert [each.address for each in engine.sight().faults] == [("recording", "file")]
        assert 'rproxy_recording_lost_total{table="requests"} 7.0\n' in engine.metrics_text()
        (tmp_path / "a.rec").unlink()
        await until(
            lambda: [each for each in engine.problems() if each.what == "recording a.rec: 7 requests were lost"]
        )
        engine.reopen_logs()
        assert engine._recordings.problems == ()


LATE = 1.0 + 3.0
"""Seconds that may be lost, with those for which a busy machine lets nobody run."""


async def test_kill_9_in_the_middle_of_traffic_loses_at_most_the_last_second(tmp_path: Path) -> None:
    file, path = tmp_path / "site.toml", tmp_path / "site.rec"
    file.write_text(site_with(more='[recording]\nfile = "site.rec"\nsample = 1000\n'))
    command = (sys.executable, "-m", "proxy_core.control.cli", str(file), "--control", str(tmp_path / "door.sock"))
    service = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert service.stdout is not None
    ready = (await service.stdout.readline()).decode()
    port = int(re.search(r":(\d+) ", ready)[1])  # type: ignore[index]
    answered: list[tuple[float, str]] = []
    end = time.time() + 2.0
    while time.time() < end:
        target = f"/{len(answered)}"
        await get(port, target)
        answered.append((time.time(), target))
        await asyncio.sleep(0.02)
    service.kill()
    killed = time.time()
    await service.wait()
    kept = {row[0] for row in asked(path, "SELECT target FROM requests")}
    assert kept
    assert {*kept} == {target for _, target in answered[: len(kept)]}, "what is lost is the last"
    lost = [at for at, _ in answered[len(kept) :]]
    assert not lost or killed - lost[0] < LATE, "no more than a machine that is busy is late by"
    assert integrity(path) == "ok"
