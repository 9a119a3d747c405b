"""The benchmarks count what they say they count; their figures are for docs/performance.md, not for the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cpu, load
from benchmarks.contenders import Ends, certificate, contenders, site_file
from benchmarks.machine import OTHER_CORE, cpu_seconds, free_ports, memory_kib, running, tree, wait_for
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
        for name, case in load.CASES.items():
            assert load.own("closed", secure if case.secure else port, name, 0.2) > load.CONNECTIONS
        latencies = load.own("steady", port, 200.0, 0.5)
    assert len(latencies) == 100
    assert all(0 < latency < 5 for latency in latencies)


def test_ratios_are_taken_round_by_round() -> None:
    case = {"rproxy": [10.0, 40.0, 30.0], "apache": [20.0, 80.0, 20.0]}
    assert cpu.ratios(case, "apache") == [0.5, 0.5, 1.5]
    assert "rproxy / apache  0.50 (0.50-1.50)" in cpu.table({"1 KiB GET": case}, {})


def test_the_benchmarks_own_site_is_sound(tmp_path: Path) -> None:
    program("openssl")
    document = read(site_file(tmp_path, Ends(8080, 8443, [8000, 8001], [8002, 8003], certificate(tmp_path))))
    assert document.site is not None
    assert [str(problem) for problem in (*document.problems, *lint(document.site))] == []
    assert contenders()[0].name == "rproxy"
