"""The benchmarks count what they say they count; their figures are for docs/performance.md, not for the suite."""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import cpu, load, plot, profile, remembering, results, stages
from benchmarks.configurations import Ends, site_file
from benchmarks.contenders import Upstream, certificate, commit, contenders, prepared
from benchmarks.machine import OTHER_CORE, ROOT, cpu_seconds, free_ports, memory_kib, running, tree, wait_for
from benchmarks.rows import ROWS, WORKS, Load, Work
from proxy_core.config.reading.document import read
from proxy_core.rules.lint.site import lint
from tests.programs import program

BUSY = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_cpu_time_of_a_tree_counts_children_that_live_and_that_died() -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}]); print(1, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert cpu_seconds(process.pid) >= 0.29
    assert memory_kib(process.pid) > 1_000
    process.communicate(b"\n", timeout=10)


def test_a_program_runs_on_its_core_and_is_gone_afterwards(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY + 'input()'!r}], stdin=0)"
    with running([sys.executable, "-c", child], OTHER_CORE, tmp_path) as pid:
        assert os.sched_getaffinity(pid) == {OTHER_CORE}
        assert pid in tree(pid)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_our_own_upstream_and_clients_agree_on_what_a_request_is(tmp_path: Path) -> None:
    program("openssl")
    port, secure = free_ports(2)
    places = [str(port), f"{secure}:{certificate(tmp_path)}"]
    with running([sys.executable, "-m", "benchmarks.upstream", *places], OTHER_CORE, tmp_path):
        wait_for(port, tmp_path)
        wait_for(secure, tmp_path)
        for row in ("get", "tls", "close", "messages"):
            what = ROWS[row].what
            assert isinstance(what, Load)
            assert load.own("closed", secure if what.secure else port, row, 0.1) > load.CONNECTIONS
        latencies = load.own("steady", port, 200.0, 0.5)
    assert len(latencies) == 100
    assert all(0 < latency < 5 for latency in latencies)


def test_ratios_are_taken_round_by_round() -> None:
    figures = {"rproxy": [10.0, 40.0, 30.0], "apache": [20.0, 80.0, 20.0]}
    assert cpu.ratios(figures, "apache") == [0.5, 0.5, 1.5]
    assert "0.50 (0.50-1.50)" in cpu.table({"get": figures})


@pytest.fixture(scope="module")
def to(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    program("openssl")
    return Upstream([8000, 8001], [8002, 8003], certificate(tmp_path_factory.mktemp("certificate")))


@pytest.mark.parametrize("work", [name for name in WORKS if len(WORKS[name].routes) < 100])
def test_the_site_of_each_work_is_sound(work: str, tmp_path: Path, to: Upstream) -> None:
    document = read(site_file(tmp_path, Ends(8080, 8443, *to), WORKS[work]))
    assert document.site is not None
    problems = [] if len(WORKS[work].rules) > 100 else lint(document.site)
    assert [str(problem) for problem in (*document.problems, *problems)] == []


def test_every_other_proxy_likes_its_configuration_with_all_that_a_work_may_have(tmp_path: Path, to: Upstream) -> None:
    everything = Work(("/secure/", "/app"), "/app/secret", WORKS["full"].rules + WORKS["fields"].rules, True, True)
    for contender in contenders()[1:]:
        folder = tmp_path / contender.name
        commands, _ = prepared(contender, folder, to, everything)
        done = subprocess.run(commands.check, cwd=contender.home or folder, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, f"{contender.name}: {done.stdout}{done.stderr}"


def test_a_checkout_runs_its_own_modules_and_no_other_folder_is_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no checkout of rproxy"):
        contenders("none", trees=[str(tmp_path)])
    with pytest.raises(SystemExit, match="cannot be run: No such file"):
        contenders("none", trees=[str(tmp_path / "nothing")])
    twice = contenders("none", trees=[str(ROOT), str(ROOT)], pythons=[sys.executable])
    assert [one.home for one in twice] == [ROOT, ROOT, ROOT, None]
    assert len({one.name for one in twice}) == 4


def test_the_functions_at_which_stages_begin_are_there() -> None:
    for names in stages.STAGES.values():
        for name in names:
            place, _, path = name.partition(":")
            assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(f"proxy_core.{place}")))


def test_time_is_charged_to_the_innermost_stage_that_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now[0])
    clock = stages.Clock()

    def spend(nanoseconds: int) -> None:
        now[0] += nanoseconds

    def outer() -> None:
        spend(3_000)
        inner()
        spend(4_000)

    inner = clock.wrapped("way", lambda: spend(5_000))
    for _ in range(2):
        clock.wrapped("flight", outer)()
    spend(9_000)
    found = clock.microseconds(2)
    assert (found["flight"], found["way"], sum(found.values())) == (7.0, 5.0, 12.0)


async def test_a_request_goes_through_the_engine_between_two_transports(
    tmp_path: Path, to: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "BATCHES", 20)
    monkeypatch.setattr(stages, "WARM_UP", 40)
    port, secure = free_ports(2)
    site = site_file(tmp_path, Ends(port, secure, *to), WORKS["full"])
    costs = await stages.run(site, Load().request(), stages.Clock())
    gc.unfreeze()
    assert costs.request > 0
    assert (tmp_path / "access.log").read_text().count('"GET /app/1k HTTP/1.1" 200') == 40 + 20 * stages.CONNECTIONS


def test_what_is_left_of_a_request_is_the_kernels() -> None:
    told = {"request": 100.0, "whole": 60.0, "stages": {"way": 45.0, "decided": 15.0}, "missing": ["serve.way:old"]}
    text = profile.table({"rproxy": told})
    assert [line.split()[-2:] for line in text.splitlines()[1:6]] == [
        ["45.00", "45.0%"], ["15.00", "15.0%"], ["60.00", "60.0%"], ["40.00", "40.0%"], ["100.00", "100.0%"]
    ]  # fmt: skip
    assert "rproxy has no serve.way:old" in text


def test_results_are_drawn_in_the_order_of_their_dates(tmp_path: Path) -> None:
    for date, ours in (("2026-02-01", 30.0), ("2026-01-01", 10.0)):
        result = {
            "what": "cpu",
            "commit": date[5:7],
            "date": date,
            "rows": {"get": {"rproxy": [ours], "apache": [20.0]}},
        }
        (tmp_path / f"{date}.json").write_text(json.dumps(result))
    plot.draw(tmp_path, tmp_path / "picture.svg")
    found = plot.series(json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert found == {"get": {"apache": [("01", 0.5), ("02", 1.5)]}}
    drawn = ElementTree.parse(tmp_path / "picture.svg").getroot()
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_a_result_says_of_which_commit_it_is(tmp_path: Path) -> None:
    path = results.write("cpu", {"rows": {"get": {"rproxy": [1.23456]}}}, tmp_path / "folder" / "result.json")
    told = json.loads(path.read_text())
    assert told["rows"] == {"get": {"rproxy": [1.23]}}
    assert told["commit"] == commit(ROOT)


@pytest.mark.soak
@pytest.mark.parametrize("site", remembering.SITES.values(), ids=remembering.SITES)
async def test_what_is_remembered_is_bounded_and_costs_little_where_nothing_comes_again(
    site: str, tmp_path: Path
) -> None:
    assert await remembering.ratio(site, tmp_path) < 1.06  # 1.03, and what a busy machine adds
    grown = await remembering.memory(site, tmp_path)
    assert grown[-1] - grown[4] < 1024
