"""The part of the model about routes: what takes a request, and where it goes.

As in ``model``, every field carries its manual, and what needs more than one field is checked in ``config.check`` or
``rules.lint.site``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from proxy_core.config.model.access import Redirection
from proxy_core.config.model.rewriting import HostName
from proxy_core.config.model.types import MaxBody, RowId, Seconds, Upgrade


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[routes]]: where requests go. The first row in file order whose path matches decides; exactly one of
    ``proxy``, ``redirect``, ``folder`` and ``except`` says what happens."""

    id: RowId = ""
    host: HostName = ""
    path: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^/", extra={"wanted": "a path that begins with a slash", "example": "/app"}),
        ]
        | None,
        Meta(
            description="Path prefix, matched by whole segments against the decoded, normalised path: /app takes "
            "/app and /app/x, not /apple; /app/ takes only what is below it. Apache: ProxyPass.",
        ),
    ] = None
    path_regex: Annotated[
        str | None,
        Meta(
            extra={"example": "^/(.*\\.gif)$"},
            description="Instead of path: a regular expression (PCRE), searched in the decoded path. Apache: "
            "ProxyPassMatch.",
        ),
    ] = None
    proxy: Annotated[
        str | None,
        Meta(
            extra={"example": "http://127.0.0.1:8000/app"},
            description='Where to forward: "http://host:port/path" (or https, ws, wss), or "balancer://name/path". '
            "What follows the matched prefix is appended, so both sides should end in a slash, or neither. With "
            "path_regex, $0 to $9 in the path are what its groups found; without any of them the whole path of the "
            "request is appended.",
        ),
    ] = None
    nocanon: Annotated[
        bool,
        Meta(
            description="Send the path as the client spelled it, escapes, dots and all, instead of the one spelling "
            "that every path has. Only where the client's spelling of the matched part is the plain one. "
            "Apache: nocanon.",
        ),
    ] = False
    mapping: Annotated[
        Literal["decoded", "encoded", "servlet"],
        Meta(
            description="Which path is matched. encoded: the path with its escapes, before all rewriting and all other "
            "routes, and sent as it is. servlet: the same, without ;parameters in its segments, as servlet containers "
            "map. Apache: mapping.",
        ),
    ] = "decoded"
    except_: Annotated[
        bool,
        Meta(
            description="An exception: what matches is not forwarded by any later row; a redirect or a folder below it "
            "may still answer, or a file of document_root. It must stand above the rows that it excepts from. Apache: "
            "ProxyPass with a target of !.",
        ),
    ] = field(name="except", default=False)
    redirect: Annotated[
        Redirection | None, Meta(description="Send the client elsewhere. Apache: Redirect, RedirectMatch.")
    ] = None
    folder: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            extra={"example": "static"},
            description="Folder, relative to the site file, whose files answer: what follows the matched prefix is "
            "looked for in it, as document_root describes. Apache: Alias.",
        ),
    ] = None
    enabled: Annotated[bool, Meta(description="false leaves the row in the file but takes it out of service.")] = True
    timeout: Annotated[
        Seconds | None, Meta(description="Seconds of silence for this route, instead of the site's timeout.")
    ] = None
    max_body: MaxBody = None
    upgrade: Upgrade = ()
    preserve_host: Annotated[
        bool | None, Meta(description="Whether the upstream is told the client's Host, instead of the site's word.")
    ] = None
    error_override: Annotated[
        bool | None, Meta(description="Error override for this route, instead of the site's.")
    ] = None
    override_codes: Annotated[
        tuple[str, ...], Meta(description="The statuses that error_override is for, instead of the site's.")
    ] = ()
    interpolate: Annotated[
        bool,
        Meta(
            description="Replace ${NAME} in the path of proxy by that variable of the request, as [[env]] and rules "
            "have set it; nothing where it is not set. Apache: interpolate.",
        ),
    ] = False

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
