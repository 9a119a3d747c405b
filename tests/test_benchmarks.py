"""The benchmarks count what they say they count; their figures are for docs/performance.md, not for the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cpu, load
from benchmarks.configurations import Ends, site_file
from benchmarks.contenders import Upstream, certificate, contenders, prepared
from benchmarks.machine import OTHER_CORE, cpu_seconds, free_ports, memory_kib, running, tree, wait_for
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


def test_every_proxy_that_is_there_likes_its_configuration_with_all_that_a_work_may_have(
    tmp_path: Path, to: Upstream
) -> None:
    everything = Work(("/secure/", "/app"), "/app/secret", WORKS["full"].rules + WORKS["fields"].rules, True, True)
    for contender in contenders():
        folder = tmp_path / contender.name
        commands, _ = prepared(contender, folder, to, everything)
        done = subprocess.run(commands.check, cwd=contender.home or folder, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, f"{contender.name}: {done.stdout}{done.stderr}"


def test_a_checkout_runs_its_own_modules_and_no_other_folder_is_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no checkout of rproxy"):
        contenders("none", trees=[str(tmp_path)])
    assert [one.name for one in contenders("none")] == ["rproxy"]
