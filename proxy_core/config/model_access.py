"""The part of the model that says who may ask for what, and what is served from files.

Names and meanings are those of Apache httpd's mod_authz_core, mod_authz_host, mod_auth_basic, mod_authn_file, mod_dir
and mod_alias. As in ``model``, every field carries its manual; what needs more than one field is ``rules.lint.site``'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Require = Annotated[
    tuple[str, ...],
    Meta(
        extra={"example": ["ip 10.0.0.0/8", "valid-user"]},
        description="Who may ask, one condition each, as Apache writes it behind Require: all granted, all denied, "
        "ip 10.0.0.0/8 192.168, local, method GET POST, env NAME, expr …, user anna, valid-user; or access NAME for a "
        "table [access.NAME]. One that holds is enough. What is said in one place replaces what was said before it: "
        "for the site, the host, targets, paths. Empty: nothing is said. Apache: Require.",
    ),
]
AuthName = Annotated[
    str,
    Meta(
        description="Name of the [auth.NAME] that asks for user and password where require wants a user; without it "
        "the one said before: for the site, the host, targets, paths. Apache: AuthType with its AuthName and "
        "AuthUserFile."
    ),
]
DocumentRoot = Annotated[
    str,
    Meta(
        extra={"example": "www"},
        description="Folder, relative to the site file, whose files answer what no route takes and what an exception "
        "excepts; without it that is 404. Nothing outside of it is served, nor any name that begins with a dot but "
        ".well-known; folders are not listed. Apache: DocumentRoot.",
    ),
]
DirectoryIndex = Annotated[
    tuple[str, ...],
    Meta(description="Names of the file that is served for a folder, the first that is there. Apache: DirectoryIndex."),
]


class Access(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[access.NAME]: conditions for several places, or to be joined in another way than one being enough. Apache:
    RequireAny, RequireAll, RequireNone."""

    match: Annotated[
        Literal["any", "all", "none"],
        Meta(description="any: one condition has to hold. all: every one, not … among them. none: not one may hold."),
    ] = "any"
    require: Annotated[
        tuple[str, ...],
        Meta(
            extra={"example": ["ip 10.0.0.0/8", "not ip 10.0.0.1"]},
            description="The conditions, as in require of a location; with match = all each may begin with not.",
        ),
    ] = ()


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[auth.NAME]: asks for user and password (Basic authentication, RFC 7617)."""

    realm: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "Staff only"},
            description="What browsers show when they ask for the password. Apache: AuthName.",
        ),
    ]
    file: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "users.htpasswd"},
            description="File made by htpasswd, relative to the site file, read anew when it changes: bcrypt, apr1, "
            "SHA-1 and crypt (DES, MD5, SHA-256, SHA-512). Apache: AuthUserFile.",
        ),
    ]
    user_header: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "a field name", "example": "X-Remote-User"},
            description="Field that tells the upstream who the user is; what clients say in it is dropped, always. "
            "Empty: none.",
        ),
    ] = ""
    hide: Annotated[bool, Meta(description="Do not pass the user's Authorization on: the password ends here.")] = False


class Redirection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[routes.redirect]: where a route sends the client. Apache: Redirect, RedirectMatch."""

    to: Annotated[
        str,
        Meta(
            extra={"example": "https://new.example/"},
            description="URL or path that is sent as Location. What follows the matched prefix is appended, and the "
            "query where there is none yet; with path_regex, $0 to $9 are what its groups found. Empty for statuses "
            "that are no redirect.",
        ),
    ] = ""
    status: Annotated[
        int,
        Meta(
            ge=300,
            le=599,
            description="Status of the answer: 301, 302, 303, 307, 308; or one that says no more, such as 410.",
        ),
    ] = 302
