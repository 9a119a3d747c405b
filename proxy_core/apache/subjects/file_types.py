"""mod_mime: what the names of files say of them, rows of [file_types]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from mimetypes import MimeTypes
from pathlib import Path

from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.apache.draft import SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import Handler, by_name, first
from proxy_core.apache.subjects.files import PROGRAMS, add_handler, set_handler
from proxy_core.config.folders import serves_files
from proxy_core.config.model import FileTypes, Site
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
        if FORMS[key].regex.fullmatch(value) is None:
            raise Unsupported(f"{value} is not {FORMS[key].wanted}")
        _say(context, directive, key, value, extensions)
        return None

    return handler


def removes(key: str) -> Handler:
    """RemoveType extension …, and its kin."""

    def handler(context: ImportContext, directive: Directive) -> None:
        if not context.draft.served:
            raise Ignored("nothing is served from there")
        _say(context, directive, key, "", directive.args)

    return handler


def _say(context: ImportContext, directive: Directive, key: str, value: str, extensions: Sequence[str]) -> None:
    """Put what is said of extensions where it is said; "" takes back what is said around it."""
    row = context.server.file_types if context.section is None else context.location()
    table = row.content if context.section is None else row.content.setdefault("file_types", {})
    names = [each.removeprefix(".").lower() for each in extensions]
    table.setdefault(key, {}).update((each, value) for each in names if each and "." not in each)  # no file has others
    row.origins.append(directive)


_OF_FILES = ("directory", "directorymatch", "files")


def force_type(context: ImportContext, directive: Directive) -> None:
    """ForceType type: of the files that a section is for, and of nothing that members answer."""
    value = first(directive).lower()
    if value == "none" and any(
        row.content["name"] == "Content-Type" for each in context.servers() for row in each.headers
    ):
        raise Unsupported("a type that is forced around it stays")
    if "/" not in value or PROGRAMS.search(value):
        return set_handler(context, directive)
    if context.section is not None and context.section.kind in ("proxy", "proxymatch"):
        raise Ignored("what members answer says its type itself")
    row = {"on": "response", "action": "set", "name": "Content-Type", "value": value.replace("%", "%%")}
    files = {} if context.section and context.section.kind in _OF_FILES else {"expr": "%{HANDLER} != 'proxy-server'"}
    context.add(directive, "headers", row | files | context.place())
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


def settled(draft: SiteDraft) -> None:
    """The types of TypesConfig, below all others."""
    if "types" in draft.main.options:
        types, directive = draft.main.options["types"]
        row = draft.main.file_types
        row.content["types"] = types | row.content.get("types", {})
        row.origins.append(directive)


_MOST = 1 << 20


HANDLERS: dict[str, Callable[[ImportContext, Directive], None]] = {
    "typesconfig": types_config,
    "addtype": by_extension("types"),
    "addencoding": by_extension("encodings"),
    "addcharset": by_extension("charsets"),
    "addlanguage": by_extension("languages"),
    **{f"remove{each}": removes(f"{each}s") for each in ("type", "encoding", "charset", "language")},
    "forcetype": force_type,
}
IGNORED = by_name({"httpd 2.4 takes no notice of it": "defaulttype"})
UNSUPPORTED = by_name({
    "which languages a file has is said by AddLanguage alone": "defaultlanguage",
})  # fmt: skip


def plain(site: Site) -> Site:
    """What hosts and locations say of files, where any are served."""
    if serves_files(site):
        return site
    hosts = {name: replace(host, file_types=None) for name, host in site.hosts.items()}
    return replace(site, hosts=hosts, locations=tuple(replace(row, file_types=None) for row in site.locations))


def lines(types: FileTypes | None) -> Lines:
    """A table of file types as directives. Raises Unsayable."""
    if types is None:
        return []
    tables = (("AddType", types.types), ("AddEncoding", types.encodings), ("AddCharset", types.charsets),
              ("AddLanguage", types.languages))  # fmt: skip
    return [line(name, value, f".{each}") if value else line(name.replace("Add", "Remove"), f".{each}")
            for name, table in tables for each, value in table.items()]  # fmt: skip
