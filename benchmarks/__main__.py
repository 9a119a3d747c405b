"""The command line of the benchmarks: ``python -m benchmarks [cpu|profile|console|plot]``; see ``--help``."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import console, cpu, plot, profile
from benchmarks.contenders import contenders
from benchmarks.machine import CORES
from benchmarks.results import write
from benchmarks.rows import ROWS, Load


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if len(CORES) < 2:
        print("only one core: the load disturbs the proxy, and figures are worth little")
    with tempfile.TemporaryDirectory(prefix="rproxy-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        report, result = options.run(options, folder)
    print(report)
    if result:
        print(f"kept in {write(options.what, result, options.json, options.keep)}")


def _within(seconds: float) -> None:
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done after {seconds:.0f} s: given up"))
    signal.alarm(int(seconds))


def _cpu(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    rows = options.rows.split(",") if options.rows else list(ROWS)
    if unknown := [row for row in rows if row not in ROWS]:
        raise SystemExit(f"no row is called {', '.join(unknown)}; there are {', '.join(ROWS)}")
    found = contenders(options.only, options.against, options.python, options.recording)
    _within(120 + (options.rounds + 1) * len(rows) * len(found) * (options.seconds + 5))
    print("\n".join(f"{one.name}: {one.version}" for one in found))
    samples = cpu.measure(found, rows, options.rounds, options.seconds, folder)
    return cpu.table(samples), {"versions": {one.name: one.version for one in found}, "rows": samples}


def _console(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    _within(60 + options.rounds * 2 * (1.5 * options.seconds + 12))
    shown = console.Shown("attached" if options.attached else "console", options.keys)
    turns = console.measure(options.rounds, options.seconds, options.rate, shown, folder)
    return console.table(turns, options.rate), {
        "rate": options.rate,
        "keys": options.keys,
        "turns": {kind: [turn._asdict() for turn in seen] for kind, seen in turns.items()},
    }


def _profile(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    found = contenders("none", options.against, options.python)
    _within(120 + len(found) * (60 + (options.rounds + 1) * (options.seconds + 5)))
    print("\n".join(f"{one.name}: {one.version}" for one in found))
    profiles = profile.measure(found, options.row, options.rounds, options.seconds, folder)
    return profile.table(profiles), {"row": options.row, "profiles": profiles}


def _plot(options: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    return plot.draw(), {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the proxy costs.")
    kinds = parser.add_subparsers(dest="what", metavar="cpu|profile|console|plot")
    by_cpu = kinds.add_parser("cpu", help="CPU per request beside Apache, nginx, HAProxy and Caddy (the default)")
    by_cpu.set_defaults(run=_cpu)
    by_cpu.add_argument("--rows", help=f"those to measure, of {','.join(ROWS)}")
    by_cpu.add_argument("--rounds", type=int, default=5)
    by_cpu.add_argument("--seconds", type=float, default=2.0, help="of load for each row, contender and round")
    by_cpu.add_argument("--only", help="other proxies to compare with: apache,nginx,haproxy,caddy,floor; none for none")
    by_cpu.add_argument("--recording", action="store_true", help="the same with a recording as well")
    by_profile = kinds.add_parser("profile", help="where the time of a request goes, stage by stage")
    by_profile.set_defaults(run=_profile)
    plain = [row for row, each in ROWS.items() if each.what in (Load(), Load(body=1024))]
    by_profile.add_argument("--row", choices=plain, default="full")
    by_profile.add_argument("--rounds", type=int, default=3)
    by_profile.add_argument("--seconds", type=float, default=2.0, help="of load for each round")
    for one in (by_cpu, by_profile):
        one.add_argument("--against", action="append", metavar="TREE", help="another checkout as well; repeatable")
        one.add_argument("--python", action="append", metavar="PATH", help="what is installed for it; repeatable")
    by_console = kinds.add_parser("console", help="latency that an open console adds")
    by_console.set_defaults(run=_console)
    by_console.add_argument("--rounds", type=int, default=9, help="of two turns: headless, and with a console")
    by_console.add_argument("--seconds", type=float, default=8.0, help="of load for each turn")
    by_console.add_argument("--rate", type=float, default=300.0, help="requests a second")
    by_console.add_argument("--keys", default="2", help="what is pressed, a key a second: 1 dashboard, 2 traffic …")
    by_console.add_argument("--attached", action="store_true", help="one in a process of its own, through the door")
    for one in (by_cpu, by_profile, by_console):
        one.add_argument("--json", type=Path, metavar="FILE", help="where the result is written")
        one.add_argument("--keep", action="store_true", help="among the results that are part of the project")
    kinds.add_parser("plot", help="draw the kept results of cpu").set_defaults(run=_plot)
    arguments = sys.argv[1:]
    named = arguments[:1] and (arguments[0] in kinds.choices or arguments[0] in ("-h", "--help"))
    return parser.parse_args(arguments if named else ["cpu", *arguments])


if __name__ == "__main__":
    main()
