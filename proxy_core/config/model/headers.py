"""Header fields: changes to them ([[headers]]), and addresses in answers, mapped back ([[reverse]]).

Names and meanings are those of Apache httpd's mod_headers and ProxyPassReverse. What needs more than one field is
checked in ``rules.lint.fields``.
"""

from typing import Annotated, Literal

from proxy_core.config.model.site_table import LocationRow
from proxy_core.config.model.types import FieldName, NonEmpty, example


class HeaderRule(LocationRow, frozen=True, kw_only=True):
    """[[headers]]: a change to the fields of requests or answers. All rows that hold are done: the server's, then the
    host's, the route's, the locations'; each in file order. Apache: RequestHeader, Header.

    [[headers]]
    on = "always"
    name = "X-Frame-Options"
    value = "DENY"

    [[headers]]
    on = "request"
    action = "unset"
    name = "X-Debug"
    """

    route: str = ""
    """Id of the route whose requests the row is for; empty: all of them."""

    on: Literal["request", "response", "always"] = "response"
    """request: what goes to the upstream. response: the fields that an upstream answered with. always: fields of the
    proxy's own, which go with every answer, with those that it makes itself too; the upstream's are not touched.
    Apache: RequestHeader, Header, Header always."""

    action: Literal["set", "append", "add", "merge", "unset", "edit", "edit*", "setifempty", "echo", "note"] = "set"
    """set: replace. append: put behind what is there, after a comma. merge: the same, unless it is there already. add:
    one more line. unset: take away. edit, edit*: replace the first, or each, that pattern finds in it. setifempty: set
    where there is none. echo: repeat the request's fields whose names pattern is found in. note: remember its value
    under the name that value gives, for the JSON log and for %{note:NAME} in the rows below."""

    name: Annotated[FieldName, example("X-Frame-Options")] = ""
    """The field. Not needed for echo. Of requests, fields of the client's that CGI takes for it (X_Key for X-Key) go no
    further."""

    pattern: Annotated[str, example("^http:")] = ""
    """For edit, edit* and echo: a regular expression (PCRE)."""

    value: Annotated[str, example("max-age=31536000")] = ""
    """The value, or for edit what the find becomes ($1 is a group). %{NAME}e is a variable of the request, %{NAME}s one
    of TLS or of what rules know as %{NAME}, %t and %D when it came and how long it took so far in microseconds, %% a
    percent sign; or "expr=" and a text with %{VARIABLE}."""

    early: bool = False
    """For requests: before all rules, which see what it makes of them, and not behind them. It belongs to the server or
    a host then, and has no condition. Apache: early."""

    env: Annotated[str, example("!internal")] = ""
    """Only where this variable of the request is set; with ! in front, where it is not."""

    expr: Annotated[str, example("%{REQUEST_STATUS} == 200")] = ""
    """Only where this expression holds."""


class ReverseRule(LocationRow, frozen=True, kw_only=True):
    """[[reverse]]: how what upstreams say of their own addresses is told to clients. The first row that fits counts,
    before what reverse = "auto" makes of the routes. Apache: ProxyPassReverse, ProxyPassReverseCookieDomain and
    -CookiePath.

    [[reverse]]
    internal = "http://app.internal:8000/"
    public = "/"

    [[reverse]]
    kind = "cookie_domain"
    internal = "app.internal"
    public = "www.example"
    """

    kind: Literal["location", "cookie_domain", "cookie_path"] = "location"
    """location: URLs in Location, Content-Location, URI and Destination. cookie_domain and cookie_path: Domain and Path
    in Set-Cookie, of which the whole value is replaced."""

    internal: Annotated[NonEmpty, example("http://127.0.0.1:8000/app")]
    """What the upstream says, from its beginning: a URL, a path (of whatever host), "balancer://name/path" for every
    member; the beginning of a domain or path of a cookie."""

    public: Annotated[NonEmpty, example("/app")]
    """What clients get instead: a path or URL."""
