"""Redirects and folders come in and go out as rows of [[routes]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("AliasMatch ^/static/(.*)$ /srv/s/$1", "routes", [{"path_regex": "^/static/(.*)$", "folder": "/srv/s/$1"}]),
    ("Redirect permanent /a http://h/b\nAlias /f /srv/f", "routes",
     [{"path": "/a", "redirect": {"to": "http://h/b", "status": 301}}, {"path": "/f", "folder": "/srv/f"}]),
    ("Alias /f/ /srv/f/\nRedirectMatch gone ^/a$", "routes",
     [{"path_regex": "^/a$", "redirect": {"status": 410}}, {"path": "/f/", "folder": "/srv/f"}]),
    ("ProxyPass /a http://h/\n<Location /a/f>\nAlias /srv/f\n</Location>", "routes",
     [{"path": "/a", "proxy": "http://h/"}, {"path": "/a/f", "folder": "/srv/f"}]),
    ("ScriptAlias /cgi-bin/ /usr/lib/cgi-bin/", "locations",
     [{"id": "closed", "path": "/cgi-bin/", "require": ["all denied"]}]),
]  # fmt: skip

OUT = [
    ('[[routes]]\npath = "/a"\nredirect = { to = "http://h/b", status = 301 }', "Redirect 301 /a http://h/b"),
    ('[[routes]]\npath = "/a"\nredirect = { status = 410 }', "Redirect 410 /a"),
    ("[[routes]]\npath_regex = '^/u/(\\w+)/(.*)'\nfolder = '/home/$1/www/$2'",
     "AliasMatch ^/u/(\\w+)/(.*) /home/$1/www/$2"),
]  # fmt: skip
