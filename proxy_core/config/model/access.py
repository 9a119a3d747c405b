"""Who may ask for what: [access.NAME], [auth.NAME] and [forward_auth.NAME].

Names and meanings are those of Apache httpd's mod_authz_core, mod_authz_host, mod_auth_basic and mod_authn_file; httpd
has nothing like [forward_auth.NAME], which is nginx's auth_request and Traefik's ForwardAuth. What a table says of who
may ask is ``types.Require``.
"""

from typing import Annotated, Literal

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import FieldName, FieldNames, NonEmpty, Seconds, SecondsOrNone, example


class Access(SiteTable, frozen=True, kw_only=True):
    """[access.NAME]: conditions for several places, or to be joined in another way than one being enough. Apache:
    RequireAny, RequireAll, RequireNone.

    [access.office]
    match = "all"
    require = ["ip 10.0.0.0/8", "not ip 10.0.0.66"]

    [[locations]]
    path = "/status"
    require = ["access office"]
    """

    match: Literal["any", "all", "none"] = "any"
    """any: one condition has to hold. all: every one, not … among them. none: not one may hold."""

    require: Annotated[tuple[str, ...], example(["ip 10.0.0.0/8", "not ip 10.0.0.1"])] = ()
    """The conditions, as in require of a location; with match = all each may begin with not."""


class Auth(SiteTable, frozen=True, kw_only=True):
    """[auth.NAME]: asks for user and password (Basic authentication, RFC 7617).

    [auth.staff]
    realm = "Staff only"
    file = "users.htpasswd"
    user_header = "X-Remote-User"

    [[locations]]
    path = "/admin"
    require = ["valid-user"]
    auth = "staff"
    """

    realm: Annotated[NonEmpty, example("Staff only")]
    """What browsers show when they ask for the password. Apache: AuthName."""

    file: Annotated[NonEmpty, example("users.htpasswd")]
    """File made by htpasswd, relative to the site file, read anew when it changes: bcrypt, apr1, SHA-1 and
    crypt (DES, MD5, SHA-256, SHA-512). Apache: AuthUserFile."""

    user_header: Annotated[FieldName, example("X-Remote-User")] = ""
    """Field that tells the upstream who the user is; what clients say in it is dropped, always. Empty: none."""

    hide: bool = False
    """Do not pass the user's Authorization on: the password ends here."""


class ForwardAuth(SiteTable, frozen=True, kw_only=True):
    """[forward_auth.NAME]: a service that is asked first whether a request may go on. 2xx lets it through; 401, 403 and
    redirects go to the client; where there is no such answer, the client gets 503.

    [forward_auth.sso]
    url = "http://127.0.0.1:4180/oauth2/auth"
    user_header = "X-Auth-Request-User"
    response_headers = ["Set-Cookie"]

    [[locations]]
    path = "/app"
    forward_auth = "sso"

    [[locations]]
    path = "/app/oauth2"    # the pages for logging in
    forward_auth = "off"
    """

    url: Annotated[NonEmpty, example("http://127.0.0.1:9091/verify")]
    """What is asked: "http://host:port/path" (or https), or "balancer://name/path", with a query if need be. It is
    asked with GET, without the body, and told X-Forwarded-Method, -Uri, -Host, -Proto and -For; the URI is the path
    that routes and locations go by."""

    request_headers: Annotated[FieldNames, example(["Authorization", "Cookie"])] = (
        "Accept", "Authorization", "Cookie", "X-Requested-With",
    )  # fmt: skip
    """Fields of the request that the service is told besides; with Host, the client's Host is sent in the place of
    the service's own. A field that a listener has of clients' certificates (client_headers of its tls) is told as it
    goes to members."""

    upstream_headers: Annotated[FieldNames, example(["X-Auth-Groups"])] = ()
    """Fields of the service's 2xx that the upstream gets. What clients say in them is dropped, always; of Authorization
    and Cookie only where the service is asked."""

    response_headers: Annotated[FieldNames, example(["Set-Cookie"])] = ()
    """Fields of the service's 2xx that the client gets with its answer."""

    user_header: Annotated[FieldName, example("X-Auth-User")] = ""
    """Field of the service's 2xx that says who the user is: require, %{REMOTE_USER} and logs know it, and the upstream
    gets it too; what clients say in it is dropped, always. Empty: nobody is known."""

    timeout: Seconds = 5.0
    """Seconds that asking may take, with connecting and all; then the client gets 503."""

    cache: SecondsOrNone = 0.0
    """Seconds for which a 2xx holds for requests that would ask the very same: method, URI, host, client and every
    field that is told. One with a cookie for the client is never kept, nor one with Cache-Control: no-store. 0: each
    asks anew; those that ask the same at once share one answer."""
