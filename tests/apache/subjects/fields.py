"""Changes of fields come in and go out."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("Header always set X-A b env=V", "headers",
     [{"on": "always", "action": "set", "name": "X-A", "value": "b", "env": "V"}]),
    ("RequestHeader unset Expect early", "headers", []),
    ("RequestHeader unset X-A", "headers", [{"on": "request", "action": "unset", "name": "X-A"}]),
    ("<If \"%{HTTP:A} == 'b'\">\nHeader set X y\n</If>\n<Else>\nHeader set X z\n</Else>", "headers",
     [{"on": "response", "action": "set", "name": "X", "value": "y"},
      {"on": "response", "action": "set", "name": "X", "value": "z"}]),
]  # fmt: skip

OUT = [
    ('[[headers]]\non = "always"\nname = "X-A"\nvalue = "two words"\nenv = "!V"',
     'Header always set X-A "two words" env=!V'),
]  # fmt: skip

LOST = [
    ('[[headers]]\nid = "h"\nname = "X"\nenv = "V"\nexpr = "true"', "headers.h"),
]  # fmt: skip
