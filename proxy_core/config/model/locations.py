"""[[locations]]: settings for some paths, targets or files.

Names and meanings are those of Apache httpd's Location, Proxy, Directory, Files and If. What needs more than one field
is checked in ``rules.lint``.
"""

from typing import Annotated, Literal

from proxy_core.config.model.compress import Compress
from proxy_core.config.model.file_types import FileTypes
from proxy_core.config.model.site_table import HostRow
from proxy_core.config.model.types import (
    AuthName,
    AutoIndex,
    DefaultCharset,
    DirectoryIndex,
    FallbackResource,
    FollowLinks,
    ForwardAuthName,
    IndexIgnore,
    MaxBody,
    Method,
    NonEmpty,
    Require,
    Seconds,
    UrlPath,
    example,
)


class Location(HostRow, frozen=True, kw_only=True):
    """[[locations]]: settings for some paths or targets; exactly one of path, path_regex, target, target_regex, folder
    and folder_regex says which; files alone or beside one of the last two. Later rows win over earlier ones, paths over
    targets and folders, deeper folders over those that they are in, folder_regex over all of these (the more slashes in
    it, the later), rows with expr over all others, those for "/" first, and rows that are final over all of these.
    Apache: Location, LocationMatch, Proxy, ProxyMatch, Directory, DirectoryMatch, Files, If.

    [[locations]]
    path = "/admin"
    require = ["ip 10.0.0.0/8"]
    timeout = 300
    """

    path: Annotated[UrlPath | None, example("/app")] = None
    """Path prefix, matched by whole segments as in routes. Apache: Location."""

    path_regex: Annotated[str | None, example("^/app/.*\\.pdf$")] = None
    """Regular expression, searched in the decoded path. Apache: LocationMatch."""

    target: Annotated[str | None, example("http://127.0.0.1:8000/app")] = None
    """Prefix of the URL that a request is forwarded to, character by character; with * ? or [ a wildcard pattern.
    Apache: Proxy."""

    target_regex: Annotated[str | None, example("^http://10\\.")] = None
    """Regular expression, searched in the URL that a request is forwarded to. Apache: ProxyMatch."""

    folder: Annotated[NonEmpty | None, example("www/private")] = None
    """Folder, relative to the site file, with all below it, where a file is what answers; * ? and [ are wildcards that
    take no slash. Apache: Directory."""

    folder_regex: Annotated[str | None, example("^/srv/www/[^/]+/private")] = None
    """Regular expression, searched in the whole name of the file that answers, which is absolute where document_root or
    the folder of the route is, and else relative to the site file. Apache: DirectoryMatch."""

    files: Annotated[str | None, example("\\.bak$")] = None
    """Regular expression, searched in the name of the file that answers, without its folders. Apache: FilesMatch."""

    timeout: Seconds | None = None
    """Seconds of silence for these requests, instead of the route's timeout."""

    error_override: bool | None = None
    """Error override for these requests, instead of the route's."""

    override_codes: tuple[str, ...] = ()
    """The statuses that error_override is for, instead of the route's."""

    preserve_host: bool | None = None
    """Whether the upstream is told the client's Host, instead of the route's word."""

    add_forwarded: bool | None = None
    """Whether X-Forwarded-For, -Host and -Server are added, not the host's word."""

    expires_active: bool | None = None
    """Whether rows of [[expires]] act, not the host's word."""

    default_charset: DefaultCharset | None = None
    """See ``DefaultCharset``."""

    cache: bool | None = None
    """Whether answers to these requests are kept, instead of the route's word. Apache: CacheEnable, CacheDisable."""

    max_body: MaxBody = None
    """See ``MaxBody``."""

    methods: Annotated[tuple[Method, ...], example(["GET", "POST"])] = ()
    """Methods that are allowed; others get 405, whoever asks. GET stands for HEAD too, "*" for every method. Empty:
    nothing is said. Apache: AllowMethods."""

    require: Require = ()
    """See ``Require``."""

    merging: Literal["off", "and", "or"] = "off"
    """What becomes of what was required before. off: require takes its place. and: both must hold. or: one of the two.
    Apache: AuthMerging."""

    final: bool = False
    """Whether the row is laid over all others, whatever kind they are, so that none of them opens what it closes."""

    auth: AuthName = ""
    """See ``AuthName``."""

    forward_auth: ForwardAuthName = ""
    """See ``ForwardAuthName``."""

    directory_index: DirectoryIndex | None = None
    """See ``DirectoryIndex``."""

    fallback_resource: FallbackResource | None = None
    """See ``FallbackResource``."""

    autoindex: AutoIndex | None = None
    """See ``AutoIndex``."""

    index_ignore: IndexIgnore | None = None
    """See ``IndexIgnore``."""

    follow_links: FollowLinks | None = None
    """See ``FollowLinks``."""

    file_types: FileTypes | None = None
    """What names of files say in it, beside what its host says: by extension its word takes the place of that one."""

    compress: Compress | None = None
    """Which of these answers are coded, and how, instead of the route's."""

    expr: Annotated[str, example("%{HTTP_HOST} == 'old.example'")] = ""
    """Only where this expression holds, too. Apache: If."""
