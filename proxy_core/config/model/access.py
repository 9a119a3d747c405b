"""Who may ask for what: [access.NAME] and [auth.NAME].

Names and meanings are those of Apache httpd's mod_authz_core, mod_authz_host, mod_auth_basic and mod_authn_file. What
a table says of who may ask is ``types.Require``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import FieldName, NonEmpty, example


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
