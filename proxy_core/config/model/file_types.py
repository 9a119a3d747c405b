"""[file_types]: what the names of files that are served say of them, as Apache httpd's mod_mime."""

from typing import Annotated, Self

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import example, fitting

Extension = Annotated[str, fitting(r"^[^./\s\x00-\x1fA-Z\x7f]+\Z", "an extension in lower case, without its dot")]


class FileTypes(SiteTable, frozen=True, kw_only=True):
    """[file_types]: what the extensions of files say of them, besides the usual ones. A name may have several of them,
    of which the last one says the type; those that are not known say nothing. A host and a location have the last word
    on the extensions that they name.

    [site]
    document_root = "www"

    [file_types]
    types = { own = "application/x-own" }
    encodings = { gz = "gzip" }

    [hosts.shop]
    names = ["shop.example"]

    [hosts.shop.file_types]
    charsets = { html = "utf-8" }

    [[locations]]
    folder = "www/old"

    [locations.file_types]
    types = { own = "text/plain" }
    encodings = { gz = "" }
    """

    types: Annotated[dict[Extension, str], example({"own": "application/x-own"})] = {}
    """Media types (Content-Type) by the extension, without its dot; empty: it says none. Apache: AddType,
    RemoveType."""

    encodings: Annotated[dict[Extension, str], example({"gz": "gzip"})] = {}
    """Encodings (Content-Encoding) by the extension: what stands before it says the type of what is encoded; empty: it
    says none. Apache: AddEncoding, RemoveEncoding."""

    charsets: Annotated[dict[Extension, str], example({"utf8": "utf-8"})] = {}
    """Charsets by the extension, put behind the type that another one says; empty: it says none. Apache: AddCharset,
    RemoveCharset."""

    languages: Annotated[dict[Extension, str], example({"de": "de"})] = {}
    """Languages (Content-Language) by the extension; empty: it says none. Apache: AddLanguage, RemoveLanguage."""

    def under(self, own: Self | None) -> Self:
        """What is said where ``own`` is said as well, which has the last word on its extensions."""
        if own is None:
            return self
        pairs = {name: getattr(self, name) | getattr(own, name) for name in self.__struct_fields__}
        return type(self)(**pairs)
