"""The command line of the benchmarks: ``python -m benchmarks [cpu|console]``; see ``--help``."""

from __future__ import annotations

import argparse
import json
import platform
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import console, cpu
from benchmarks.contenders import contenders
from benchmarks.load import CASES
from benchmarks.machine import CORES, ROOT

RESULTS = ROOT / "benchmarks" / "results"


def main() -> None:
    options = _options()
    if options.what == "cpu":
        limit = 60 + (options.rounds + 1) * len(CASES) * 4 * (options.seconds + 2) + 4 * 15
    else:
        limit = 60 + options.rounds * 2 * (options.seconds + 10)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done after {limit:.0f} s: given up"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    signal.alarm(int(limit))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if len(CORES) < 2:
        print("only one core: the load disturbs the proxy, and figures are worth little")
    with tempfile.TemporaryDirectory(prefix="rproxy-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        report, result = (_cpu if options.what == "cpu" else _console)(options, folder)
    print(report)
    print(f"kept in {_keep(options.what, result)}")


def _cpu(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    found = [one for one in contenders() if options.only is None or one.name in ("rproxy", *options.only.split(","))]
    print(", ".join(f"{one.name} {one.version}" for one in found))
    samples = cpu.measure(found, options.rounds, options.seconds, folder)
    idle = {} if options.no_idle else cpu.idle_memory(found, folder)
    versions = {one.name: one.version for one in found}
    return cpu.table(samples, idle), {"versions": versions, "microseconds": samples, "idle_kib": idle}


def _console(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    turns = console.measure(options.rounds, options.seconds, options.rate, options.page, folder)
    return console.table(turns, options.rate), {
        "rate": options.rate,
        "page": options.page,
        "turns": {kind: [turn._asdict() for turn in seen] for kind, seen in turns.items()},
    }


def _keep(what: str, result: dict[str, Any]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{what}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": len(CORES)}
    path.write_text(json.dumps({"machine": machine, **result}, indent=2) + "\n")
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the proxy costs.")
    kinds = parser.add_subparsers(dest="what", metavar="cpu|console")
    by_cpu = kinds.add_parser("cpu", help="CPU per request beside Apache, nginx and HAProxy (the default)")
    by_cpu.add_argument("--rounds", type=int, default=5)
    by_cpu.add_argument("--seconds", type=float, default=2.0, help="of load for each case, contender and round")
    by_cpu.add_argument("--only", help="contenders to compare with: apache,nginx,haproxy")
    by_cpu.add_argument("--no-idle", action="store_true", help="leave out memory per idle connection")
    by_console = kinds.add_parser("console", help="latency that an open console adds")
    by_console.add_argument("--rounds", type=int, default=5)
    by_console.add_argument("--seconds", type=float, default=8.0, help="of load for each turn")
    by_console.add_argument("--rate", type=float, default=300.0, help="requests a second")
    by_console.add_argument("--page", default="2", help="the key of the page that is open: 1 dashboard, 2 traffic")
    arguments = sys.argv[1:]
    named = arguments[:1] in (["cpu"], ["console"], ["-h"], ["--help"])
    return parser.parse_args(arguments if named else ["cpu", *arguments])


if __name__ == "__main__":
    main()
