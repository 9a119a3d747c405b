"""What is copied is safe to paste: it holds no control character, and a command in it asks for the very bytes."""

from __future__ import annotations

import asyncio
import subprocess

import msgspec
import pytest

from proxy_core.config.model import Site
from proxy_core.control.editing.commands import Change, Set
from proxy_core.control.explaining.explanation import masked
from rproxy_tui.screens.inspector import as_curl
from rproxy_tui.widgets.request_log import as_line
from tests.poison import OBEYED, POISON, worst_site
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, until

HEAD = b"GET / HTTP/1.1\r\nX-A: \x1b]0;PWN\x07'\\n$(id)\x7f\xe9\xc3\xa91\r\n\r\n"


def test_a_copied_curl_is_printable_and_a_shell_reads_the_very_bytes_from_it() -> None:
    engine = FakeEngine()
    engine.advance(1)
    inspection = asyncio.run(engine.inspect(1))
    assert inspection is not None
    record = msgspec.structs.replace(inspection.record, target="/a?code=hush&b=1", cause="token=hush")
    came = masked(HEAD[:-2] + b"X-Auth-Token: hush\r\n\r\n", Site())
    line = as_curl(msgspec.structs.replace(inspection, record=record, request_head=came), None)
    assert "hush" not in line + as_line(record)
    assert "&b=1" in line
    assert line.isprintable()
    read = subprocess.run(["bash", "-c", f'set -- {line}; printf "%s\\0" "$@"'], capture_output=True, check=True)
    assert b"X-A: \x1b]0;PWN\x07'\\n$(id)\x7f\xe9\xc3\xa91" in read.stdout.split(b"\0")


@pytest.mark.parametrize("keys", [("2", "up", "Y"), ("2", "up", "enter", "Y"), ("2", "up", "enter", "c"), ("7", "Y")])
async def test_what_is_copied_holds_no_key_for_the_terminal_it_is_pasted_into(keys: tuple[str, ...]) -> None:
    engine = FakeEngine(worst_site())
    engine.advance(20)
    for at in (-1, -2):
        engine.ring[at] = msgspec.structs.replace(engine.ring[at], target=f"/{POISON}", cause=POISON)
    await engine.submit(Change(edits=(Set(("bans", "a", "note"), f"{POISON}2"),), sentence="note"))
    async with console(engine, (120, 40)) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: bool(pilot.app.clipboard), "something is copied")
        assert not OBEYED.search(pilot.app.clipboard), repr(pilot.app.clipboard)
        assert "PWN" in pilot.app.clipboard
        assert keys[0] == "7" or "\n" not in pilot.app.clipboard
