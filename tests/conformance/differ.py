"""Both servers asked a case's requests, and every difference told: ``python -m tests.conformance.differ FILE...``

A file is one of ``imports`` or of ``corpus``, or another of their form (see ``importing.Case``). What was lost by the
import is told as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from proxy_core.apache.report import ReportLine
from tests.conformance.importing import Case, asked, both, case, filled, members


def differences(case: Case, ports: Mapping[str, int], losses: list[ReportLine] | None = None) -> list[str]:
    """What differs where nothing should, and what does not where something should; ``losses`` as in ``both``."""
    told = []
    with both(case, ports, losses) as (theirs, ours):
        for number, row in enumerate(case.requests):
            request = filled(row, ports, Path())
            apaches, mine = asked(theirs["http"], request), asked(ours["http"], request)
            if (apaches != mine) != (number in case.differs):
                lines = [f"  - {line!r}" for line in apaches if line not in mine]
                lines += [f"  + {line!r}" for line in mine if line not in apaches]
                told.append("\n".join([row, *(lines if apaches != mine else ["  the same, against expectation"])]))
    return told


def main() -> None:
    asked_all = differing = 0
    with members() as ports:
        for name in sys.argv[1:]:
            this, losses = case(Path(name).read_text()), list[ReportLine]()
            try:
                found = differences(this, ports, losses)
            except Exception as error:  # the next file is asked all the same
                found = [f"{type(error).__name__}: {error}"]
            asked_all, differing = asked_all + len(this.requests), differing + len(found)
            print(f"== {name}: {len(this.requests)} requests, {len(found)} to look at")
            print(*(f"lost: {loss.text}: {loss.why}" for loss in losses), *found, sep="\n", flush=True)
    print(f"{asked_all} requests, {differing} to look at")


if __name__ == "__main__":
    main()
