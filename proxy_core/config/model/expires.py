"""[[expires]]: how long browsers and caches may keep answers.

Names and meanings are those of Apache httpd's mod_expires. What needs more than one field is checked in
``rules.lint.fields``.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy_core.config.model.site_table import LocationRow
from proxy_core.config.model.types import example, fitting


class ExpiryRule(LocationRow, frozen=True, kw_only=True):
    """[[expires]]: how long answers of a media type may be kept: Expires, and max-age in Cache-Control, where an answer
    says no Expires itself. Rows act where expires_active is true. Of several rows for one type the last one counts, the
    host's over the server's, then the locations'. Errors of the proxy's own get none. Apache: ExpiresByType,
    ExpiresDefault.

    [site]
    expires_active = true

    [[expires]]
    type = "image/*"
    after = 2592000
    immutable = true

    [[expires]]
    after = 3600
    """

    type: Annotated[str, fitting(r"^([^\s;/]+/[^\s;/]+)?\Z", "a media type, or one with * behind the slash"),
                    example("text/css")] = ""  # fmt: skip
    """The media type that it is for; "image/*" stands for those that no row of their own is for; empty for all the
    rest."""

    after: Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
    """Seconds after which an answer is stale."""

    since: Literal["access", "modification"] = "access"
    """From when they count: access: since it was asked for. modification: since the file changed; answers that come
    from no file get no date then."""

    immutable: bool = False
    """Cache-Control says immutable too: until it is stale it does not change, so browsers do not ask for it again where
    a page is reloaded. For what has a name of its own for each version (RFC 8246)."""
