"""Which requests HAProxy may decide itself: the plain ones, in every respect that rules or members could see.

A request that is spelled in an unusual way is where two proxies differ, and where exceptions are walked round. So
nothing of that kind is decided twice: HAProxy takes only targets that are their own normal form (``http.target.PLAIN``:
no escape, no dot segment, no slash twice), fields with ordinary names, each of them once, a plain Host and a body of
known length. Everything else goes down the lane as it came, and rproxy reads, refuses or spells it anew. Bounds of
size are looked at here too, for HAProxy would refuse what is too long with other statuses. Each condition is worded so
that an expression which gives up sends the request down the lane. Pure.
"""

from __future__ import annotations

from proxy_core.config.model import Limits, Site
from proxy_core.config.own_fields import own_fields
from proxy_core.haproxy.words import Lines, quoted

LONGEST_PATH = 512
"""Characters of a path. PCRE's compiler gives HAProxy's expressions 32 KiB to remember where they were; beyond that one
that repeats a group is not found, in silence, and a guard would be walked round by a long path."""
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""Methods without a meaning of their own to proxies."""
_SEGMENT = r"/[A-Za-z0-9_~$+!*\x27(),;:@&=-][A-Za-z0-9_~$+!*\x27(),;:@&=.-]*"
TARGET = rf"^(?=/)(?:{_SEGMENT})*/?(?:\?[!-\x22\x24-~]+)?$"
"""``http.target.PLAIN``, with a query of visible ASCII."""
_HOST = r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[1-9][0-9]{0,4})?$"
_HOP = (
    "connection", "expect", "forwarded", "http2-settings", "keep-alive", "max-forwards", "proxy", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip


def gate(site: Site, limits: Limits, secure: bool) -> Lines:
    """Conditions for each of which a request goes down the lane: of a listener with these limits."""
    unusual = "|".join((*_HOP, *sorted(name.decode("latin-1") for name in own_fields(site))))
    twice = r"(?:^|.*,)(?<twice>[^,]+),(?:.*,)?\k<twice>(?:,|$)"
    names = rf"^(?!(?:^|.*,)(?:{unusual})(?:,|$))(?!{twice})[a-z0-9,-]+$"
    port = "443" if secure else "80"
    return [
        f"!{{ url -m reg {quoted(TARGET)} }}",
        f"!{{ method {' '.join(METHODS)} }}",
        "!{ req.ver 1.1 }",
        f"!{{ req.hdr(host) -m reg {quoted(_HOST)} }}",
        f"{{ req.hdr(host) -m end :{port} }}",
        f"!{{ req.hdr_names -m reg {quoted(names)} }}",
        f"{{ path,length gt {LONGEST_PATH} }}",
        f"{{ url,length gt {limits.request_line - _REST_OF_LINE} }}",
        f"{{ req.hdrs,length gt {max(0, min(limits.field, limits.head - limits.request_line))} }}",
        f"{{ req.fhdr_cnt gt {limits.fields} }}",
        "{ req.hdr(content-length),length gt 18 }",
    ]


_REST_OF_LINE = len("OPTIONS  HTTP/1.1")
