"""Redirects and folders come in and go out as rows of [[routes]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("AliasMatch ^/static/(.*)$ /srv/s/$1", "routes", [{"path_regex": "^/static/(.*)$", "folder": "/srv/s/$1"}]),
    ("Redirect permanent /a http://h/b\nAlias /f /srv/f", "routes",
     [{"path": "/a", "redirect": {"to": "http://h/b", "status": 301}}, {"path": "/f", "folder": "/srv/f"}]),
    ("<If \"true\">\nRedirect 301 /a http://b/\n</If>", "routes",
     [{"path": "/a", "redirect": {"to": "http://b/", "status": 301}}]),
    ("<Location /a>\nRedirect /a/b http://h/$1\nRedirect http://h/$x\n</Location>", "routes",
     [{"path_regex": "^", "redirect": {"to": "http://h/\\$x", "status": 302}},
      {"path": "/a/b", "redirect": {"to": "http://h/$1", "status": 302}}]),
    ("Alias /f/ /srv/f/\nRedirectMatch gone ^/a$", "routes",
     [{"path_regex": "^/a$", "redirect": {"status": 410}}, {"path": "/f/", "folder": "/srv/f"}]),
    ("ProxyPass /a http://h/\n<Location /a/f>\nAlias /srv/f\n</Location>", "routes",
     [{"path": "/a", "proxy": "http://h/"}, {"path_regex": "^/a/f(?:/|$)", "folder": "/srv/f"}]),
    ("<Location /a>\nAliasPreservePath On\nAlias /srv/f\n</Location>", "routes", [{"path": "/a", "folder": "/srv/f"}]),
    ("ScriptAlias /cgi-bin/ /usr/lib/cgi-bin/", "routes", [{"path": "/cgi-bin/", "redirect": {"status": 503}}]),
    ("WSGIScriptAliasMatch ^/w /srv/w.py", "routes", [{"path_regex": "^/w", "redirect": {"status": 503}}]),
    ("JkMount /*.jsp worker", "routes", [{"path_regex": "^/.*\\.jsp$", "proxy": "balancer://not-taken-over"}]),
    ("<Location /a>\nProxyPass ajp://h/\n</Location>", "routes", [{"path": "/a", "proxy": "balancer://not-taken-over"}]),
    ("ProxyPass /a/ fcgi://h/", "routes", [{"path": "/a/", "proxy": "balancer://not-taken-over/"}]),
    ("ProxyPassMatch ^/(.*\\.php)$ unix:/run/php.sock|fcgi://localhost/srv", "routes",
     [{"path_regex": "^/(.*\\.php)$", "proxy": "balancer://not-taken-over"}]),
]  # fmt: skip

OUT = [
    ('[[routes]]\npath = "/a"\nredirect = { to = "http://h/b", status = 301 }', "Redirect 301 /a http://h/b"),
    ('[[routes]]\npath = "/a"\nredirect = { status = 410 }', "Redirect 410 /a"),
    ('[[locations]]\nid = "l"\npath_regex = "x"\n[[routes]]\npath_regex = "^"\nredirect = { status = 410 }\n'
     'location = "l"', "<LocationMatch x>\n    RedirectMatch 410 ^\n</LocationMatch>"),
    ("[[routes]]\npath_regex = '^/u/(\\w+)/(.*)'\nfolder = '/home/$1/www/$2'",
     "AliasMatch ^/u/(\\w+)/(.*) /home/$1/www/$2"),
]  # fmt: skip
