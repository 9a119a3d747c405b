"""The part of the model that says for whom other settings hold: hosts, and locations within them.

Names and meanings are those of Apache httpd's VirtualHost, Location and Proxy. What a host does not say itself it has
from [site]. As in ``model``, every field carries its manual; what needs more than one field is ``rules.lint``'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.access import AuthName, DirectoryIndex, DocumentRoot, Require
from proxy_core.config.model.rewriting import Enabled, HostName
from proxy_core.config.model.types import MaxBody, RowId, Seconds


class Host(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[hosts.NAME]: a name-based virtual host; rows with host = "NAME" are its own. The first host of a listener takes
    what no host names. Apache: VirtualHost."""

    names: Annotated[
        tuple[str, ...],
        Meta(
            description="Names that it answers to, without port; * and ? are wildcards, upper and lower case are one. "
            "Apache: ServerName and ServerAlias.",
        ),
    ] = ()
    listeners: Annotated[
        tuple[str, ...],
        Meta(description="Names of the listeners that it is reached through; empty: all of them."),
    ] = ()
    server_name: Annotated[
        str,
        Meta(
            extra={"example": "shop.example"},
            description="What it calls itself where a request gives no name; without it the first of names.",
        ),
    ] = ""
    canonical_name: Annotated[
        bool | None, Meta(description="Whether its server_name is used in addresses of its own, not the site's word.")
    ] = None
    rewrites: Annotated[
        Literal["before", "after", "own", "off"],
        Meta(
            description="The server's rewrite rules: before its own, after its own, not at all (own); off: no rules, "
            "its own neither. Apache: RewriteOptions InheritDownBefore, InheritDown, IgnoreInherit; RewriteEngine.",
        ),
    ] = "before"
    timeout: Annotated[
        Seconds | None, Meta(description="Seconds of silence for its requests, instead of the site's timeout.")
    ] = None
    error_override: Annotated[bool | None, Meta(description="Error override for its requests, not the site's.")] = None
    override_codes: Annotated[
        tuple[str, ...] | None, Meta(description="The statuses that its error_override is for, not the site's.")
    ] = None
    encoded_slashes: Annotated[
        Literal["refuse", "decode", "keep"] | None, Meta(description="What %2F in a path is, not the site's word.")
    ] = None
    merge_slashes: Annotated[bool | None, Meta(description="Whether slashes in a row are one, not the site's.")] = None
    preserve_host: Annotated[
        bool | None, Meta(description="Whether upstreams are told the client's Host, instead of the site's word.")
    ] = None
    via: Annotated[
        Literal["off", "on", "full", "block"] | None, Meta(description="The Via field, instead of the site's word.")
    ] = None
    add_forwarded: Annotated[
        bool | None, Meta(description="Whether X-Forwarded-For, -Host and -Server are added, not the site's word.")
    ] = None
    max_body: MaxBody = None
    require: Require = ()
    auth: AuthName = ""
    document_root: DocumentRoot | None = None
    directory_index: DirectoryIndex | None = None


class Location(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[locations]]: settings for some paths or targets; exactly one of path, path_regex, target, target_regex and
    folder says which; files alone or beside folder. Later rows win over earlier ones, paths over targets and folders,
    deeper folders over those that they are in, rows with expr over all others. Apache: Location, LocationMatch, Proxy,
    ProxyMatch, Directory, Files, If."""

    id: RowId = ""
    host: HostName = ""
    enabled: Enabled = True
    path: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^/", extra={"wanted": "a path that begins with a slash", "example": "/app"}),
        ]
        | None,
        Meta(description="Path prefix, matched by whole segments as in routes. Apache: Location."),
    ] = None
    path_regex: Annotated[
        str | None,
        Meta(
            extra={"example": "^/app/.*\\.pdf$"},
            description="Regular expression, searched in the decoded path. Apache: LocationMatch.",
        ),
    ] = None
    target: Annotated[
        str | None,
        Meta(
            extra={"example": "http://127.0.0.1:8000/app"},
            description="Prefix of the URL that a request is forwarded to, character by character; with * ? or [ a "
            "wildcard pattern. Apache: Proxy.",
        ),
    ] = None
    target_regex: Annotated[
        str | None,
        Meta(
            extra={"example": "^http://10\\."},
            description="Regular expression, searched in the URL that a request is forwarded to. Apache: ProxyMatch.",
        ),
    ] = None
    folder: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            extra={"example": "www/private"},
            description="Folder, relative to the site file, with all below it, where a file is what answers; * ? and [ "
            "are wildcards that take no slash. Apache: Directory.",
        ),
    ] = None
    files: Annotated[
        str | None,
        Meta(
            extra={"example": "\\.bak$"},
            description="Regular expression, searched in the name of the file that answers, without its folders. "
            "Apache: FilesMatch.",
        ),
    ] = None
    timeout: Annotated[
        Seconds | None, Meta(description="Seconds of silence for these requests, instead of the route's timeout.")
    ] = None
    error_override: Annotated[
        bool | None, Meta(description="Error override for these requests, instead of the route's.")
    ] = None
    override_codes: Annotated[
        tuple[str, ...], Meta(description="The statuses that error_override is for, instead of the route's.")
    ] = ()
    preserve_host: Annotated[
        bool | None, Meta(description="Whether the upstream is told the client's Host, instead of the route's word.")
    ] = None
    add_forwarded: Annotated[
        bool | None, Meta(description="Whether X-Forwarded-For, -Host and -Server are added, not the host's word.")
    ] = None
    max_body: MaxBody = None
    require: Require = ()
    merging: Annotated[
        Literal["off", "and", "or"],
        Meta(
            description="What becomes of what was required before. off: require takes its place. and: both must hold. "
            "or: one of the two. Apache: AuthMerging.",
        ),
    ] = "off"
    auth: AuthName = ""
    expr: Annotated[
        str,
        Meta(
            extra={"example": "%{HTTP_HOST} == 'old.example'"},
            description="Only where this expression holds, too. Apache: If.",
        ),
    ] = ""
