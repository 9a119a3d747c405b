"""[compress]: which answers are coded for their clients, and how, as Apache httpd's mod_deflate and mod_brotli do.

What is worth a coding, and what must be left alone whatever is written here, is in ``http.content_coding``. What needs
more than one field is checked in ``rules.lint.compress``.
"""

from typing import Annotated

from msgspec import Meta

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import BodySize, example, fitting

MediaRange = Annotated[
    str, fitting(r"^(\*/\*|[!#$&^_.+0-9A-Za-z-]+/(\*|[!#$&^_.+0-9A-Za-z-]+))\Z", "a type such as text/html, or text/*")
]
ContentCoding = Annotated[str, fitting(r"^(zstd|br|gzip)\Z", "zstd, br or gzip")]


class Compress(SiteTable, frozen=True, kw_only=True):
    """[compress]: answers are coded (compressed) for clients that take it. A host, a route and a location may have a
    table of their own, which takes the place of the wider one as a whole; one without types and precompressed switches
    it off there. Left alone are answers that are coded already, parts of a body (206), those that say no-transform, and
    those without a body. Vary, ETag and Content-Length are made right. The variables no-gzip, no-brotli, no-zstd and
    gzip-only-text/html of [[env]] spare single requests. Apache: mod_deflate, mod_brotli.

    [compress]
    types = ["text/*", "application/json", "image/svg+xml"]

    [hosts.shop]
    names = ["shop.example"]

    [hosts.shop.compress]
    types = ["text/*"]
    ask_identity = true

    [[routes]]
    path = "/live"
    proxy = "http://127.0.0.1:8001/live"

    [routes.compress]
    types = ["text/event-stream"]
    codings = ["gzip"]

    [[locations]]
    path = "/account"

    [locations.compress]
    types = []                 # off
    """

    types: Annotated[tuple[MediaRange, ...], example(["text/*", "application/json"])] = ()
    """Media types of answers that are coded: "text/html", "text/*", or "*/*" for whatever has a type. Empty: none is.
    Apache: AddOutputFilterByType DEFLATE, SetOutputFilter DEFLATE."""

    min_length: BodySize = 256
    """Bytes that a body has at least to be coded, where its length is known beforehand."""

    codings: Annotated[tuple[ContentCoding, ...], example(["br", "gzip"])] = ("zstd", "br", "gzip")
    """Codings that are offered. Of those that a client likes best (Accept-Encoding with its weights), the first."""

    zstd_level: Annotated[int, Meta(ge=1, le=9)] = 3
    """How hard zstd tries: higher is smaller and slower."""

    br_level: Annotated[int, Meta(ge=0, le=11)] = 5
    """How hard br (Brotli) tries: higher is smaller and slower. Apache: BrotliCompressionQuality."""

    gzip_level: Annotated[int, Meta(ge=1, le=3)] = 3
    """How hard gzip tries: higher is smaller and slower. 3 comes to about what zlib does at its 3. Apache:
    DeflateCompressionLevel."""

    ask_identity: bool = False
    """Members are asked for what is not coded (Accept-Encoding: identity), so that all coding is done here. Without it
    a member that codes by itself is let."""

    spare_secrets: bool = False
    """Answers that may hold secrets are not coded: those to requests with a Cookie or an Authorization, and those with
    a Set-Cookie. Who can make a client repeat a request with a text of their own in it may learn a secret that stands
    in the same answer from the length of what is coded (BREACH)."""

    precompressed: bool = False
    """Where a file is served, one beside it with .zst, .br or .gz behind its name is sent in its place to clients that
    take that coding; it must be no older than the file."""
