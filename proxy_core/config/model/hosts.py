"""[hosts.NAME]: a name-based virtual host, as Apache httpd's VirtualHost.

What a host does not say itself it has from [site]. What needs more than one field is checked in ``rules.lint``.
"""

from typing import Annotated, Literal

from proxy_core.config.model.compress import Compress
from proxy_core.config.model.file_types import FileTypes
from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.tls import UpstreamTls
from proxy_core.config.model.types import (
    AuthName,
    AutoIndex,
    DefaultCharset,
    DirectoryIndex,
    DocumentRoot,
    EncodedSlashes,
    FallbackResource,
    FollowLinks,
    IndexIgnore,
    MaxBody,
    Require,
    Seconds,
    Via,
    example,
)


class Host(SiteTable, frozen=True, kw_only=True):
    """[hosts.NAME]: a name-based virtual host; rows with host = "NAME" are its own. The first host of a listener takes
    what no host names. Apache: VirtualHost.

    [hosts.shop]
    names = ["shop.example", "*.shop.example"]
    timeout = 120

    [[routes]]
    host = "shop"
    path = "/"
    proxy = "balancer://shop/"
    """

    names: tuple[str, ...] = ()
    """Names that it answers to, without port; * and ? are wildcards, upper and lower case are one. Apache: ServerName
    and ServerAlias."""

    listeners: tuple[str, ...] = ()
    """Names of the listeners that it is reached through; empty: all of them."""

    server_name: Annotated[str, example("shop.example")] = ""
    """What it calls itself where a request gives no name; without it the first of names."""

    canonical_name: bool | None = None
    """Whether its server_name is used in addresses of its own, not the site's word."""

    rewrites: Literal["before", "after", "own", "off"] = "before"
    """The server's rewrite rules: before its own, after its own, not at all (own); off: no rules, its own neither.
    Apache: RewriteOptions InheritDownBefore, InheritDown, IgnoreInherit; RewriteEngine."""

    timeout: Seconds | None = None
    """Seconds of silence for its requests, instead of the site's timeout."""

    error_override: bool | None = None
    """Error override for its requests, not the site's."""

    override_codes: tuple[str, ...] | None = None
    """The statuses that its error_override is for, not the site's."""

    encoded_slashes: EncodedSlashes | None = None
    """What %2F in a path is, not the site's word."""

    merge_slashes: bool | None = None
    """Whether slashes in a row are one, not the site's."""

    preserve_host: bool | None = None
    """Whether upstreams are told the client's Host, instead of the site's word."""

    via: Via | None = None
    """The Via field, instead of the site's word."""

    add_forwarded: bool | None = None
    """Whether X-Forwarded-For, -Host and -Server are added, not the site's word."""

    expires_active: bool | None = None
    """Whether rows of [[expires]] act, not the site's word."""

    default_charset: DefaultCharset | None = None
    """See ``DefaultCharset``."""

    max_body: MaxBody = None
    """See ``MaxBody``."""

    require: Require = ()
    """See ``Require``."""

    auth: AuthName = ""
    """See ``AuthName``."""

    document_root: DocumentRoot | None = None
    """See ``DocumentRoot``."""

    directory_index: DirectoryIndex | None = None
    """See ``DirectoryIndex``."""

    upstream_tls: UpstreamTls | None = None
    """How https and wss members are spoken to for its requests, instead of [upstream_tls]."""

    fallback_resource: FallbackResource | None = None
    """See ``FallbackResource``."""

    autoindex: AutoIndex | None = None
    """See ``AutoIndex``."""

    index_ignore: IndexIgnore | None = None
    """See ``IndexIgnore``."""

    follow_links: FollowLinks | None = None
    """See ``FollowLinks``."""

    file_types: FileTypes | None = None
    """What names of files say in it, beside [file_types]: by extension its word takes the place of that one."""

    compress: Compress | None = None
    """Which of its answers are coded, and how, instead of [compress]."""
