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
RowId = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z",
        extra={"wanted": "a name of letters, digits, _ . and -", "example": "shop-1"},
        description="The row's name in the console, logs and commands; made from what the row says where it is "
        "missing. A row keeps its counters as long as it keeps its id.",
    ),
]
