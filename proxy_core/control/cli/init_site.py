"""``rproxy init``: write a small site file to start from, with a listener, the members it is told, and comments.

What it writes is what ``rproxy check`` finds no fault with; arguments that cannot make such a file are refused, and
nothing is written. A file that is there already is never overwritten without --force.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from proxy_core.config.editing import spelling
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, force_option, say, site_argument, written
from proxy_core.http.target import origin

SITE = """\
# Written by `rproxy init`. Each block names the Apache directive that it stands for; what is commented out is there to
# be taken in. Edit it here or in the console: the console keeps the comments. A change is in force within seconds.
#
#   rproxy check FILE           every problem, with its line and what to do about it
#   rproxy-tui FILE             serve, with the console
#   rproxy FILE                 serve, without it
#   rproxy explain FILE /path   where a request would go, and why

version = 1

[site]
server_name = "localhost"       # ServerName: what this proxy calls itself
timeout = 60                    # ProxyTimeout: seconds of silence after which a member is given up

# Listen 127.0.0.1:{port}
[listeners.http]
address = "127.0.0.1:{port}"      # ":{port}" for every address of this machine

# ProxyPass /private !
# The first row that matches decides, so an exception stands above what it excepts: these paths are answered 404.
# [[routes]]
# path = "/private"
# except = true

# ProxyPass        / balancer://app/
# ProxyPassReverse / balancer://app/        (reverse = "auto" in [site] is the default)
[[routes]]
path = "/"
proxy = "balancer://app/"
# upgrade = ["websocket"]       # let connections become WebSockets

# <Proxy balancer://app>
[balancers.app]
method = "byrequests"           # requests are counted out by weight; "bybusyness": to who has the fewest in flight

# Ask every member each few seconds whether it is well; without it a member that refuses connections is left alone.
# [balancers.app.health]
# method = "get"
# uri = "/health"
# interval = 5

# A session stays with its member.
# [balancers.app.sticky]
# cookie = "ROUTE"
# issue = true
{members}
# CustomLog access.log combined
# [access_log]
# file = "access.log"

# Numbers for Prometheus, at /metrics of a listener of their own.
# [metrics]
# address = "127.0.0.1:9090"
"""
MEMBER = """
[balancers.app.members.member-{number}]
url = {url}
"""


def site_text(port: int, members: list[str]) -> str:
    """The site file for a port of this machine and the URLs of members."""
    rows = (MEMBER.format(number=number, url=spelling.value(url)) for number, url in enumerate(members, 1))
    return SITE.format(port=port, members="".join(rows))


def _port(given: str) -> int:
    if not given.isdecimal() or int(given) > 65535:
        raise ArgumentTypeError(f"{given} is no port: write a number up to 65535")
    return int(given)


def _member(given: str) -> str:
    try:
        origin(given)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return given.rstrip("/")


def _arguments(parser: ArgumentParser) -> None:
    site_argument(parser, nargs="?", default=Path("site.toml"), help="the file to write (%(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="the port to listen on (%(default)s)")
    help_ = "where requests go, one or more of them (http://localhost:8000)"
    parser.add_argument("--member", type=_member, nargs="+", action="extend", metavar="URL", help=help_)
    force_option(parser)


def _run(given: Namespace) -> int:
    members = list(dict.fromkeys(given.member or ["http://localhost:8000"]))
    if not written(site_text(given.port, members), given.site, {}, given.force):
        return EXIT_BAD_SITE
    say(f"{given.site} is written; serve it with: rproxy-tui {given.site}")
    return 0


INIT = Subcommand(_arguments, _run)
