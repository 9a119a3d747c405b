"""What one may do with finished requests from a page that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from proxy_core.control.editing.commands import Change
from proxy_core.control.question import Inspection
from proxy_core.control.watching.har import har_text
from proxy_core.control.watching.log_records import Record
from proxy_core.rules.access.networks import seen_as
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.sentences import ban
from rproxy_tui.traces import keep_file, state_folder
from rproxy_tui.widgets.dialogs import Prompt


async def inspected(console: ConsoleVerbs, number: int) -> Inspection | None:
    """All that is known of a request, which is kept from now on; None where that cannot be had."""
    with suppress(OSError):  # of which the status line tells
        return await console.engine.inspect(number)
    return None


async def write_har(console: ConsoleVerbs, records: Sequence[Record]) -> None:
    """Write requests to a file in the state folder of the site, away from the loop, for that may take a second. Its
    path goes into the clipboard."""
    scheme = "https" if any(listener.tls for listener in console.snapshot.listeners) else "http"
    folder = state_folder(Path(console.state.file))
    try:
        text = await asyncio.to_thread(har_text, records, scheme)
        path = await asyncio.to_thread(keep_file, folder, "traffic-%Y%m%d-%H%M%S.har", text)
    except OSError as error:
        console.say(f"no HAR was written: {error.strerror or error}", "error")
    else:
        console.copy(str(path), f"the path of {path.name}, with {len(records):,} requests")


async def ban_client(console: ConsoleVerbs, client: str) -> None:
    """Keep a client out for as long as the person says."""
    now = console.engine.snapshot().at
    if not client:
        console.say("Nobody knows the client: there is nothing to ban.")
        return

    def command(span: str) -> Change | str:
        return ban(console.engine.site().site, client, span, now)

    question = f"Ban {seen_as(client)} for how long? 30m, 1h, 7d, or nothing for good"
    if change := await console.ask(Prompt(console.engine, question, "1h", command, over=True)):
        await console.do(change)
