"""Sections for paths, targets and expressions become rows of [[locations]]."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Proxy http://h/x*>\nProxySet timeout=9\n</Proxy>", "locations",
     [{"id": "http-h-x", "target": "http://h/x", "timeout": 9}]),
    ("<Location /a>\nAllowMethods GET POST\n</Location>", "locations",
     [{"id": "a", "path": "/a", "methods": ["GET", "POST"]}]),
    ("<Location /a>\nAllowMethods reset\n</Location>", "locations", [{"id": "a", "path": "/a", "methods": ["*"]}]),
    ("DocumentRoot /srv/www\n<DirectoryMatch /private/>\n<Files *.bak>\nRequire ip 10\n</Files>\n</DirectoryMatch>",
     "locations", [{"id": "bak", "folder_regex": "/private/", "files": "^.*\\.bak$", "require": ["ip 10"]}]),
]  # fmt: skip

OUT = [
    ('[[locations]]\npath = "/a"\nmethods = ["GET", "POST"]', "<Location /a>\n    AllowMethods GET POST"),
    ('[[locations]]\npath = "//a"\nmethods = ["GET"]', "<Location /a>\n    AllowMethods GET"),
    ('[[locations]]\npath = "/a"\nmethods = ["*"]', "<Location /a>\n    AllowMethods reset"),
    ("[site]\ndocument_root = '/srv/www'\n[[locations]]\nfolder_regex = '^/srv/www/p'\nrequire = ['ip 10']",
     "<DirectoryMatch ^/srv/www/p>\n    Require ip 10"),
    ('[listeners.l]\naddress = ":80"\n[hosts.h]\nnames = ["h.test"]\n[[locations]]\nid = "a"\npath = "/a"\n'
     '[[rewrites]]\nhost = "h"\nlocation = "a"\npattern = "x"\nsubstitution = "-"\nflags = ["F"]',
     "ServerName h.test\n\n    <Location /a>\n        RewriteEngine On\n        RewriteRule x - [F]"),
    ("[site]\ndocument_root = '/srv/www'", "<Directory />\n    AllowOverride None\n</Directory>"),
    ('[[headers]]\nname = "X"\nvalue = "%{REMOTE_ADDR}s"', "LoadModule ssl_module"),
    ('[[headers]]\nname = "X"\nvalue = "expr=%{SSL_PROTOCOL}"', "LoadModule ssl_module"),
]  # fmt: skip
