"""Where the time of a request goes, stage by stage, of this checkout and of others.

The stages are measured in process (``stages``), the whole request over real sockets as in the rows of ``cpu``. What is
left between the two is the event loop's, the sockets' and the kernel's. Of both the quickest is taken.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.contenders import Contender, Upstream, prepared, upstream
from benchmarks.machine import PROXY_CORE, ROOT, settle_on
from benchmarks.rows import ROWS, WORKS, Load

_RUN = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
"""So that the folder in which this runs comes first among those of modules, and not the one of ``stages``."""
REST = "loop, sockets, kernel"

Profile = dict[str, Any]
"""``request``: over sockets; ``whole``: in process; ``stages``: of that; ``missing``: names that are not there."""


def measure(found: list[Contender], row: str, rounds: int, seconds: float, folder: Path) -> dict[str, Profile]:
    samples = cpu.measure(found, [row], rounds, seconds, folder)
    with upstream(folder / "upstream") as to:
        return {
            one.name: {"request": min(samples[row][one.name]), **in_process(one, row, folder / one.name, to)}
            for one in found
        }


def in_process(contender: Contender, row: str, folder: Path, to: Upstream) -> Profile:
    commands, _ = prepared(contender, folder, to, WORKS[ROWS[row].work])
    load = ROWS[row].what
    assert isinstance(load, Load)
    python, site, stages = commands.run[0], commands.run[-1], str(ROOT / "benchmarks" / "stages.py")
    done = subprocess.run(
        [python, "-c", _RUN, stages, site, load.request().decode()], cwd=contender.home or folder,
        capture_output=True, text=True, timeout=120, check=False, preexec_fn=lambda: settle_on(PROXY_CORE),
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{contender.name} cannot be profiled:\n{done.stdout}{done.stderr}")
    told: Profile = json.loads(done.stdout.splitlines()[-1])
    return told


def table(profiles: dict[str, Profile]) -> str:
    """Microseconds of each stage and its share of the whole request."""
    lines = [f"{'µs of a request, and its share':<32}" + "".join(f"{name:>20}" for name in profiles)]
    stages = list(next(iter(profiles.values()))["stages"])
    columns = []
    for profile in profiles.values():
        rest, whole = profile["request"] - profile["whole"], profile["request"]
        found = {**profile["stages"], "in process": profile["whole"], REST: rest, "request": whole}
        columns.append({stage: (spent, spent / profile["request"]) for stage, spent in found.items()})
    for stage in (*stages, "in process", REST, "request"):
        cells = [f"{spent:>13.2f}{share:>7.1%}" for spent, share in (column[stage] for column in columns)]
        lines.append(f"{stage:<32}" + "".join(cells))
    lines += [
        f"{name} has no {missing}: its time is with the stage around it"
        for name, profile in profiles.items()
        for missing in profile["missing"]
    ]
    return "\n".join(lines)
