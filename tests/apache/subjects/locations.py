"""Sections for paths, targets and expressions become rows of [[locations]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Proxy http://h/x*>\nProxySet timeout=9\n</Proxy>", "locations",
     [{"id": "http-h-x", "target": "http://h/x", "timeout": 9}]),
    ("<Location /a>\nAllowMethods GET POST\n</Location>", "locations",
     [{"id": "a", "path": "/a", "methods": ["GET", "POST"]}]),
    ("<Location /a>\nAllowMethods reset\n</Location>", "locations", [{"id": "a", "path": "/a", "methods": ["*"]}]),
]  # fmt: skip

OUT = [
    ('[[locations]]\npath = "/a"\nmethods = ["GET", "POST"]', "<Location /a>\n    AllowMethods GET POST"),
    ('[[locations]]\npath = "/a"\nmethods = ["*"]', "<Location /a>\n    AllowMethods reset"),
]  # fmt: skip
