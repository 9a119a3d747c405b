"""``rproxy ctl -s site.rec``: a recording asked as a service is, by the handlers of the door, without a door.

It answers what asks and nothing that changes or waits. Nothing is written to it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from msgspec.json import decode

from proxy_core.control.door.answers import HANDLERS, Asked, Behind, OpenService, Refusal
from proxy_core.control.door.client import ENDPOINT_OF, Denied, DoorClient
from proxy_core.control.door.peers import Peer
from proxy_core.control.door.watch import Watch
from proxy_core.control.editing.commands import Refused
from proxy_core.control.recording.recorded_view import READ_ONLY, RecordedView
from proxy_core.control.view import EngineView

ANSWERED = frozenset(("details", "explain", "history", "inspect", "note", "preview", "records", "site", "snapshot",
                      "text", "what_if"))  # fmt: skip
"""The endpoints that a recording has answers for."""


class RecordedClient(DoorClient):
    """A client of the recording at ``path``. Raises Unreadable; its methods raise Denied."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._view = RecordedView(path)
        self._service = OpenService(
            behind=cast(Behind, cast(EngineView, self._view)), watch=cast(Watch, None), stop=lambda: None, upgrade=None
        )

    def close(self) -> None:
        self._view.close()

    def _ask(
        self, name: str, *, names: Mapping[str, str] | None = None, query: Any = None, body: bytes | None = None,
        on: int = 0,
    ) -> Any:  # fmt: skip
        if name not in ANSWERED:
            raise Denied(403, Refused(problems=(READ_ONLY,)))
        endpoint = ENDPOINT_OF[name]
        peer = Peer(uid=os.getuid(), gid=os.getgid(), pid=os.getpid(), name="", may_write=False)
        asked = Asked(
            peer=peer,
            names=dict(names or {}),
            query=query if query is not None or endpoint.query is None else endpoint.query(),
            body=decode(body, type=endpoint.body) if body and endpoint.body is not None else None,
            on=on,
        )
        try:
            return asyncio.run(_answer(self._service, name, asked))
        except Refusal as refusal:
            raise Denied(refusal.status, refusal.body) from None


async def _answer(service: OpenService, name: str, asked: Asked) -> Any:
    return await HANDLERS[name](service, asked)
