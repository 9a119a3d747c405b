"""Addresses mapped back in answers come in and go out."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Location /a>\nProxyPassReverse http://h/b\n</Location>", "reverse",
     [{"internal": "http://h/b", "public": "/a"}]),
    ("ProxyPassReverseCookiePath /in /out", "reverse", [{"kind": "cookie_path", "internal": "/in", "public": "/out"}]),
]  # fmt: skip

OUT = [
    ('[[routes]]\npath = "/a"\nproxy = "http://h/b"', "ProxyPassReverse /a http://h/b"),
]  # fmt: skip
