"""The part of the model about what is said to upstreams and clients besides what they say themselves: header fields,
addresses mapped back, pages for errors.

Names and meanings are those of Apache httpd's mod_headers, ProxyPassReverse and ErrorDocument. As in ``model``, every
field carries its manual; what needs more than one field is checked in ``rules.lint.fields``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.rewriting import Enabled, HostName
from proxy_core.config.model.types import RowId

RouteName = Annotated[str, Meta(description="Id of the route whose requests the row is for; empty: all of them.")]
LocationName = Annotated[
    str,
    Meta(description="Id of the row of [[locations]] whose requests the row is for; empty: all of them."),
]


class HeaderRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[headers]]: a change to the fields of requests or answers. All rows that hold are done: the server's, then the
    host's, the route's, the locations'; each in file order. Apache: RequestHeader, Header."""

    id: RowId = ""
    host: HostName = ""
    route: RouteName = ""
    location: LocationName = ""
    enabled: Enabled = True
    on: Annotated[
        Literal["request", "response", "always"],
        Meta(
            description="request: what goes to the upstream. response: the fields that an upstream answered with. "
            "always: fields of the proxy's own, which go with every answer, with those that it makes itself too; the "
            "upstream's are not touched. Apache: RequestHeader, Header, Header always.",
        ),
    ] = "response"
    action: Annotated[
        Literal["set", "append", "add", "merge", "unset", "edit", "edit*", "setifempty", "echo", "note"],
        Meta(
            description="set: replace. append: put behind what is there, after a comma. merge: the same, unless it is "
            "there already. add: one more line. unset: take away. edit, edit*: replace the first, or each, that "
            "pattern finds in it. setifempty: set where there is none. echo: repeat the request's fields whose names "
            "pattern is found in. note: remember its value under the name that value gives, for the JSON log and for "
            "%{note:NAME} in the rows below.",
        ),
    ] = "set"
    name: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "a field name", "example": "X-Frame-Options"},
            description="The field. Not needed for echo.",
        ),
    ] = ""
    pattern: Annotated[
        str, Meta(description="For edit, edit* and echo: a regular expression (PCRE).", extra={"example": "^http:"})
    ] = ""
    value: Annotated[
        str,
        Meta(
            extra={"example": "max-age=31536000"},
            description="The value, or for edit what the find becomes ($1 is a group). %{NAME}e is a variable of the "
            "request, %{NAME}s one of TLS, %t and %D when it came and how long it took so far in microseconds, %% a "
            'percent sign; or "expr=" and a text with %{VARIABLE}.',
        ),
    ] = ""
    early: Annotated[
        bool,
        Meta(
            description="For requests: before all rules, which see what it makes of them, and not behind them. It "
            "belongs to the server or a host then, and has no condition. Apache: early."
        ),
    ] = False
    env: Annotated[
        str,
        Meta(
            extra={"example": "!internal"},
            description="Only where this variable of the request is set; with ! in front, where it is not.",
        ),
    ] = ""
    expr: Annotated[
        str,
        Meta(extra={"example": "%{REQUEST_STATUS} == 200"}, description="Only where this expression holds."),
    ] = ""


class ReverseRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[reverse]]: how what upstreams say of their own addresses is told to clients. The first row that fits counts,
    before what reverse = "auto" makes of the routes. Apache: ProxyPassReverse, ProxyPassReverseCookieDomain and
    -CookiePath."""

    id: RowId = ""
    host: HostName = ""
    location: LocationName = ""
    enabled: Enabled = True
    kind: Annotated[
        Literal["location", "cookie_domain", "cookie_path"],
        Meta(
            description="location: URLs in Location, Content-Location, URI and Destination. cookie_domain and "
            "cookie_path: Domain and Path in Set-Cookie, of which the whole value is replaced.",
        ),
    ] = "location"
    internal: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "http://127.0.0.1:8000/app"},
            description="What the upstream says, from its beginning: a URL, a path (of whatever host), "
            '"balancer://name/path" for every member; the beginning of a domain or path of a cookie.',
        ),
    ]
    public: Annotated[
        str,
        Meta(min_length=1, extra={"example": "/app"}, description="What clients get instead: a path or URL."),
    ]


class ErrorPage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[errors]]: what a client gets instead of the built-in page of a status; exactly one of text, file, path, url and
    builtin. Later rows win over earlier ones, the host's over the server's, then the route's, then the locations'.
    Apache: ErrorDocument."""

    id: RowId = ""
    host: HostName = ""
    route: RouteName = ""
    location: LocationName = ""
    enabled: Enabled = True
    status: Annotated[
        tuple[str, ...],
        Meta(description='The statuses that it is for: "404", or "5xx" for all of a class.', extra={"example": "503"}),
    ]
    text: Annotated[str | None, Meta(description="The page itself, as HTML.")] = None
    file: Annotated[
        str | None,
        Meta(
            extra={"example": "sorry.html"},
            description="A file with the page, relative to the site file, of at most 64 KiB. It is read "
            "anew when it changes.",
        ),
    ] = None
    path: Annotated[
        Annotated[str, Meta(pattern=r"^/", extra={"wanted": "a path that begins with a slash"})] | None,
        Meta(
            extra={"example": "/errors/404.html"},
            description="A path of this site, with a query if need be, whose answer is the page. It is asked for "
            "by a request of its own (GET) that passes hosts, rules and routes, and finds REDIRECT_STATUS, "
            "REDIRECT_URL and REDIRECT_NAME for each variable of the first. The status stays; where the page "
            "cannot be had, the built-in one is sent.",
        ),
    ] = None
    url: Annotated[
        str | None,
        Meta(extra={"example": "https://status.example/"}, description="A URL that the client is sent to, with 302."),
    ] = None
    builtin: Annotated[
        bool,
        Meta(
            description="The built-in page again: takes back what rows for more give. Apache: ErrorDocument … default."
        ),
    ] = False
