"""What the shared cache makes of a request, in words: whether it goes past it, whether its answer would be kept or was
not, and for how long. By the functions that serving goes by, so what is told is what is done."""

from __future__ import annotations

from proxy_core.cache.freshness import AskedBy, judged
from proxy_core.cache.wishes import wishes_of
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.cache_key import personal
from proxy_core.serve.way import Way


def verdict(exchange: Exchange, way: Way) -> str:
    """What becomes of a request whose route has a cache; with the answer of a member, of that too."""
    method = way.view.method
    if method not in (b"GET", b"HEAD"):
        return f"past it: {method.decode('latin-1')} is not kept"
    wishes = wishes_of(way.fields.lines)
    if wishes.past or way.fields.length or way.fields.upgrade:
        return f"past it: {wishes.past or 'it has a body, or asks for another protocol'}"
    user = personal(exchange, wishes)
    if not exchange.answer:
        only = f", if it says public, s-maxage or must-revalidate, for {user}" if user else ""
        return f"on: a GET's answer is kept that says for how long{only}"
    served = f"{exchange.cache}: " if exchange.cache else ""
    lines = exchange.answer[:-4].split(b"\r\n")[1:]
    status = int(exchange.answer[9:12])
    if status == 304:
        return f"{served}what is kept is still good"
    asked, at = AskedBy(user, wishes.no_store), exchange.at + max(0.0, exchange.answered - exchange.started)
    found = judged(exchange.rules.site.cache, asked, status, lines, at, 0.0)
    if isinstance(found, str):
        return f"{served}its answer is not kept: {found}"
    by = f", apart by {b', '.join(found.vary).decode('latin-1')}" if found.vary else ""
    return f"{served}its answer is kept, fresh for {found.fresh:g} s{by}"
