"""Files that a site serves: the way to them, and the methods that they know (``default_handler`` in server/core.c)."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from msgspec.structs import replace

from proxy_core.config.folders import FILES, MADE, METHODS, Inside, parted, root_of
from proxy_core.config.model import Options, RewriteRule, Route
from proxy_core.http.escaping import sendable
from proxy_core.http.target import Reading, as_bytes_text, escaped
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Extras, Forward, Respond, ReverseRow
from proxy_core.rules.hosts import Own
from proxy_core.rules.rewriting.outcome import had_the_last_word
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.routing import mapping
from proxy_core.rules.routing.prefixes import collapsed
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text import pattern
from proxy_core.rules.text.variables import Scope

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


def typed(decision: Forward, host: HostTypes) -> Forward:
    """The decision, with whose word on the types of files holds for it, where there are several."""
    sections = tuple(each for each in decision.sections if each in host.sections)
    if not (host.name or sections):
        return decision
    key, slash, rest = decision.target[1:].partition(b"/")
    start = Inside(key.decode("ascii"), host.name, sections).spelled()
    return decision._replace(target=b"/" + start.encode("ascii") + slash + rest)


class HostTypes(NamedTuple):
    """Who has a word of its own on the types of files: the host by its name ("" for none), rows of [[locations]]."""

    name: str
    sections: frozenset[str]


NO_TYPES = HostTypes("", frozenset())


def in_place(files: BoundRoute, path: str, target: bytes, query: bytes, reading: Reading) -> tuple[BoundRoute, bytes]:
    """The way to what a row has made of a path, and its target there: a folder is redirected to the path as it was
    asked for, with a slash behind it, and where there is one already it is the folder (``fixup_dir`` and
    ``fixup_index`` in mod_dir.c); a file answers with that slash and without."""
    bare = target.rstrip(b"/")
    back = ReverseRow(bare.decode("ascii"), escaped(path.rstrip("/"), reading).decode("ascii"))
    if path.endswith("/"):
        _, key, *rest = bare.split(b"/", 2)
        target = b"/".join([b"", key + MADE.encode() * (bare == target), *rest, b""])
    return replace(files, reverse=(back,)), target + query


def in_folder(files: BoundRoute, rule: BoundRewrite, scope: Scope, reading: Reading, extras: Extras | None) -> Forward:
    """What a rule made, as a file of its folder."""
    query = b"" if scope.args is None else b"?" + sendable(scope.args)
    made = mapping.target(files, scope.uri, b"", b"", reading)
    _, extras = had_the_last_word(rule, extras)
    return Forward(*in_place(files, scope.path, made, query, reading), extras)


def served(options: Options, row: Route | RewriteRule | None, state: RuleState, own: Own) -> BoundRoute | None:
    """The way to the files of a row's folder, or of the document_root; None where there is none. A redirect to the
    folder itself is mapped back, and errors have our own pages."""
    root = root_of(options, row)
    if root is None:
        return None
    route = row if isinstance(row, Route) else Route(path="/")
    regex, rest = route.path_regex, parted(route)[1]
    prefix = collapsed(as_bytes_text(route.path or "/").encode("latin-1")).decode("latin-1")
    return BoundRoute(
        id="document_root" if row is None else row.id,
        path=prefix if regex is None else "",
        pool=FILES,
        target=b"/" + root.key.encode() + (b"/" if prefix.endswith("/") else b""),
        timeout=options.timeout,
        error_override=True,
        reverse=(ReverseRow(f"/{root.key}", escaped(prefix.rstrip("/")).decode()),),
        state=state,
        rows="site" if row is None else "routes" if isinstance(row, Route) else "rewrites",
        regex=None if regex is None else pattern.compile(regex),
        replacement=f"/{root.key}{as_bytes_text(rest)}",
        folder=as_bytes_text(posixpath.normpath(root.folder)),
        directory_index=options.directory_index,
        fallback_resource=options.fallback_resource,
        autoindex=options.autoindex,
        index_ignore=options.index_ignore,
        follow_links=options.follow_links,
        max_body=own.max_body,
        canonical=own.canonical,
    )
