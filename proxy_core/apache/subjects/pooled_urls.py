"""Plain URLs with bounds of their own: ProxyPass and ProxySet with ``max=``, ``acquire=``, ``ttl=`` and their like.

httpd keeps such bounds with the worker of a URL, which all longer URLs share (``ap_proxy_get_worker``), and whose
parameters are those of the ProxyPass that named it first (``add_pass``) and of every ProxySet. Here they are those of
a member, so a URL with bounds becomes a balancer of one, and all that names the URL names the balancer. ``retry=``
makes no difference to it: httpd puts no worker outside a balancer into the error state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proxy_core.apache.draft import NOBODY, DraftBalancer, DraftRow, DraftServer, PooledUrl, SiteDraft, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import MEMBER, POOLED, ROUTE, left_over, parameters, taken
from proxy_core.apache.subjects.balancing import acquired, configure, member_name, own_balancer
from proxy_core.http.target import origin

_AS_WITHOUT = {"max_connections": 0, "ttl": 0, "keepalive": False, "disablereuse": False}
"""What makes of a plain URL nothing else than it is."""


def proxy_set(context: ImportContext, directive: Directive) -> None:
    """ProxySet [url] key=value …"""
    context.unconditional()
    args = list(directive.args)
    url = args.pop(0) if context.section is None else context.section.argument
    if context.section is not None and context.section.kind == "proxymatch":
        raise Unsupported("it is for one URL or balancer, not for an expression")
    given = parameters(args)
    if url.lower().startswith("balancer://"):
        return configure(context, directive, own_balancer(context, directive, url), given)
    pooled(context, directive, url, given, sets=True)
    found = taken(context, given, {"timeout": ROUTE["timeout"]})
    left_over(context, given)
    if not found.get("timeout"):
        return
    if context.section is None:
        context.add(directive, "locations", {"target": url, **found})
    else:
        row = context.location()
        row.content |= found
        row.origins.append(directive)


def pooled(context: ImportContext, directive: Directive, url: str, given: dict[str, str], sets: bool) -> None:
    """Take the bounds of a URL out of ``given``; ``sets`` says whether they hold though the URL was named before."""
    acquire = given.pop("acquire", "")
    bounds = taken(context, given, {name: MEMBER[name] for name in POOLED})
    if acquire:
        bounds["acquire"] = acquired(acquire)
    url = _trimmed(url)
    urls = context.server.urls
    known = _named(urls, url)
    if known is None:
        urls[url] = PooledUrl(bounds, [directive])
    elif sets:
        urls[known].bounds |= bounds
        urls[known].origins.append(directive)
    elif bounds:
        context.lose("Apache ignores its parameters: an earlier line has this URL, or one that it begins with")


def _trimmed(url: str) -> str:
    """A URL without what groups of an expression put into its path, and without its last slash."""
    return re.split(r"(?<=[^/:])/[^/]*\$", url)[0].rstrip("/")


def _named(urls: Mapping[str, PooledUrl], url: str) -> str | None:
    """The longest of these that a URL begins with."""
    return max((each for each in urls if _begins(url, each)), key=len, default=None)


def _begins(url: str, with_: str) -> bool:
    return url[: len(with_)].lower() == with_.lower() and url[len(with_) : len(with_) + 1] in ("", "/", "?")


def pools(draft: SiteDraft) -> None:
    """A balancer of one for each URL with bounds, in place of the URL."""
    for owner in draft.servers():
        for url, found in owner.urls.items():
            bounds = {key: value for key, value in found.bounds.items() if value != _AS_WITHOUT.get(key)}
            if bounds.keys() - {"acquire"}:
                using = _using(draft, owner, url)
                if not using and bounds.keys() == {"tls"}:
                    _parts_alone(draft, owner, url)
                    continue  # what longer URLs name has it already
                try:
                    _pool(draft, owner, url, bounds, using)
                except (ValueError, Unsupported) as why:
                    draft.lose(found.origins, f"{why}; write a balancer in its place")
                    if "tls" in bounds:
                        draft.main.balancers.setdefault(NOBODY, DraftBalancer(found.origins))
                        for row, key in using:
                            row.content[key] = f"balancer://{NOBODY}/"


def _parts_alone(draft: SiteDraft, owner: DraftServer, url: str) -> None:
    """A section of TLS is for a part of what a row forwards to: nobody gets there, for the row cannot be parted."""
    wider = (_trimmed(row.content[key]) for row, key in _forwarding(owner))
    if any(each and _begins(url, each) for each in wider):
        origins = owner.urls[url].origins
        draft.close(owner, {"target": url}, origins[0])
        draft.lose(origins, "it is for a part of what is forwarded, so nobody is let in there; give it a ProxyPass")


_Using = list[tuple[DraftRow, str]]
"""Rows, each with the key under which it names a URL."""


def _reaching(draft: SiteDraft, owner: DraftServer, url: str) -> list[DraftServer]:
    return [each for each in draft.servers() if each is owner or (owner is draft.main and url not in each.urls)]


def _using(draft: SiteDraft, owner: DraftServer, url: str) -> _Using:
    return [(row, key) for server in _reaching(draft, owner, url) for row, key in _forwarding(server)
            if _named({**draft.main.urls, **server.urls}, row.content[key]) == url]  # fmt: skip


def _pool(draft: SiteDraft, owner: DraftServer, url: str, bounds: dict[str, Any], using: _Using) -> None:
    """Put a balancer in place of a URL. Raises Unsupported, and ValueError where it is no URL."""
    reaching = _reaching(draft, owner, url)
    sections = [(row, server) for server in {draft.main, *reaching} for row in server.locations]
    if any("target_regex" in row.content for row, _ in sections):
        raise Unsupported("a section is for URLs that an expression finds, which would be for it no more")
    places = [(row, "target") for row, _ in sections if _begins(row.content.get("target", ""), url)]
    wider = any(row.content.get("target") not in (None, "*", url) and _begins(url, row.content["target"])
                for row, _ in sections)  # fmt: skip
    shared = any(_begins(row.content.get("target", ""), url) and server not in reaching for row, server in sections)
    if wider or shared or (places and len(reaching) < len(draft.servers()) and owner is draft.main):
        raise Unsupported(f"a section is for more than {url}, so that its bounds have no place")
    at = origin(url)
    name = unique(member_name(url), {*owner.balancers, *draft.main.balancers})
    if not using:
        raise Unsupported("no route and no rule names this URL as it stands here")
    member = {"url": at.url, **bounds, "ignore_errors": True}
    waits = {"timeout": member.pop("acquire")} if "acquire" in member else {}
    for row, key in [*using, *places]:
        if _begins(row.content[key], url):
            row.content[key] = f"balancer://{name}{at.path}{row.content[key][len(url) :]}"
        if key == "proxy":
            member |= {each: row.content.pop(each) for each in ("timeout", "upgrade") if each in row.content}
    origins = owner.urls[url].origins
    owner.balancers[name] = DraftBalancer(origins, waits, [DraftRow(member, origins)])


def _forwarding(server: DraftServer) -> Iterator[tuple[DraftRow, str]]:
    """The rows that name where requests go, and where they do."""
    yield from ((row, "proxy") for row in (*server.routes, *server.located) if "proxy" in row.content)
    yield from ((row, "substitution") for row in (*server.rewrites, *server.inner))


HANDLERS = {"proxyset": proxy_set}
