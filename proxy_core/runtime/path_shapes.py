"""The shape of a target: its path with what looks like the name of one thing taken out, so that ``/item/17`` and
``/item/18`` are the same place, ``/item/{n}``.

A segment stands for one thing where it is a number, a UUID, or a long run of hexadecimal or mixed letters and digits;
what follows its first dot (``.jpg``) stays. The rule knows nothing of a site, and never makes more than LONGEST
characters of a target. Pure.
"""

from __future__ import annotations

import re

LONGEST = 80
"""Characters that a shape has at most."""
DEEPEST = 6
"""Segments that a shape has at most."""

_ONE_THING = re.compile(
    rb"(?<=/)(?:"
    rb"\d+"
    rb"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    rb"|(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}"
    rb"|(?=[^/.]*\d)(?=[^/.]*[A-Za-z])[A-Za-z0-9_~-]{16,}"
    rb")(?=[/.]|$)"
)


def shape_of(method: bytes, target: bytes) -> str:
    """``GET /item/{n}`` for a request line's method and target, origin-form or not; its query is left out."""
    path = target.partition(b"?")[0]
    if b"://" in path[:12]:
        path = b"/" + path.split(b"/", 3)[3] if path.count(b"/") > 2 else b"/"
    path = _ONE_THING.sub(b"{n}", path)
    if path.count(b"/") > DEEPEST:
        path = b"/".join(path.split(b"/")[: DEEPEST + 1]) + b"/\xe2\x80\xa6"
    text = f"{method.decode('latin-1')} {path.decode('utf-8', 'backslashreplace')}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
