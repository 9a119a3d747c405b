"""A site to demonstrate, and how long a test of the demo may wait."""

from __future__ import annotations

from msgspec import convert

from proxy_core.config.model import Site

DEADLINE = 5.0


def site(**members: str) -> Site:
    return convert(
        {
            "routes": [
                {"id": "x", "path": "/service/index", "except": True},
                {"id": "a", "path": "/service", "proxy": "http://localhost:8000/service"},
                {"id": "b", "path": "/shop", "proxy": "balancer://b/shop"},
            ],
            "balancers": {"b": {"members": {name: {"url": url} for name, url in members.items()}}},
        },
        Site,
    )
