"""What is forwarded where: ProxyPass, and rows of [[routes]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("ProxyPass /a http://h/b", "routes", [{"path": "/a", "proxy": "http://h/b"}]),
    ("ProxyPass /a !", "routes", [{"path": "/a", "except": True}]),
    ("ProxyPassMatch ^/(.*)$ http://h/$1 nocanon", "routes",
     [{"path_regex": "^/(.*)$", "proxy": "http://h/$1", "nocanon": True}]),
    ("ProxyPass /a http://h/ timeout=5 upgrade=websocket", "routes",
     [{"path": "/a", "proxy": "http://h/", "timeout": 5, "upgrade": ["websocket"]}]),
    ("ProxyPass /s http://h/\n<Location /a>\nProxyPass http://i/\n</Location>\n"
     "<Location /a/b>\nProxyPass !\n</Location>", "routes",
     [{"path": "/a/b", "except": True}, {"path": "/a", "proxy": "http://i/"}, {"path": "/s", "proxy": "http://h/"}]),
    ("ProxyPass /a http://h/${A} interpolate\nProxyPass /b http://h/${A}\nProxyPassInterpolateEnv On", "routes",
     [{"path": "/a", "proxy": "http://h/${A}", "interpolate": True}, {"path": "/b", "proxy": "http://h/${A}"}]),
    ("ProxyPass /a http://h/${A} interpolate", "routes", [{"path": "/a", "proxy": "http://h/${A}"}]),
]  # fmt: skip

OUT = [
    ('[[routes]]\npath = "/a"\nexcept = true', "ProxyPass /a !"),
    ('[[routes]]\npath = "/a"\nproxy = "http://h/b"\ntimeout = 5\nnocanon = true',
     "ProxyPass /a http://h/b nocanon timeout=5"),
    ("[[routes]]\npath_regex = '^/(.*)$'\nproxy = 'http://h/$1'", "ProxyPassMatch ^/(.*)$ http://h/$1"),
    ('[[routes]]\npath = "/a"\nproxy = "http://h"\nenabled = false', "# ProxyPass /a http://h"),
]  # fmt: skip

LOST = [
    ('[[routes]]\nid = "r"\npath = "/a"\nproxy = "http://h"\npreserve_host = true', "routes.r.preserve_host"),
]  # fmt: skip
