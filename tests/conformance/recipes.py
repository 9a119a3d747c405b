"""Configurations as people write them: recipes, put together by chance, asked of httpd and of their import.

``python -m tests.conformance.recipes FROM TO`` asks those of these numbers, and tells what differs. A recipe is a part
of a virtual host with requests that show what it does; a line "~" before a request says that its answer may be another
one, for it is told as lost or differs on purpose (docs/semantics.md). The last recipe of a configuration says what
becomes of all other paths. The rule that is held: whatever differs is told as lost, and where nothing is lost nothing
differs.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy_core.apache.report import ReportLine
from tests.conformance.importing import Case, asked, both, case, filled, members

_PARTS = re.split(r"^##### (.+)\n", (Path(__file__).parent / "recipes.txt").read_text(), flags=re.MULTILINE)[1:]
RECIPES = dict(zip(_PARTS[::2], map(case, _PARTS[1::2]), strict=True))
_REST = [name for name in RECIPES if name.startswith("all-")]

_FRAME = """DocumentRoot @folder@/www
<Directory @folder@>
Options FollowSymLinks
AllowOverride None
Require all granted
</Directory>
{main}
<VirtualHost *>
ServerName a.test
ServerAlias www.a.test short.test
{first}
</VirtualHost>
<VirtualHost *>
ServerName other.test
{second}
</VirtualHost>
"""


class Mixed(NamedTuple):
    """A configuration, with the names of its recipes."""

    names: list[str]
    case: Case


def mixed(number: int) -> Mixed:
    """The configuration of this number, always the same."""
    dice = random.Random(number)
    others = [name for name in RECIPES if name not in _REST]
    first = [*dice.sample(others, dice.randint(2, 6)), dice.choice(_REST)]
    second = [*dice.sample(others, dice.randint(0, 2)), dice.choice(_REST)]
    main = [name for name in dice.sample(others, 1) if dice.random() < 0.2 and not _of_hosts(name)]
    files: dict[str, str] = {"users": RECIPES["basic-auth"].files["users"]}
    requests: list[str] = []
    differs: dict[int, str] = {}
    for names, host in ((main, "a.test"), (first, "a.test"), (second, "other.test")):
        for name in names:
            files |= RECIPES[name].files
            for at, request in enumerate(RECIPES[name].requests):
                if at in RECIPES[name].differs:
                    differs[len(requests)] = RECIPES[name].differs[at]
                requests.append(request if "Host:" in request else _with_host(request, host))
    parts = {"main": main, "first": first, "second": second}
    conf = _FRAME.format(**{key: "\n".join(RECIPES[name].conf for name in names) for key, names in parts.items()})
    return Mixed([*main, *first, "|", *second], Case(conf, requests, files, differs))


def _of_hosts(name: str) -> bool:
    """Whether a recipe takes every path, so that none of a host is left."""
    return "ProxyPassMatch" in RECIPES[name].conf or "<Location />" in RECIPES[name].conf


def _with_host(request: str, host: str) -> str:
    line, *fields = request.split(" | ")
    return " | ".join([line, f"Host: {host}", *fields])


def differences(made: Mixed, ports: Mapping[str, int], losses: list[ReportLine]) -> list[str]:
    """Requests that are answered in another way and may not be, with both answers; ``losses`` is told what is lost."""
    found = []
    with both(made.case, ports, losses) as (theirs, ours):
        for number, row in enumerate(made.case.requests):
            if number in made.case.differs:
                continue
            request = filled(row, ports, Path())
            httpds, mine = (_told(asked(each["http"], request)) for each in (theirs, ours))
            if httpds != mine:
                lines = [f"  - {line!r}" for line in httpds if line not in mine]
                found.append("\n".join([row, *lines, *(f"  + {line!r}" for line in mine if line not in httpds)]))
    return found


def _told(lines: list[str]) -> list[str]:
    """What came of a request without the page of a redirect, which a folder's has not here."""
    return lines[:-1] if lines[0].startswith("3") else lines


def main() -> None:
    start, end = map(int, sys.argv[1:])
    asked_all = silent = told = 0
    with members() as ports:
        for number in range(start, end):
            made, losses = mixed(number), list[ReportLine]()
            try:
                found = differences(made, ports, losses)
            except Exception as error:  # the next one is asked all the same
                found = [f"{type(error).__name__}: {str(error)[-400:]}"]
            asked_all += len(made.case.requests)
            silent += len(found) * (not losses)
            told += len(found) * bool(losses)
            if found:
                print(
                    f"== {number}: {' '.join(made.names)}",
                    *(f"lost: {loss.text}: {loss.why}" for loss in losses),
                    *found,
                    sep="\n",
                )
    print(f"{asked_all} requests of {end - start} configurations: {silent} differ, {told} more beside something lost")


if __name__ == "__main__":
    main()
