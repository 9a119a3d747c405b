"""What a request at the door says beside its body: the query, as the type that the table gives it, and the generation
that If-Match names. Whatever is not understood is refused in words; nothing here waits or keeps anything.
"""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web
from msgspec import ValidationError, convert

from proxy_core.control.door.answers import Refusal


def query_of(request: web.Request, kind: Any) -> Any:
    """The query, of the type that the table says; None where it says none. Raises Refusal."""
    if kind is None:
        return None
    try:
        return convert(dict(request.query), kind, strict=False)
    except ValidationError as error:
        raise Refusal(400, f"the query is not understood: {error}", "see docs/control.md") from None


def made_on(request: web.Request) -> int:
    """The generation of If-Match (RFC 9110 §13.1.1), 0 for any. Raises Refusal."""
    said = request.headers.get(hdrs.IF_MATCH, "*").strip()
    if said == "*":
        return 0
    number = said.strip('"')
    if not (number.isdecimal() and len(number) < 10 and int(number)):
        raise Refusal(400, f"If-Match is {said}", "give the generation, as an ETag says it")
    return int(number)
