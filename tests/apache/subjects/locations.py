"""Sections for paths, targets and expressions become rows of [[locations]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Proxy http://h/x*>\nProxySet timeout=9\n</Proxy>", "locations",
     [{"id": "http-h-x", "target": "http://h/x", "timeout": 9}]),
]  # fmt: skip
