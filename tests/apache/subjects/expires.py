"""How long answers may be kept comes in and goes out."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("ExpiresActive On\nExpiresByType image/* \"access plus 1 month 2 days\"", "expires",
     [{"type": "image/*", "after": 32 * 86_400}]),
    ("ExpiresDefault M60", "expires", [{"after": 60, "since": "modification"}]),
    ("ExpiresDefault \"modification 2 hours 5 minutes\"", "expires", [{"after": 7500, "since": "modification"}]),
    ("ExpiresDefault now", "expires", [{"after": 0}]),
    ("ExpiresDefault \"Access plus 1 day\"", "expires", [{"after": 0}]),  # as httpd reads a capital A
    ("ExpiresDefault \"access plus a day\"", "expires", []),
    ("<Location /a>\nExpiresDefault A60\n</Location>", "expires", [{"after": 60}]),
    ("<Location /a>\nExpiresActive On\n</Location>", "locations",
     [{"id": "a", "path": "/a", "expires_active": True}]),
]  # fmt: skip

OUT = [
    ('[site]\nexpires_active = true\n[[expires]]\ntype = "text/css"\nafter = 60\nsince = "modification"',
     "ExpiresByType text/css M60"),
    ("[site]\nexpires_active = true\n[[expires]]\nafter = 60", "ExpiresDefault A60"),
]  # fmt: skip
