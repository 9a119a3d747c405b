"""One process writes a site file; another one says that it does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from proxy_core.control.door.site_lock import SiteLock
from proxy_core.control.editing.commands import Applied, Refused, Set
from proxy_core.control.editing.history import journal_of
from proxy_core.control.engine import Engine
from tests.control.harness import serving, submitted

SITE = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

[[routes]]
path = "/"
proxy = "http://127.0.0.1:9"
"""
NAME = ("site", "server_name")


def test_the_lock_is_one_processes_and_goes_with_it(tmp_path: Path) -> None:
    place = tmp_path / "state" / "writer"
    code = (
        "import sys; from pathlib import Path; from proxy_core.control.door.site_lock import SiteLock\n"
        "print(SiteLock(Path(sys.argv[1])).take(), flush=True); sys.stdin.read()"
    )
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(place)], **ends) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "None\n"
        ours = SiteLock(place)
        problem = ours.take()
        assert problem is not None
        assert f"process {holder.pid}" in problem.what
        holder.kill()
        holder.wait(10)
    assert ours.take() is None
    assert ours.take() is None
    ours.drop()


def test_where_no_lock_can_be_nobody_is_kept_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert SiteLock(tmp_path / "file" / "writer").take() is None


async def test_the_second_on_a_file_follows_it_refuses_edits_and_takes_over(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    async with serving(file) as (first, _):
        second = Engine(file)
        await second.start()
        journal = journal_of(file)
        await first._editor.saver.flush()
        written = journal.read_bytes()
        refused = await submitted(second, Set(NAME, "theirs"))
        assert isinstance(refused, Refused)
        assert "serves this site file" in refused.problems[0].what
        assert refused.problems[0] in second.problems()
        assert file.read_text() == SITE
        assert isinstance(await submitted(first, Set(NAME, "ours")), Applied)
        await first._editor.saver.flush()
        async with asyncio.timeout(10):
            while second.site().site.site.server_name != "ours":
                await asyncio.sleep(0.05)
        assert journal.read_bytes().count(b"\n") == written.count(b"\n") + 1
    async with asyncio.timeout(10):
        while second._editor.read_only is not None:
            await asyncio.sleep(0.05)
    assert second.history()[-1].sentence == "took over from another process"
    assert isinstance(await submitted(second, Set(NAME, "mine")), Applied)
    await second.stop(0)
    assert 'server_name = "mine"' in file.read_text()
