"""Types that all parts of the model share: names, ids of rows, spans of time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z",
        extra={"wanted": "a name of letters, digits, _ . and -", "example": "shop-1"},
    ),
]
Upgrade = Annotated[
    tuple[str, ...],
    Meta(
        extra={"example": ["websocket"]},
        description="Protocols that a connection may change to when the client and the upstream agree on it: "
        '["websocket"], or ["ANY"]. From then on bytes pass as they are. h2c is never granted. Targets of ws:// and '
        "wss:// allow websocket by themselves. Apache: upgrade=.",
    ),
]
MaxBody = Annotated[
    Annotated[int, Meta(ge=0, le=1 << 50)] | None,
    Meta(
        description="Bytes of a request body, instead of limits.body; a longer one gets 413. 0 sets no bound. Apache: "
        "LimitRequestBody.",
    ),
]
RowId = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z",
        extra={"wanted": "a name of letters, digits, _ . and -", "example": "shop-1"},
        description="The row's name in the console, logs and commands; made from what the row says where it is "
        "missing. A row keeps its counters as long as it keeps its id.",
    ),
]
