"""[[routes]]: what takes a request, and where it goes.

Names and meanings are those of Apache httpd's mod_proxy and mod_alias. That a route has exactly one action is checked
in ``reading.check``, what needs two rows in ``rules.lint.routes``.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from proxy_core.config.model.compress import Compress
from proxy_core.config.model.site_table import HostRow, SiteTable
from proxy_core.config.model.types import FieldNames, MaxBody, NonEmpty, Seconds, Share, Upgrade, UrlPath, example


class Redirection(SiteTable, frozen=True, kw_only=True):
    """[routes.redirect]: where a route sends the client. Apache: Redirect, RedirectMatch.

    [[routes]]
    path = "/old"
    redirect = { to = "https://www.example/new", status = 301 }
    """

    to: Annotated[str, example("https://new.example/")] = ""
    """URL or path that is sent as Location. What follows the matched prefix is appended, and the query where there is
    none yet; with path_regex, $0 to $9 are what its groups found. Empty for statuses that are no redirect."""

    status: Annotated[int, Meta(ge=300, le=599)] = 302
    """Status of the answer: 301, 302, 303, 307, 308; or one that says no more, such as 410."""


class Route(HostRow, frozen=True, kw_only=True):
    """[[routes]]: where requests go. The first row in file order whose path matches decides; exactly one of
    ``proxy``, ``redirect``, ``folder`` and ``except`` says what happens.

    [[routes]]
    path = "/app/private"
    except = true           # stands above what it excepts from

    [[routes]]
    path = "/app"
    proxy = "http://localhost:8000/app"
    upgrade = ["websocket"]
    """

    path: Annotated[UrlPath | None, example("/app")] = None
    """Path prefix, matched by whole segments against the decoded, normalised path: /app takes /app and /app/x, not
    /apple; /app/ takes only what is below it. Apache: ProxyPass."""

    path_regex: Annotated[str | None, example("^/(.*\\.gif)$")] = None
    """Instead of path: a regular expression (PCRE), searched in the decoded path. Apache: ProxyPassMatch."""

    proxy: Annotated[str | None, example("http://127.0.0.1:8000/app")] = None
    """Where to forward: "http://host:port/path" (or https, ws, wss), or "balancer://name/path". What follows the
    matched prefix is appended, so both sides should end in a slash, or neither. With path_regex, $0 to $9 in the path
    are what its groups found; without any of them the whole path of the request is appended."""

    nocanon: bool = False
    """Send the path as the client spelled it, escapes, dots and all, instead of the one spelling that every path has.
    Only where the client's spelling of the matched part is the plain one. Apache: nocanon."""

    mapping: Literal["decoded", "encoded", "servlet"] = "decoded"
    """Which path is matched. encoded: the path with its escapes, before all rewriting and all other routes, and sent as
    it is. servlet: the same, without ;parameters in its segments, as servlet containers map. Apache: mapping."""

    except_: bool = field(name="except", default=False)
    """An exception: what matches is not forwarded by any later row; a redirect or a folder below it may still answer,
    or a file of document_root. It must stand above the rows that it excepts from. Apache: ProxyPass with a target of
    !."""

    redirect: Redirection | None = None
    """Send the client elsewhere. Apache: Redirect, RedirectMatch."""

    location: str = ""
    """For redirects: id of the row of [[locations]] whose requests it is for. It answers those that the location lets
    in and its rules leave as they are, before a member or a file does; of several that hold, the last comes first.
    Apache: Redirect in Location."""

    folder: Annotated[NonEmpty | None, example("static")] = None
    """Folder, relative to the site file, whose files answer: what follows the matched prefix is looked for in it, as
    document_root describes. With path_regex, $0 to $9 are what its groups found, and nothing is appended; the folder
    is what stands before the first segment with one, and nothing outside of it is served; a file that is found so
    answers to a path with a slash at its end, too. Apache: Alias, AliasMatch."""

    timeout: Seconds | None = None
    """Seconds of silence for this route, instead of the site's timeout."""

    max_body: MaxBody = None
    """See ``MaxBody``."""

    upgrade: Upgrade = ()
    """See ``Upgrade``."""

    preserve_host: bool | None = None
    """Whether the upstream is told the client's Host, instead of the site's word."""

    error_override: bool | None = None
    """Error override for this route, instead of the site's."""

    override_codes: tuple[str, ...] = ()
    """The statuses that error_override is for, instead of the site's."""

    cache: bool = False
    """Keep answers for other clients, and answer with what is kept, as [cache] says. Apache: CacheEnable."""

    compress: Compress | None = None
    """Which of its answers are coded, and how, instead of the host's."""

    interpolate: bool = False
    """Replace ${NAME} in the path of proxy by that variable of the request, as [[env]] and rules have set it; nothing
    where it is not set. Apache: interpolate."""

    shadow: Annotated[NonEmpty | None, example("balancer://new")] = None
    """Send copies of some of its requests to other members too, "balancer://name" or "http://host:port", and compare
    their answers with the real ones. A copy asks for the same target with the same fields, credentials too, and says
    X-Shadow: 1. Only GET and HEAD without a body are copied. The client never waits for a copy; what differs is shown
    by the console (S on Routes), `rproxy ctl shadow` and the metrics."""

    shadow_share: Share = 0.05
    """The part of those requests that is copied, 0 to 1."""

    shadow_fields: FieldNames = ("content-type", "location", "cache-control")
    """The fields of answers that are compared, besides their status and the length and content of their body."""

    @property
    def taken(self) -> str:
        """What it takes, for people: its prefix or its regular expression."""
        return self.path or self.path_regex or ""

    @property
    def leads(self) -> str:
        """Where it leads, for people."""
        if self.redirect is not None:
            return f"{self.redirect.status} {self.redirect.to}".strip()
        return self.proxy or (f"files of {self.folder}" if self.folder else "except")
