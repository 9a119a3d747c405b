"""[recording]: what is kept of the last hours in a file, for who asks tomorrow what was wrong last night."""

from typing import Annotated

from msgspec import Meta

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import NonEmpty, example


class Recording(SiteTable, frozen=True, kw_only=True):
    """[recording]: requests, numbers, edits and events of the last hours, in a SQLite file that `sqlite3` asks and
    `rproxy-tui site.rec` opens. Its tables are in docs/recordings.md.

    [recording]
    file = "site.rec"
    keep = 172800           # two days
    size = 1073741824
    """

    file: Annotated[NonEmpty, example("site.rec")]
    """File to record to, relative to the site file. It is made with mode 0600 and never served. Another program's file
    is left alone. Each service needs one of its own: two that record to one file mix what they tell."""

    keep: Annotated[float, Meta(ge=60, le=31_622_400)] = 86_400.0
    """Seconds after which what was recorded is deleted."""

    size: Annotated[int, Meta(ge=1 << 22, le=1 << 40)] = 1 << 28
    """Bytes that the file has at most, with what SQLite keeps beside it; the oldest is deleted for what comes."""

    sample: Annotated[float, Meta(ge=4, le=100_000)] = 10.0
    """Requests a second above which those that went well and were quick are sampled: each that is recorded then stands
    for several, as its weight says. Errors and slow requests are always recorded."""
