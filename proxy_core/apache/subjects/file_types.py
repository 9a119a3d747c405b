"""mod_mime: what the names of files say of them, rows of [file_types]; and the charset that core adds to texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from mimetypes import MimeTypes
from pathlib import Path
from typing import cast

from proxy_core import regular_files
from proxy_core.apache.draft import DraftRow, DraftServer, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import Handler, by_name, first
from proxy_core.apache.subjects.files import PROGRAMS, add_handler, set_handler
from proxy_core.config.model import FileTypes
from proxy_core.rules.lint.file_types import FORMS


def by_extension(key: str) -> Handler:
    """AddType type extension …, AddEncoding encoding extension …, AddLanguage language extension …"""

    def handler(context: ImportContext, directive: Directive) -> None:
        value, *extensions = directive.args
        value = value.lower()  # add_extension_info
        if key == "types" and (PROGRAMS.search(value) or value in context.draft.programs):
            return add_handler(context, directive)
        if not context.draft.served:
            raise Ignored("nothing is served from there")
        if context.section is not None:
            raise Unsupported("what extensions mean is for the whole site: put it outside of sections")
        if FORMS[key].regex.fullmatch(value) is None:
            raise Unsupported(f"{value} is not {FORMS[key].wanted}")
        row = context.draft.file_types
        said = row.content.setdefault(key, {})
        for each in extensions:
            name = each.removeprefix(".").lower()
            if "." in name or not name:
                continue  # no file has such an extension
            if said.get(name, value) != value and context.server is not context.draft.main:
                context.lose(f"what .{name} means is for the whole site, and an earlier line says {said[name]}")
                continue
            said[name] = value
            context.server.options.setdefault("extensions", ({}, directive))[0][key, name] = value, directive
        row.origins.append(directive)
        return None

    return handler


def removes(key: str) -> Handler:
    """RemoveType extension …, and its kin: nothing but a type is said of an extension without a line."""

    def handler(context: ImportContext, directive: Directive) -> None:
        if not context.draft.served:
            raise Ignored("nothing is served from there")
        if context.server is not context.draft.main or context.section is not None:
            raise Unsupported("what extensions mean is for the whole site: put it outside of sections and hosts")
        row = context.draft.file_types
        for name in (each.removeprefix(".").lower() for each in directive.args):
            row.content.get(key, {}).pop(name, None)
            if key == "types" and name and "." not in name:
                row.content.setdefault(key, {})[name] = ""
        row.origins.append(directive)

    return handler


def force_type(context: ImportContext, directive: Directive) -> None:
    """ForceType type: of the files that a <Directory> or <Files> is for."""
    value = first(directive).lower()
    if "/" not in value or PROGRAMS.search(value):
        return set_handler(context, directive)
    if context.section is None or context.section.kind not in ("directory", "files"):
        raise Unsupported("it would be for what members answer as well: write it in a <Directory> or <Files>")
    row = {"on": "response", "action": "set", "name": "Content-Type", "value": value.replace("%", "%%")}
    context.add(directive, "headers", row | context.place())
    return None


_USUAL = MimeTypes().types_map[True]
"""The types that everybody knows, whatever the system has."""
_FEW = 100
"""Types that are taken from a file as they stand; of more, those that files have."""


def types_config(context: ImportContext, directive: Directive) -> None:
    """TypesConfig file: below what AddType says, wherever it stands."""
    if not context.draft.served:
        raise Ignored("nothing is served from there")
    try:
        text = regular_files.content(Path(context.draft.whole(first(directive))), _MOST).decode("latin-1")
    except OSError as error:
        raise Unsupported(f"it cannot be read ({error.strerror}), so the usual types hold") from None
    words = (line.partition("#")[0].split() for line in text.splitlines())
    said = {name.lower(): kind for kind, *names in filter(None, words) for name in names if "." not in name}
    usual = {name: kind for name, kind in said.items() if _USUAL.get(f".{name}") != kind}
    if len(usual) > _FEW:
        usual = {name: kind for name, kind in usual.items() if name in context.draft.files.extensions}
    usual = {name: kind for name, kind in usual.items() if FORMS["types"].regex.fullmatch(kind)}
    if not usual:
        raise Ignored("the usual types are known")
    context.set(directive, "types", usual)


Said = dict[tuple[str, str], tuple[str, Directive]]
"""What a server says of extensions: by table and extension, with the directive."""


def _own(server: DraftServer) -> Said:
    return cast(Said, server.option("extensions") or {})


def _spread(draft: SiteDraft) -> Iterator[tuple[Directive, str]]:
    """What a host alone says of files that others may have as well, with the extension."""
    for server in draft.hosts:
        others = [_own(draft.main), *(_own(each) for each in draft.hosts if each is not server)]
        for (key, name), (value, directive) in _own(server).items():
            there = name in draft.files.extensions or not draft.files.whole
            alike = [each.get((key, name), ("", None))[0] == value for each in others]
            if there and not alike[0] and not all(alike[1:]):
                yield directive, name


def settled(draft: SiteDraft) -> None:
    """The types of TypesConfig, below all others. What a host says for itself holds for all, which is told."""
    for directive, name in _spread(draft):
        draft.lose([directive], f"what .{name} means is for the whole site, so it holds in the other hosts, too")
    if "types" in draft.main.options:
        types, directive = draft.main.options["types"]
        draft.file_types.content["types"] = types | draft.file_types.content.get("types", {})
        draft.file_types.origins.append(directive)


_MOST = 1 << 20
_TEXT = r"^(text/(?:plain|html)(?!.*charset=).*)$"


def default_charset(context: ImportContext, directive: Directive) -> None:
    """AddDefaultCharset On|Off|charset: also of what members answer (``ap_make_content_type``)."""
    charset = first(directive)
    server = context.server
    outer = any(each.option("charset") for each in context.servers())
    if charset.lower() == "off" and not outer:
        raise Ignored("nothing adds one here")
    if context.section is not None or outer:
        raise Unsupported("a charset is added for the whole server, or for the hosts that say so: say it once")
    context.set(directive, "charset", charset)
    charset = "iso-8859-1" if charset.lower() == "on" else charset
    row = {"on": "response", "action": "edit", "name": "Content-Type", "pattern": _TEXT,
           "value": f"$1; charset={charset}"}  # fmt: skip
    server.headers.append(DraftRow(row, [directive]))


HANDLERS: dict[str, Callable[[ImportContext, Directive], None]] = {
    "typesconfig": types_config,
    "addtype": by_extension("types"),
    "addencoding": by_extension("encodings"),
    "addcharset": by_extension("charsets"),
    "addlanguage": by_extension("languages"),
    **{f"remove{each}": removes(f"{each}s") for each in ("type", "encoding", "charset", "language")},
    "forcetype": force_type,
    "adddefaultcharset": default_charset,
}
IGNORED = by_name({"httpd 2.4 takes no notice of it": "defaulttype"})
UNSUPPORTED = by_name({
    "which languages a file has is said by AddLanguage alone": "defaultlanguage",
})  # fmt: skip


def lines(types: FileTypes) -> Lines:
    """[file_types] as directives. Raises Unsayable."""
    tables = (("AddType", types.types), ("AddEncoding", types.encodings), ("AddCharset", types.charsets),
              ("AddLanguage", types.languages))  # fmt: skip
    return [line(name, value, f".{each}") if value else line("RemoveType", f".{each}")
            for name, table in tables for each, value in table.items()]  # fmt: skip
