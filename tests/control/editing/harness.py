"""An Editor over a temporary site file, without an engine: what the tests of editing share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy_core.config.model import Site
from proxy_core.config.reading.document import read
from proxy_core.control.editing.commands import Applied, Change, Command, Refused, Set
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.site_problems import check
from proxy_core.errors import Problem

SITE = """\
# my site
version = 1

[listeners.http]
address = "127.0.0.1:0"   # any port

# who is excepted
[[routes]]
id = "no-index"
path = "/service/index"
except = true

# what is served
[[routes]]
id = "service"
path = "/service"
proxy = "balancer://backend/service"

[balancers.backend.members.a]
url = "http://127.0.0.1:8000"
weight = 1   # the small one

[balancers.backend.members.b]
url = "http://127.0.0.1:8001"
"""
WEIGHT = ("balancers", "backend", "members", "a", "weight")


class Applying:
    """Stands for the engine: takes every site in, or refuses with ``refusals``."""

    def __init__(self) -> None:
        self.sites: list[tuple[Site, int]] = []
        self.refusals: tuple[Problem, ...] = ()

    async def __call__(self, site: Site, generation: int, force: bool) -> Refused | None:
        if not self.refusals:
            self.sites.append((site, generation))
        return Refused(problems=self.refusals) if self.refusals else None


@asynccontextmanager
async def editing(file: Path, apply: Applying | None = None) -> AsyncIterator[Editor]:
    document = read(file)
    editor = Editor(file, document, check(document), apply or Applying())
    running = asyncio.create_task(editor.saver.run())
    try:
        yield editor
    finally:
        running.cancel()


def weigh(weight: float) -> Change:
    return Change(edits=(Set(WEIGHT, weight),), sentence=f"set weight of backend/a to {weight}")


async def applied(editor: Editor, command: Command, author: str = "console") -> Applied:
    result = await editor.submit(command, author)
    assert isinstance(result, Applied), result
    return result
