"""mod_autoindex and ``Options``: which folders are listed, and what listings leave out.

A listing here is that of mod_autoindex without FancyIndexing: the same names in a plain list. Where no folder is
listed, what is said of listings makes no difference.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import OPEN, SiteDraft, below
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, Unsayable, line
from proxy_core.apache.options import by_name, is_on
from proxy_core.apache.subjects import links
from proxy_core.apache.subjects.directory_index import of_folders
from proxy_core.config.folders import serves_files
from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.config.model.types import FollowLinks
from proxy_core.rules.text import pattern

_UNLISTED = "no folder is listed"
_MULTIVIEWS = "a file is served under its whole name alone: name it in links, or write a RewriteRule"


def lists(directives: Sequence[Directive]) -> bool:
    """Whether some Options has folders listed."""
    return any(
        lists(each.inside) if each.inside is not None else each.key == "options" and indexes(each.args) is True
        for each in directives
    )


def indexes(words: Iterable[str]) -> bool | None:
    """What the words of Options say of listings, None where they leave it as it was. Words with a sign change what was
    said around them, others take its place (``set_options`` in server/core.c)."""
    found: bool | None = None
    for word in (each.lower() for each in words):
        if word[:1] not in "+-":
            found = bool(found) or word in ("indexes", "all")
        elif word[1:] in ("indexes", "all"):
            found = word[0] == "+"
    return found


def options(context: ImportContext, directive: Directive) -> None:
    """Options [+|-]word …: of these, Indexes has folders listed, MultiViews looks for other files than the one that is
    named, and two are about ``links``."""
    draft = context.draft
    if context.section is None:
        context.set(directive, "options", [*(context.server.option("options") or ()), directive])
    elif links.says(directive.args):
        context.section.allows.append(directive)
        context.within(context.section)
    views = "multiviews" in [word.lower().removeprefix("+") for word in directive.args] and bool(draft.served)
    listed = indexes(directive.args) if draft.lists else None
    if listed is None or (context.section is not None and context.section.kind in ("files", "proxy", "proxymatch")):
        if views:
            raise Unsupported(_MULTIVIEWS)
        if not (draft.served and links.says(directive.args)):
            raise Ignored("it says nothing of how files are served here")
        return
    if views:
        context.lose(_MULTIVIEWS)
    if context.section is None:
        context.set(directive, "autoindex", listed)
    else:
        row = context.location()
        row.content["autoindex"] = listed
        row.origins.append(directive)


def index_ignore(context: ImportContext, directive: Directive) -> None:
    """IndexIgnore name …: adds to what is said around it (``merge_autoindex_configs``)."""
    if not context.draft.lists:
        raise Ignored(_UNLISTED)
    of_folders(context)
    if any("/" in name for name in directive.args):
        context.lose("a name with a slash is none in a folder")
    names = [re.sub(r"\[", "[[]", name) for name in directive.args if "/" not in name and not name.startswith(".")]
    row = context.location() if context.section is not None else None
    if row is None:
        return context.set(directive, "index_ignore", [*(context.server.option("index_ignore") or []), *names])
    row.content["index_ignore"] = [*row.content.get("index_ignore", []), *names]
    row.origins.append(directive)
    return None


def reset(context: ImportContext, directive: Directive) -> None:
    """IndexIgnoreReset On: what sections around it say counts no more. What the server says does, for the word is lost
    when httpd merges sections (``ap_directory_walk``)."""
    if not context.draft.lists:
        raise Ignored(_UNLISTED)
    if is_on(directive):
        context.draft.resets.append(context.server if context.section is None else context.location())


def ignoring(draft: SiteDraft) -> None:
    """What listings leave out, with what is said around it: a row takes the place of what holds without it."""
    for server in draft.servers():
        main = [] if server in draft.resets or server is draft.main else draft.main.option("index_ignore") or []
        whole = list(dict.fromkeys([*main, *(server.option("index_ignore") or [])]))
        if "index_ignore" in server.options:
            server.options["index_ignore"] = (whole, server.options["index_ignore"][1])
        own = [(row, row.content["index_ignore"]) for row in server.locations if "index_ignore" in row.content]
        for row, names in own:
            held = [] if row in draft.resets else own
            around = [each for other, its in held if _around(other.content, row.content) for each in its]
            row.content["index_ignore"] = list(dict.fromkeys([*whole, *around, *names]))


def with_guarded_indexes(draft: SiteDraft) -> None:
    """httpd leaves a folder out of a listing whose index the client may not have, or is a link that is not followed
    (``make_autoindex_entry`` looks it up with mod_dir): here its name is told."""
    if not draft.lists:
        return
    servers = draft.servers()
    places = [row.content for server in servers for row in (*server.locations, *server.closed)]
    said = [server.option("directory_index") or [] for server in servers]
    said += [row.get("directory_index", []) for row in places]
    names = {"index.html", *(posixpath.basename(name) for each in said for name in each)}
    links = [server.option("follow_links") for server in servers] + [row.get("follow_links") for row in places]
    unfollowed = bool({"none", "owner"} & {*links}) and bool(names & draft.files.linked)
    if unfollowed or any(_keeps(row, name) for row in places for name in names):
        listing = [server.options["autoindex"] for server in servers if "autoindex" in server.options]
        origins = [directive for listed, directive in listing if listed]
        rows = [row for server in servers for row in server.locations if row.content.get("autoindex")]
        origins += [each for row in rows for each in row.origins if each.key == "options"]
        draft.lose(origins, "a listing has each folder that the client may know, also where its index is kept from him")


def _keeps(row: dict[str, Any], name: str) -> bool:
    """Whether a row of [[locations]] keeps somebody from the index of this name, and not from its whole folder."""
    if row.get("require", [OPEN]) == [OPEN]:
        return False
    if "files" in row:
        return _finds(row["files"], name)
    if "expr" in row:
        return name in row["expr"]
    regex = row.get("path_regex", "(?!)")
    return posixpath.basename(row.get("path", "")) == name or (_finds(regex, f"/x/{name}") and not _finds(regex, "/x/"))


def _finds(regex: str, text: str) -> bool:
    try:
        return pattern.compile(regex).search(text) is not None
    except pattern.PatternError:
        return False


def _around(outer: dict[str, str], inner: dict[str, str]) -> bool:
    """Whether one section holds wherever the other does, as far as folders and paths tell."""
    return any(key in outer and key in inner and below(inner[key], outer[key]) for key in ("folder", "path"))


def of_looks(context: ImportContext, directive: Directive) -> None:
    """HeaderName, ReadmeName and IndexHeadInsert."""
    if not context.draft.lists:
        raise Ignored(_UNLISTED)
    names = [] if directive.key == "indexheadinsert" else directive.args
    files = [posixpath.join(root, name) for root in context.draft.served for name in names]
    if names and not any(map(posixpath.exists, files)):
        raise Ignored("no folder that is served has such a file")
    raise Unsupported("a listing is a plain list of names, without other texts")


def plain(site: Site) -> Site:
    """What is said of listings, where some folder is listed."""
    places: tuple[Options | Host | Location, ...] = (site.site, *site.hosts.values(), *site.locations)
    if serves_files(site) and any(place.autoindex for place in places):
        return site
    hosts = {name: replace(host, autoindex=None, index_ignore=None) for name, host in site.hosts.items()}
    rows = tuple(replace(row, autoindex=None, index_ignore=None) for row in site.locations)
    return replace(site, site=replace(site.site, autoindex=False, index_ignore=()), hosts=hosts, locations=rows)


def lines(autoindex: bool | None, ignored: Sequence[str] | None, followed: FollowLinks | None) -> Lines:
    """The options of a place as directives. Raises Unsayable."""
    words = [f"{'+' if autoindex else '-'}Indexes"] * (autoindex is not None) + links.lines(followed)
    found = [line("Options", *words)] if words else []
    if ignored is not None:
        if any("[" in name.replace("[[]", "") for name in ignored):
            raise Unsayable("IndexIgnore has no [ ] in its patterns")
        found += ["IndexIgnoreReset On"]
        found += [line("IndexIgnore", *(name.replace("[[]", "[") for name in ignored))] if ignored else []
    return found


HANDLERS = {
    "options": options,
    "indexignore": index_ignore,
    "indexignorereset": reset,
    **dict.fromkeys(("headername", "readmename", "indexheadinsert"), of_looks),
}
IGNORED = by_name({
    "a listing is a plain list of names, in their order": """
        indexoptions adddescription addicon addiconbytype addiconbyencoding defaulticon
        addalt addaltbytype addaltbyencoding indexstylesheet indexorderdefault""",
})  # fmt: skip
