"""[file_types]: what the names of files that are served say of them, as Apache httpd's mod_mime."""

from typing import Annotated

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import example, fitting

Extension = Annotated[str, fitting(r"^[^./\s\x00-\x1fA-Z\x7f]+\Z", "an extension in lower case, without its dot")]


class FileTypes(SiteTable, frozen=True, kw_only=True):
    """[file_types]: what the extensions of files say of them, besides the usual ones. A name may have several of them,
    of which the last one says the type; those that are not known say nothing.

    [file_types]
    types = { own = "application/x-own" }
    encodings = { gz = "gzip" }
    """

    types: Annotated[dict[Extension, str], example({"own": "application/x-own"})] = {}
    """Media types (Content-Type) by the extension, without its dot; empty: it says none. Apache: AddType,
    RemoveType."""

    encodings: Annotated[dict[Extension, str], example({"gz": "gzip"})] = {}
    """Encodings (Content-Encoding) by the extension: what stands before it says the type of what is encoded. Apache:
    AddEncoding."""

    charsets: Annotated[dict[Extension, str], example({"utf8": "utf-8"})] = {}
    """Charsets by the extension, put behind the type that another one says. Apache: AddCharset."""

    languages: Annotated[dict[Extension, str], example({"de": "de"})] = {}
    """Languages (Content-Language) by the extension. Apache: AddLanguage."""
