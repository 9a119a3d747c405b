"""Request-targets and URLs: what a path means, and how it is spelled towards an upstream.

Rules match the *normalised* path alone: its escapes are decoded once, its slashes merged, its dot segments removed. So
every spelling of a path is one path, and no spelling walks round an exception. What goes upstream is spelled anew from
the normalised path and never copied from the client. The meaning is httpd's, with AllowEncodedSlashes and MergeSlashes
as ``Reading`` says: ``ap_normalize_path`` and ``ap_unescape_url`` in server/util.c in the order of
``ap_process_request_internal``, and ``ap_proxy_canonenc`` in modules/proxy/proxy_util.c. A path is a ``str`` of which
each character is one byte (latin-1); ``as_bytes_text`` turns configured text into one. Pure; no configuration, no I/O.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal

from msgspec import Struct

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_SAFE = _UNRESERVED + "$+!*'(),;:@&=/"
_ESCAPES = {code: f"%{code:02X}" for code in range(256) if chr(code) not in _SAFE}

_UNSENDABLE = re.compile(rb"[\x00-\x20\x7f#]")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_KEPT = re.compile(r"(%(?:25)*2[Ff])")
_KEPT_OR_ESCAPE = re.compile(r"%(?:25)*2[Ff]|%([0-9A-Fa-f]{2})")
_SEGMENT = rb"/[A-Za-z0-9_~$+!*'(),;:@&=-][A-Za-z0-9_~$+!*'(),;:@&=.-]*+"
PLAIN = re.compile(rb"(?=/)((?:" + _SEGMENT + rb")*+/?)(\?[^\x00-\x20\x7f#]*+|)").fullmatch
"""Matches a target whose path is its own normal form *and* its own spelling upstream: nearly every request. The
groups are path and query (empty when there is none)."""


Slashes = Literal["refuse", "decode", "keep"]


class Reading(Struct, frozen=True):
    """How paths are read. ``slashes`` says what an escaped slash is (Apache: AllowEncodedSlashes Off, On, NoDecode),
    ``merge`` whether several slashes in a row are one (MergeSlashes)."""

    slashes: Slashes = "refuse"
    merge: bool = True


DEFAULT = Reading()


class BadTarget(Exception):
    """The target is refused with ``status`` (400 or 404); ``why`` is a sentence for people."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def split(target: bytes) -> tuple[bytes, bytes]:
    """Path and query (with its "?", b"" when there is none) of an origin-form (RFC 9112 §3.2.1).

    Raises BadTarget 400 for what is no origin-form: no slash in front, blanks, controls, a fragment.
    """
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/"):
        raise BadTarget(400, "the target does not start with a slash")
    if _UNSENDABLE.search(target):
        raise BadTarget(400, "the target holds a blank, a control character or a #")
    return path, mark + query


def normalised(raw_path: bytes, reading: Reading = DEFAULT) -> str:
    """The path that rules see, one character for each byte.

    Unreserved characters are decoded before dot segments are removed and everything else after it, as Apache does
    (RFC 3986 §6.2.2): "%2e%2e" goes up and "%252e" is an ordinary name. Where escaped slashes are decoded, the
    segments that come of it are looked at once more. Where they are kept, "%2F" stays as it is, and so does the "%25"
    of "%252F", for otherwise the two would be one path (Apache sends both as "%2F").

    Raises BadTarget: 400 for an escape that is none and for ".." above the root; 404 for an escaped NUL, and for an
    escaped slash where it is refused: no rule could tell them from the real one.
    """
    path = undecoded(raw_path, reading)
    if reading.slashes == "refuse":
        return _ESCAPE.sub(_decoded, path)
    if reading.slashes == "keep":
        return _KEPT_OR_ESCAPE.sub(_decoded_or_kept, path)
    return _segments(_ESCAPE.sub(_decoded_slash_too, path), reading.merge)


def undecoded(raw_path: bytes, reading: Reading = DEFAULT) -> str:
    """The path without dot segments and with unreserved characters decoded, everything else as the client spelled it.
    Raises BadTarget 400."""
    if _BAD_ESCAPE.search(raw_path):
        raise BadTarget(400, "the path holds a % that is not followed by two hex digits")
    return _segments(_ESCAPE.sub(_decoded_unreserved, raw_path.decode("latin-1")), reading.merge)


def _segments(path: str, merge: bool) -> str:
    """The path without "." and "..", each of which takes the segment before it along, be it empty. Slashes in front
    are one in any case (``ap_parse_uri``)."""
    segments: list[str] = []
    names = path.lstrip("/").split("/")
    for segment in names:
        if segment == "..":
            if not segments:
                raise BadTarget(400, "the path goes above the root")
            segments.pop()
        elif segment != "." and (segment or not merge):
            segments.append(segment)
    if names[-1] in (".", "..") or (merge and not names[-1]):
        segments.append("")
    return "/" + "/".join(segments)


def readings_behind(raw_path: bytes, reading: Reading, servlet: bool = False) -> tuple[str, ...]:
    """The paths that members read where they get the client's own spelling: decoded once, slashes too; a ``servlet``
    container takes the parameters of segments off first (";v=1"), so that "..;" goes up, as httpd does for its guards
    (``AP_NORMALIZE_DROP_PARAMETERS`` in server/util.c). Guards are held against each. Raises BadTarget."""
    path = undecoded(raw_path, reading)
    if servlet:
        path = "/".join(segment.partition(";")[0] for segment in path.split("/"))
    return _readings(_ESCAPE.sub(_decoded_slash_too, path))


def readings_of_kept(path: str, reading: Reading) -> tuple[str, ...]:
    """The paths that members read which take the escaped slashes of a normalised path for slashes; none where none were
    kept. Raises BadTarget 400."""
    if reading.slashes != "keep" or not _KEPT_SLASH.search(path):
        return ()
    return _readings(_KEPT_SLASH.sub("/", path))


def _readings(path: str) -> tuple[str, ...]:
    """The path without dot segments, in two ways where what ".." takes away may be an empty segment or not."""
    return tuple(dict.fromkeys((_segments(path, False), _segments(re.sub("/{2,}", "/", path), False))))


_KEPT_SLASH = re.compile(r"%2[Ff]")
CLIMBS = "a pattern made a path with a segment . or .. in it"
"""Why a made path is refused: past what guards one path it would lead to another."""
_PARTS = re.compile(r"[/\\]")


def climbs(path: str) -> bool:
    """Whether a path has a segment that some member takes for "." or "..", however it is spelled: plain, escaped (once
    or more often), or behind a backslash."""
    if "." not in path and "%" not in path:
        return False
    for _ in range(_DEPTH):
        if not {".", ".."}.isdisjoint(_PARTS.split(path)):
            return True
        if "%" not in path:
            return False
        path = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), path)
    return False


_DEPTH = 4
"""How often an escape may hide another one before nobody reads it any more."""


def _decoded_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0]


def _decoded(escape: re.Match[str]) -> str:
    character = _decoded_slash_too(escape)
    if character == "/":
        raise BadTarget(404, f"the path holds an escaped slash ({escape[0]})")
    return character


def _decoded_slash_too(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    if character == "\0":
        raise BadTarget(404, f"the path holds an escaped NUL ({escape[0]})")
    return character


def _decoded_or_kept(escape: re.Match[str]) -> str:
    return escape[0] if escape[1] is None else _decoded_slash_too(escape)


def escaped(path: str, reading: Reading = DEFAULT) -> bytes:
    """The spelling of a normalised path towards an upstream: every byte but ``A-Za-z0-9-._~$+!*'(),;:@&=/`` is an
    upper-case escape, so that one path has one spelling (``ap_proxy_canonenc``, enc_path). Escaped slashes that were
    kept stay as they are."""
    if reading.slashes == "keep" and "%" in path:
        pieces = _KEPT.split(path)
        pieces[::2] = [piece.translate(_ESCAPES) for piece in pieces[::2]]
        return "".join(pieces).encode("ascii")
    return path.translate(_ESCAPES).encode("ascii")


def as_bytes_text(text: str) -> str:
    """Configured text in the view of this module: one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def readable(path: str | bytes) -> str:
    """A path in the view of this module as people read it: UTF-8 where it is UTF-8."""
    raw = path.encode("latin-1") if isinstance(path, str) else path
    return raw.decode("utf-8", "backslashreplace")


class Origin(Struct, frozen=True):
    """Where a URL points. ``host`` is lower-case and without brackets; ``path`` is "" or starts with a slash, and is
    taken as it is written: Apache decodes no escape in it and spells it anew with the rest, so "%20" in it is sent as
    "%2520" and a blank as "%20". For a socket in the file system ``host`` is "unix:" and its path, ``port`` is 0 and
    ``named`` is the authority that the URL gives besides."""

    scheme: str
    host: str
    port: int
    path: str
    named: str = ""

    @property
    def authority(self) -> str:
        """What the Host field says: the port is left out when it is the scheme's own."""
        if self.named:
            return self.named
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """``scheme://authority``: one spelling for every spelling of one origin (RFC 6454 §6.2)."""
        return f"{self.host}|{self.scheme}://{self.named}" if self.named else f"{self.scheme}://{self.authority}"

    @property
    def transport(self) -> str:
        """http or https: what is spoken until a connection changes to another protocol."""
        return TRANSPORTS[self.scheme]


PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
"""The schemes that can be spoken to upstreams, with their own ports."""
TRANSPORTS = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([^:]*))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@lru_cache(4096)
def origin(url: str) -> Origin:
    """Read the URL of a member or of a route. Raises ValueError with a sentence that says what is wrong."""
    if url[:5].lower() == "unix:":
        return _socket(url)
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError(f'"{url}" is not a URL: it has the form http://host:port/path')
    scheme, authority, path, more = found[1].lower(), found[2], found[3], found[4]
    if scheme not in PORTS:
        raise ValueError(f"the scheme of {url} is {scheme}: only http, https, ws and wss are spoken to upstreams")
    if more:
        raise ValueError(
            f"{url} has a {'query' if more[0] == '?' else 'fragment'}: only scheme, host, port and path count"
        )
    if "@" in authority:
        raise ValueError(f"{url} has a user name in it: only scheme, host, port and path count")
    if url != url.strip() or _CONTROL.search(url):
        raise ValueError(f"{url!r} has a blank at an end, or a control character in it")
    host, port = _host_and_port(authority, url)
    if not host:
        raise ValueError(f"{url} names no host")
    if port == 0:
        raise ValueError(f"{url} has port 0, which nobody listens on")
    return Origin(scheme, host, port or PORTS[scheme], path)


def _socket(url: str) -> Origin:
    """``unix:/run/app.sock|http://app/path``, as ap_proxy_de_socketfy reads it."""
    socket, bar, rest = url[5:].partition("|")
    if not bar or not socket.startswith("/") or _CONTROL.search(socket):
        raise ValueError(f'"{url}" is not a socket: it has the form unix:/run/app.sock|http://name/path')
    there = origin(rest)
    if there.scheme != "http":
        raise ValueError(f"the scheme of {url} is {there.scheme}: only http is spoken over a socket in the file system")
    return Origin(there.scheme, f"unix:{socket}", 0, there.path, there.authority)


def balancer(url: str) -> tuple[str, str] | None:
    """Name and path of ``balancer://name/path``; None for every other URL."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.lower() != "balancer":
        return None
    name, slash, path = rest.partition("/")
    return name, slash + path


def endpoint(address: str) -> tuple[str, int]:
    """Host ("" = every address) and port of a listener's address: "127.0.0.1:8080", "[::1]:8080", ":8080".

    Raises ValueError with a sentence that says what is wrong.
    """
    host, port = _host_and_port(address, address)
    if port is None:
        raise ValueError(f'"{address}" has no port: it has the form 127.0.0.1:8080 or :8080')
    return host, port


def is_loopback(host: str) -> bool:
    """Whether a host, by name or number, is this machine and nobody else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_ascii(name: str) -> str:
    """How a name with other letters is written in URLs (RFC 5891), as a remark; "" where that is not known."""
    try:
        return "" if name.isascii() else f": it is written as {name.encode('idna').decode()}"
    except UnicodeError:
        return ""


def _host_and_port(authority: str, whole: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        raise ValueError(f'"{whole}" is not host:port (an IPv6 address stands in brackets: [::1]:8080)')
    bracketed, name, digits = found[1], found[2], found[3]
    if bracketed is not None:
        try:
            host = str(IPv6Address(bracketed))
        except ValueError:
            raise ValueError(f'"{bracketed}" in "{whole}" is not an IPv6 address') from None
    else:
        host = name.lower()
        if host and not _HOST_NAME.fullmatch(host):
            raise ValueError(f'"{name}" in "{whole}" is not a host name{_in_ascii(name)}')
    if digits is None:
        return host, None
    if not (digits.isascii() and digits.isdigit() and int(digits) <= 65535):
        raise ValueError(f'"{digits}" in "{whole}" is not a port: a number up to 65535')
    return host, int(digits)
