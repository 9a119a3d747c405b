"""Results as JSON: what was measured, of which commit, when, and on which machine.

A result goes to ``benchmarks/results``, which is this machine's alone. One that is worth keeping goes to the folder
``kept`` beside it (``--keep``), which is part of the project; ``plot`` draws what is there.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders import commit
from benchmarks.machine import CORES, ROOT

SCRATCH, KEPT = ROOT / "benchmarks" / "results", ROOT / "benchmarks" / "kept"


def write(what: str, result: dict[str, Any], path: Path | None = None, keep: bool = False) -> Path:
    now = time.gmtime()
    head = {
        "what": what,
        "commit": commit(ROOT),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": len(CORES)},
    }
    name = f"{time.strftime('%Y%m%d-%H%M%S', now)}-{what}-{head['commit']}.json"
    path = path or (KEPT if keep else SCRATCH) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = json.loads(json.dumps({**head, **result}), parse_float=lambda text: round(float(text), 2))
    path.write_text(json.dumps(rounded) + "\n")
    return path
