"""A trouble in a sentence: who is ill, how it shows, since when, what came just before.

The same words stand on the Dashboard, in ``rproxy ctl status`` and on standard error.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from proxy_core.control.view import Generation
from proxy_core.control.watching.troubles import Sign, Trouble
from proxy_core.errors import Address
from proxy_core.printable import printable


def who(trouble: Trouble) -> str:
    """``shop/c``, ``rule old-pages``, ``POST /api/checkout``."""
    kind, home, name = trouble.subject
    match kind:
        case "site":
            return "all routes"
        case "member":
            return printable(f"{home}/{name}")
        case "shape":
            return printable(name)
    return printable(f"{kind} {name}")


def address(trouble: Trouble) -> Address:
    """The row of the site that it is about; () for none."""
    kind, home, name = trouble.subject
    if kind == "member":
        return ("balancers", home, "members", name)
    return (home, name) if kind in ("rule", "route") else ()


def evidence(trouble: Trouble) -> str:
    """``5xx 2.1 % (peers 0 %), p95 ×10 (20 → 200 ms), 96 % of it POST /api/checkout``."""
    parts = [_sign(trouble, sign) for sign in trouble.signs]
    first = trouble.signs[0]
    if first.shape and trouble.subject.kind != "shape":
        much = "all" if first.shape_part > 0.995 else _part(first.shape_part)
        parts.append(f"{much} of it {printable(first.shape)}")
    if trouble.peers == 1:
        parts.append("held against one peer alone, which may be the odd one")
    return ", ".join(parts)


def since(trouble: Trouble, generations: Iterable[Generation] = ()) -> str:
    """``since 15:08:20``, and the generation that came just before it."""
    began = f"since {datetime.fromtimestamp(trouble.since):%H:%M:%S}"
    named = next((each for each in generations if each.number == trouble.generation), None)
    if named is None:
        return began
    return f"{began}, just after g{named.number} ({printable(named.sentence)}; {printable(named.author)})"


def sentence(trouble: Trouble, generations: Iterable[Generation] = ()) -> str:
    return f"{who(trouble)}: {evidence(trouble)}, {since(trouble, generations)}"


def _sign(trouble: Trouble, sign: Sign) -> str:
    if sign.measure == "slow":
        return _slow(trouble, sign)
    if trouble.peers:
        return f"{sign.measure} {_part(sign.part)} (peers {_part(sign.expected)})"
    return f"{sign.measure} {_part(sign.expected)} → {_part(sign.part)}"


def _slow(trouble: Trouble, sign: Sign) -> str:
    if trouble.p95 <= 0 or trouble.p95_expected <= 0 or trouble.p95 < 1.5 * trouble.p95_expected:
        return f"{_part(sign.part)} unusually slow"
    times = trouble.p95 / trouble.p95_expected
    return (
        f"p95 ×{times:.0f} ({_ms(trouble.p95_expected)} → {_ms(trouble.p95)} ms)"
        if times >= 3
        else (f"p95 ×{times:.1f} ({_ms(trouble.p95_expected)} → {_ms(trouble.p95)} ms)")
    )


def _part(part: float) -> str:
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 10 or percent < 0.05 else f"{percent:.1f} %"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"
