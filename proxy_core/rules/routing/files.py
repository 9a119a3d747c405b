"""Files that a site serves: the way to them, and the methods that they know (``default_handler`` in server/core.c)."""

from __future__ import annotations

import posixpath

from proxy_core.config.folders import FILES, METHODS, root_of
from proxy_core.config.model import Options, RewriteRule, Route
from proxy_core.http.target import as_bytes_text, escaped
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Forward, Respond, ReverseRow, RuleState
from proxy_core.rules.hosts import Own
from proxy_core.rules.routing.prefixes import collapsed

_REFUSED = frozenset((
    "PUT", "DELETE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "MERGE",
    "VERSION-CONTROL", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "MKWORKSPACE", "MKACTIVITY",
    "BASELINE-CONTROL",
))  # fmt: skip
"""Methods that httpd knows: 405 for a file. What it does not know is 501."""


def refused_for_files(method: str, decision: Forward) -> Forward | Respond:
    """The decision, where files know the method."""
    if method in METHODS:
        return decision
    extras = decision.extras or NO_EXTRAS
    allow = f"Allow: {','.join(METHODS)}".encode()
    status = 405 if method in _REFUSED else 501
    return Respond(status, decision.route, f"files know no {method}", extras._replace(fields=(*extras.fields, allow)))


def served(options: Options, row: Route | RewriteRule | None, state: RuleState, own: Own) -> BoundRoute | None:
    """The way to the files of a row's folder, or of the document_root; None where there is none. A redirect to the
    folder itself is mapped back, and errors have our own pages."""
    root = root_of(options, row)
    if root is None:
        return None
    path = row.path or "/" if isinstance(row, Route) else "/"
    prefix = collapsed(as_bytes_text(path).encode("latin-1")).decode("latin-1")
    return BoundRoute(
        id="document_root" if row is None else row.id,
        path=prefix,
        pool=FILES,
        target=b"/" + root.key.encode() + (b"/" if prefix.endswith("/") else b""),
        timeout=options.timeout,
        error_override=True,
        reverse=(ReverseRow(f"/{root.key}", escaped(prefix.rstrip("/")).decode()),),
        state=state,
        rows="site" if row is None else "routes" if isinstance(row, Route) else "rewrites",
        folder=posixpath.normpath(root.folder),
        max_body=own.max_body,
        canonical=own.canonical,
    )
