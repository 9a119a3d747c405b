"""mod_deflate, mod_brotli and the part of mod_filter that names them: what of answers is coded, tables of [compress].

httpd adds what is said of types in a section to what is said around it; here the innermost table takes the place of the
others. So a table that comes in has what holds around it, and one that goes out must not be narrower than it. Sections
add nothing to each other where neither is in the other, which is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow, DraftServer, SiteDraft, holds
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import by_name, first
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import files
from proxy_core.config.model import Compress, Site

_FILTERS = {"brotli_compress": "br", "deflate": "gzip"}
"""Codings by the filter that makes them."""
_NAMES = {coding: name.upper() for name, coding in _FILTERS.items()}
_EVERY = "*/*"
_HARDEST = 3
"""The level of gzip above which there is none here."""
NOTES = {"input": "instream", "output": "outstream", "ratio": "ratio"}
"""Names under which this program notes what mod_deflate notes."""


def _codings(context: ImportContext, directive: Directive) -> list[str]:
    """The codings of filters by name. Raises Unsupported for other filters."""
    named = [word.lower() for word in re.split(r"[;\s]", directive.args[0]) if word]
    if "includes" in named:  # the source of what is put together on the server is for nobody
        files.unread(context, directive, directive.args[1:] if directive.key == "addoutputfilter" else ())
    if not named or not {*named} <= _FILTERS.keys():
        raise Unsupported("answers are passed on as they come; let members change them, or a proxy in front")
    return [_FILTERS[each] for each in named]


def by_type(context: ImportContext, directive: Directive) -> None:
    """AddOutputFilterByType filter[;filter] type …"""
    codings = _codings(context, directive)
    kinds = [_EVERY if kind == "*" else kind.lower() for kind in directive.args[1:]]
    good = [kind for kind in kinds if _TYPE(kind)]
    if len(good) < len(kinds):
        context.lose("what is no type such as text/html names none")
    _say(context, directive, codings, good)


_TYPE = re.compile(r"\*/\*|[!#$&^_.+0-9a-z-]+/[!#$&^_.+0-9a-z-]+").fullmatch


def every_type(context: ImportContext, directive: Directive) -> None:
    """SetOutputFilter filter[;filter]"""
    _say(context, directive, _codings(context, directive), [_EVERY])


def by_extension(context: ImportContext, directive: Directive) -> None:
    """AddOutputFilter filter[;filter] extension …"""
    _codings(context, directive)
    raise Unsupported("nothing is coded by the name of a file; say AddOutputFilterByType")


def _say(context: ImportContext, directive: Directive, codings: list[str], kinds: list[str]) -> None:
    if context.section is not None:
        context.location()  # now, for it has its place among the others
    row = DraftRow({"codings": codings, "types": kinds}, [directive])
    context.server.filters.setdefault(context.section, []).append(row)


def level(key: str, most: int) -> Callable[[ImportContext, Directive], None]:
    """DeflateCompressionLevel 1..9, BrotliCompressionQuality 0..11"""

    def handler(context: ImportContext, directive: Directive) -> None:
        said = first(directive)
        if not said.isdigit():
            raise Unsupported(f"{said} is no level")
        if int(said) > most:
            context.lose(f"{most} is the highest level of gzip here: answers are about a tenth larger than at zlib's 6")
        context.set(directive, key, min(int(said), most))

    return handler


def note(context: ImportContext, directive: Directive) -> None:
    """DeflateFilterNote [Input|Output|Ratio] name"""
    kind, name = ("ratio", *directive.args)[-2:]
    ours = NOTES.get(kind.lower(), "ratio")
    if name.lower() == ours:
        raise Ignored("it is always noted")
    raise Unsupported(f"it is noted under the name {ours}: write %{{{ours}}}n")


HANDLERS = {
    "addoutputfilterbytype": by_type,
    "setoutputfilter": every_type,
    "addoutputfilter": by_extension,
    "deflatecompressionlevel": level("gzip_level", _HARDEST),
    "brotlicompressionquality": level("br_level", 11),
    "deflatefilternote": note,
    "brotlifilternote": note,
}
IGNORED = by_name({
    "the memory of what codes answers has a bound of its own": """
        deflatebuffersize deflatememlevel deflatewindowsize brotlicompressionwindow brotlicompressionmaxinputblock""",
    "the entity tag of what is coded is the weak form of the member's (RFC 9110)": "deflatealteretag brotlialteretag",
    "bodies of requests are passed on as they come":
        "deflateinflatelimitrequestbody deflateinflateratioburst deflateinflateratiolimit",
})  # fmt: skip


def settled(draft: SiteDraft) -> None:
    """The tables of servers and of sections, each with what holds around it."""
    for server in draft.servers():
        around = [row for owner in dict.fromkeys((draft.main, server)) for row in owner.filters.get(None, ())]
        if server is draft.main or None in server.filters or _levels(server):
            _put(server.compress, draft, server, around)
        _of_sections(draft, server, around)


def _of_sections(draft: SiteDraft, server: DraftServer, around: list[DraftRow]) -> None:
    within = {section: rows for section, rows in server.filters.items() if section is not None}
    for section, rows in within.items():
        wider = [row for other, its in within.items() if other is not section and holds(other, section) for row in its]
        table = DraftRow({}, [])
        _put(table, draft, server, [*around, *wider, *rows])
        assert section.row is not None
        section.row.content["compress"] = table.content
        section.row.origins += rows[0].origins
        if any(other.kind != section.kind for other in within):
            why = "where sections of several kinds hold, what the last one says of filters holds alone"
            draft.lose(rows[0].origins, why)


def _levels(server: DraftServer) -> dict[str, Any]:
    return {key: server.option(key) for key in ("gzip_level", "br_level") if server.option(key) is not None}


def _put(table: DraftRow, draft: SiteDraft, server: DraftServer, said: Sequence[DraftRow]) -> None:
    """Fill in a table; that types are coded in more ways than was said is told."""
    if not said:
        return
    kinds = list(dict.fromkeys(kind for row in said for kind in row.content["types"]))
    codings = list(dict.fromkeys(coding for row in said for coding in row.content["codings"]))
    for coding in codings:
        its = {kind for row in said if coding in row.content["codings"] for kind in row.content["types"]}
        if not its >= {*kinds} and _EVERY not in its:
            draft.lose(said[-1].origins, "all types are coded in all codings that are said for any of them")
            break
    levels = {**_levels(draft.main), **_levels(server)}
    table.content |= {"types": [_EVERY] if _EVERY in kinds else kinds, "codings": codings}
    table.content |= {key: value for key, value in levels.items() if key.partition("_")[0] in codings}
    table.origins += [origin for row in said for origin in row.origins]


LOST = {
    "Compress.zstd_level": "Apache has no zstd",
    "Compress.spare_secrets": "write SetEnvIf Cookie . no-gzip no-brotli, which knows requests alone",
    "Compress.ask_identity": "write RequestHeader unset Accept-Encoding for the members, and code in front of it",
    "Compress.precompressed": "mod_rewrite can do it, as the manual of mod_deflate shows",
    "Route.compress": "Apache says it in sections: write a location",
}
_USUAL = {"text": ("text/html", "text/plain", "text/css", "text/javascript", "text/xml", "text/csv")}
"""What stands for a wildcard: the types that are met."""


def plain(site: Site, lose: Lose) -> Site:
    """Tables whose types and codings Apache can say; what it adds to them from around is told."""
    whole = _plain(("compress",), site.compress, lose)
    hosts = {name: replace(host, compress=_inner(("hosts", name, "compress"), host.compress, [whole], lose))
             for name, host in site.hosts.items()}  # fmt: skip
    around = [whole, *(host.compress for host in hosts.values() if host.compress is not None)]
    locations = tuple(replace(row, compress=_inner(("locations", row.id, "compress"), row.compress, around, lose))
                      for row in site.locations)  # fmt: skip
    return replace(site, compress=whole, hosts=hosts, locations=locations)


def _inner(at: tuple[str, ...], own: Compress | None, around: Iterable[Compress], lose: Lose) -> Compress | None:
    if own is None:
        return None
    own = _plain(at, own, lose)
    more = {kind for each in around for kind in each.types} - {*own.types}
    if own.types and more and _EVERY not in own.types:
        lose(at, f"Apache adds what is said around it: {', '.join(sorted(more))}")
    return own


def _plain(at: tuple[str, ...], table: Compress, lose: Lose) -> Compress:
    if not table.types:
        return table
    codings = tuple(each for each in table.codings if each in _NAMES)
    if not codings:
        lose((*at, "codings"), "Apache has no zstd")
    kinds = tuple(dict.fromkeys(_whole(at, table.types, lose)))
    return replace(table, codings=codings, types=kinds if codings else ())


def _whole(at: tuple[str, ...], kinds: Iterable[str], lose: Lose) -> Iterator[str]:
    """Types without wildcards, for Apache compares them as they are."""
    for kind in kinds:
        group, _, rest = kind.partition("/")
        if kind == _EVERY or rest != "*":
            yield kind
        else:
            usual = _USUAL.get(group, ())
            named = f": {', '.join(usual)} stand for it" if usual else ""
            lose((*at, "types"), f"Apache has no wildcard such as {kind}{named}")
            yield from usual


def lines(table: Compress | None, *, inside: bool = False) -> Lines:
    """A table as directives; ``inside`` a section, where levels cannot stand, and one that switches it off says so by
    variables. Raises Unsayable."""
    if table is None:
        return []
    if not table.types:
        return ["SetEnv no-gzip 1", "SetEnv no-brotli 1"] if inside else []
    filters = ";".join(_NAMES[each] for each in table.codings)
    found = [line("SetOutputFilter", filters)] if _EVERY in table.types else []
    found = found or [line("AddOutputFilterByType", filters, *table.types)]
    if inside:
        return found
    default = Compress()
    levels = (
        ("DeflateCompressionLevel", "gzip", table.gzip_level, default.gzip_level),
        ("BrotliCompressionQuality", "br", table.br_level, default.br_level),
    )
    return found + [f"{name} {own}" for name, coding, own, usual in levels if coding in table.codings and own != usual]
