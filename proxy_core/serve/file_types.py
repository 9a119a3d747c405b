"""What the name of a file says of it: type, encoding and language, by its extensions (``find_ct`` in mod_mime.c).

The types that everybody knows are Python's own table and what it lacks of Apache's mime.types, whatever the system has:
one site means the same everywhere. Pure.
"""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import NamedTuple

from proxy_core.config.model import FileTypes

_MORE = {
    "xml": "application/xml", "js": "text/javascript",  # RFC 9239, which the tables of older Pythons do not know
    "mjs": "text/javascript", "md": "text/markdown", "log": "text/plain", "conf": "text/plain", "text": "text/plain",
    "gz": "application/gzip", "tgz": "application/gzip", "bz2": "application/x-bzip2", "xz": "application/x-xz",
    "z": "application/x-compress", "zst": "application/zstd", "7z": "application/x-7z-compressed",
    "rar": "application/vnd.rar", "jar": "application/java-archive", "svgz": "image/svg+xml", "webp": "image/webp",
    "avif": "image/avif", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "atom": "application/atom+xml", "rss": "application/rss+xml", "epub": "application/epub+zip",
    "ogg": "audio/ogg", "oga": "audio/ogg", "ogv": "video/ogg", "flac": "audio/flac", "m4a": "audio/mp4",
    "m4v": "video/x-m4v", "mkv": "video/x-matroska", "deb": "application/vnd.debian.binary-package",
}  # fmt: skip
_KNOWN = {name.removeprefix("."): kind for name, kind in MimeTypes().types_map[True].items()} | _MORE


class Described(NamedTuple):
    """The type of a file, "" where nothing says it, and its encodings and languages, joined by commas."""

    type: str
    encoding: str
    language: str


def described(name: str, own: FileTypes) -> Described:
    """What a file of this name is; ``own`` is what the site says of extensions, in lower case, besides the usual."""
    kind, charset, encodings, languages = "", "", list[str](), list[str]()
    for extension in name.rpartition("/")[2].lower().split(".")[1:]:
        kind = own.types.get(extension, _KNOWN.get(extension, "")) or kind
        charset = own.charsets.get(extension, charset)
        encodings += filter(None, [own.encodings.get(extension)])
        languages += filter(None, [own.languages.get(extension)])
    return Described(
        f"{kind}; charset={charset}" if kind and charset else kind, ", ".join(encodings), ",".join(languages)
    )
