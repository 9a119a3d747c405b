"""Sections about files: <Directory> and <Files>, which hold where a file of a folder is what answers.

They never hold for what is forwarded (mod_proxy answers ``map_to_storage`` before core does), so they come in only as
far as folders are served. What was to be run, not read, is closed: nobody gets the text of a program.
"""

from __future__ import annotations

import dataclasses
import mimetypes
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from proxy_core.apache.draft import OPEN, DraftRow, DraftSection, DraftServer, SiteDraft, below
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import by_name, first, is_on, only
from proxy_core.apache.subjects import variables
from proxy_core.apache.subjects.forward_auth import REMEDY
from proxy_core.config.folders import parted
from proxy_core.config.model import Route
from proxy_core.rules.text.wildcards import regex_of

NOT_SERVED = "nothing is served from there"

_MARK = "\0"
_WORD = r"[a-vx-zA-VX-Z][\w-]*"
_DOTTED = re.compile(rf"(?:\^|/)\\\.(?:(?={_WORD})|\((?:\?:)?{_WORD}(?:\|{_WORD})*\)(?![*?{{]))")
"""A name that begins with a dot, of a word that .well-known is not, which is served."""

_GUARDS = {
    "require", "order", "deny", "allow", "requireall", "requireany", "requirenone", "authtype", "satisfy", "sethandler",
    "sslrequiressl", "sslrequire", "sslverifyclient", "allowmethods",
}  # fmt: skip


def served(draft: SiteDraft, directives: Sequence[Directive], within: str = "") -> Iterator[tuple[str, str]]:
    """Each folder that is served, whole, and the path that it is served at, "" where an expression says which."""
    for directive in directives:
        if directive.inside is not None:
            yield from served(
                draft, directive.inside, directive.args[0] if directive.key == "location" and directive.args else ""
            )
        elif directive.key == "documentroot" and directive.args:
            yield draft.whole(directive.args[0]), "/"
        elif directive.key == "aliasmatch" and len(directive.args) == 2:
            yield draft.whole(parted(Route(path_regex="", folder=directive.args[1]))[0]), ""
        elif directive.key == "alias" and directive.args:
            yield draft.whole(directive.args[-1]), directive.args[0] if len(directive.args) > 1 else within


def programs(directives: Sequence[Directive]) -> Iterator[str]:
    """The handlers and types that Action has programs for, in lower case."""
    for directive in directives:
        if directive.inside is not None:
            yield from programs(directive.inside)
        elif directive.key == "action" and directive.args:
            yield directive.args[0].lower()


def concerns(draft: SiteDraft, folder: str) -> bool:
    """Whether files below a folder are served, or the folder is below one that is."""
    if set("*?[") & set(folder):
        folder = posixpath.dirname(re.split(r"[*?\[]", folder)[0])
    return any(below(root, folder) or below(folder, root) for root in draft.served)


def url(draft: SiteDraft, folder: str) -> str:
    """The path that a folder is served at, with its last slash. Raises Unsupported where it is not served."""
    roots = sorted((root for root, path in draft.served.items() if path and below(folder, root)), key=len)
    if not roots:
        raise Unsupported("the folder is served at no path, so its own paths cannot be told; begin with a slash")
    tail = folder[len(roots[-1].rstrip("/")) :]
    return (draft.served[roots[-1]].rstrip("/") + tail).rstrip("/") + "/"


def hidden(regex: str, whole_paths: bool = False) -> bool:
    """Whether a regular expression is for names that begin with a dot alone, which are never served. What is in a group
    or a set may be something else as well."""
    marked = _DOTTED.sub(_MARK, regex) if whole_paths else re.sub(r"\A\^\\\.(?![*?{])", _MARK, regex)
    plain = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]", "x", re.sub(r"\\[^.]", "x", marked))
    while (without := re.sub(r"\([^()]*\)", "x", plain)) != plain:
        plain = without
    return _MARK in plain and "|" not in plain


def name_regex(directive: Directive) -> str:
    """The names of <Files> and <FilesMatch> as a regular expression."""
    args = [word for word in directive.args if word != "~"] or [""]
    if directive.key == "filesmatch" or len(args) < len(directive.args):
        return args[0]
    return f"^{regex_of(args[0], '.')}$"


def by_whole_names(draft: SiteDraft, directives: Iterable[Directive]) -> bool:
    """Whether some section finds files by more than their names below the folder of the site file: an expression does,
    and a folder that this one is in."""
    return any(_is_wider(draft, each) or by_whole_names(draft, each.inside or ()) for each in directives)


def _is_wider(draft: SiteDraft, directive: Directive) -> bool:
    if directive.key != "directory" or directive.args[:1] == ("~",):
        return directive.key in ("directory", "directorymatch")
    folder, *wild = re.split(r"(?=/[^/]*[*?[])", directive.args[0], maxsplit=1) if directive.args else ("/",)
    around = below(str(draft.folder), draft.whole(folder or "/"))
    return around and (bool(wild) or draft.whole(folder) not in ("/", str(draft.folder)))


def guards(directive: Directive) -> bool:
    """Whether a section keeps anybody out, or has what is in it answered by something that is lost with it."""
    return any(guards(each) or _guards(each) for each in directive.inside or ())


def _guards(directive: Directive) -> bool:
    if directive.key == "rewriterule":
        return re.search(r"\[.*\]\s*\Z", directive.raw) is not None
    return directive.key in _GUARDS and [word.lower() for word in directive.args] != ["all", "granted"]


def merged(draft: SiteDraft) -> None:
    """Of the sections round a folder that is served, only the innermost says who may: the others' words are left out,
    and its own where they say no more than that everybody may."""
    counts: set[int] = set()
    opens: list[DraftRow] = []
    for server in draft.servers():
        rows = list(_folders(draft, server))
        for root in draft.served:
            asked = [(folder, row) for folder, row in rows if "require" in row.content and below(root, folder)]
            asked.sort(key=lambda each: len(each[0]))
            if asked:
                counts.add(id(asked[-1][1]))
                opens += [asked[-1][1]] * all(row.content["require"] == [OPEN] for _, row in asked[-1:])
    rows = [each for server in draft.servers() for each in _folders(draft, server)]
    for folder, row in rows:
        if id(row) not in counts and any(below(root, folder) and root != folder for root in draft.served):
            row.content.pop("require", None)
    for row in opens:
        around = [other for folder, other in rows if below(draft.whole(row.content["folder"]), folder)]
        if all(other.content.get("require", [OPEN]) == [OPEN] for other in around):
            row.content.pop("require", None)


def _folders(draft: SiteDraft, server: DraftServer) -> Iterator[tuple[str, DraftRow]]:
    """The rows for whole folders that hold in a server, each with its folder."""
    for each in dict.fromkeys((draft.main, server)):
        for row in each.locations:
            if "folder" in row.content and "files" not in row.content:
                yield draft.whole(row.content["folder"]), row


_OF_CONSOLE = {"balancer-manager", "server-status", "server-info", "ldap-status"}

PROGRAMS = re.compile(r"proxy:|cgi|php|wsgi|server-parsed|perl|python|lua|passenger|isapi|action", re.IGNORECASE)


_READERS = {"type-map", "send-as-is", "imap-file"}
"""Handlers that make answers of what a file says. Every configuration names them, hardly any has such files."""


def set_handler(context: ImportContext, directive: Directive) -> None:
    """SetHandler name: what was to be made by a program is closed."""
    name = first(directive)
    if name.lower() in _OF_CONSOLE:
        raise Unsupported("the console tells this, and 404 answers here unless members do")
    if name.lower() in ("none", "default-handler"):
        raise Ignored("files are served as files")
    where = {} if context.section is None else context.where(context.section)
    if where.keys() & {"target", "target_regex"}:
        raise Ignored("what is forwarded has no handler")
    unread(context, directive)
    raise Unsupported(f"there is no handler {name}, so no file is served there; let a member answer it")


def unread(context: ImportContext, directive: Directive, extensions: Sequence[str] = ()) -> None:
    """Nobody gets to read the files of these extensions, or those that are served where the directive stands."""
    where = {} if context.section is None else context.where(context.section)
    found = "|".join(re.escape(word.lstrip(".")) for word in extensions)
    if found:
        where = {"files": rf"(?i)\.(?:{found})(?:\.|$)"}
    if context.draft.served:
        name = "programs" if found else "closed"
        context.draft.close(context.server, where if found else _files_there(where), directive, name)


def _files_there(where: Mapping[str, str]) -> dict[str, str]:
    """A place as one for the files that are served there: handlers mean nothing for what is forwarded."""
    kept = {key: where[key] for key in ("folder", "folder_regex", "files") if key in where}
    tests = tests_of({key: value for key, value in where.items() if key not in kept}) or []
    kept = kept or {"folder": "/"}
    return kept | ({"expr": " && ".join(tests)} if tests else {})


def tests_of(where: Mapping[str, str]) -> list[str] | None:
    """What a place of paths says as expressions that must all hold; None where they cannot say it."""
    path, regex = where.get("path", "/").rstrip("/"), where.get("path_regex", "")
    looked = regex or (f"^{re.escape(path)}(?:/|$)".replace("/", "/+") if path else "")
    mark = next((each for each in variables.MARKS if each not in looked), "")
    if where.keys() - {"path", "path_regex", "expr"} or not mark:
        return None
    tests = [f"({where['expr']})"] if "expr" in where else []
    return tests + [f"%{{REQUEST_URI}} =~ m{mark}{looked}{mark}"] * bool(looked)


def add_handler(context: ImportContext, directive: Directive) -> None:
    """AddHandler name extension …, AddType type extension …: programs among them are closed."""
    name, *extensions = directive.args
    names = {each.lstrip(".").lower() for each in extensions}
    reads = name.lower() in _READERS and names & context.draft.files.extensions
    program = PROGRAMS.search(name) or name.lower() in context.draft.programs or reads
    if not (program and context.draft.served):
        raise Ignored("files are served by their names")
    unread(context, directive, extensions)
    raise Unsupported("programs are not run here, so nobody gets to read them; let a member run them")


def action(context: ImportContext, directive: Directive) -> None:
    """Action type-or-handler script: files that it is for are closed; those of a handler, by ``add_handler``."""
    if extensions := mimetypes.guess_all_extensions(directive.args[0]):
        unread(context, directive, extensions)
    raise Unsupported("programs are not run here, so nobody gets to read what they are for; let a member run them")


def dav(context: ImportContext, directive: Directive) -> None:
    """Dav On|Off|provider"""
    if first(directive).lower() not in ("on", "off"):
        context.close(directive)
    raise Unsupported("there is no WebDAV here: let a member do it; what another provider has is closed")


def checker(context: ImportContext, directive: Directive) -> None:
    """A program that says who may."""
    context.close(directive)
    raise Unsupported("programs are not run here, so nobody is let in there; let a member run them")


def login(context: ImportContext, directive: Directive) -> None:
    """MellonEnable auth, ShibRequireSession On, ShibRequestSetting requireSession true"""
    if directive.args[-1].lower() in ("auth", "on", "1", "true"):
        context.close(directive)
    raise Unsupported(f"there is no such login here, so nobody is let in where it is asked for: {REMEDY}")


def fixed(context: ImportContext, directive: Directive) -> None:
    """VirtualDocumentRoot folder: nobody gets a file of another folder instead."""
    if context.draft.served:
        context.draft.close(context.server, {"folder": "/"}, directive)
    raise Unsupported("folders are served under fixed paths, so no file is served; write a host for each of them")


def path_info(context: ImportContext, directive: Directive) -> None:
    """AcceptPathInfo On|Off|Default"""
    if first(directive).lower() != "on" or not context.draft.served:
        raise Ignored("what goes on behind a file is 404, as with Off")
    raise Unsupported("what goes on behind a file is 404: write a RewriteRule that leads to the file")


def directory(context: ImportContext, directive: Directive) -> ImportContext:
    """<Directory folder>: holds for files that are served from there, and from below."""
    draft, args = context.draft, directive.args
    if not draft.served:
        raise Ignored(NOT_SERVED)
    if directive.key == "directorymatch" or args[:1] == ("~",):
        if hidden(args[-1], whole_paths=True):
            raise Ignored("names that begin with a dot are not served")
        variables.unset_groups(context, directive, args[-1])
        return dataclasses.replace(context, section=DraftSection("directorymatch", args[-1], directive))
    if not concerns(draft, args[0] if set("*?[") & set(args[0]) else draft.whole(args[0])):
        raise Ignored(NOT_SERVED)
    return dataclasses.replace(context, section=DraftSection("directory", args[0], directive))


def named_files(context: ImportContext, directive: Directive) -> ImportContext:
    """<Files name> and <FilesMatch regex>, in a <Directory> or not."""
    if not context.draft.served:
        raise Ignored(NOT_SERVED)
    names = name_regex(directive) if directive.args else ""
    if hidden(names):
        raise Ignored("names that begin with a dot are not served")
    variables.unset_groups(context, directive, names)
    outer = context.section
    if not names or (outer is not None and outer.kind not in ("directory", "directorymatch")):
        if guards(directive):
            context.close(directive)
        raise Unsupported("it is for servers and for <Directory>; until then nobody is let in here if it guarded any")
    folder, found = outer.argument if outer is not None else "", None
    if outer is not None and outer.kind == "directorymatch":
        folder, found = "", outer
    section = DraftSection("files", folder, directive, names=names, outer=found)
    return dataclasses.replace(context, section=section)


SECTIONS = {
    **dict.fromkeys(("directory", "directorymatch"), directory),
    **dict.fromkeys(("files", "filesmatch"), named_files),
}
IGNORED = by_name({
    "files have the type of their name, and one language": """
        languagepriority mimemagicfile forcelanguagepriority multiviewsmatch fileetag removehandler scriptsock
        modmimeusepathinfo enablesendfile enablemmap""",
})  # fmt: skip
UNSUPPORTED = by_name({
    "folders are served under fixed paths": "userdir checkspelling",
})  # fmt: skip
_CHECKERS = (
    "luahookaccesschecker", "luahookauthchecker", "luahooktranslatename", "luahookcheckuserid", "perlaccesshandler",
    "perlauthenhandler", "perlauthzhandler", "pythonaccesshandler", "pythonauthenhandler", "pythonauthzhandler",
)  # fmt: skip
HANDLERS = {
    "sethandler": set_handler,
    "addhandler": add_handler,
    "action": action,
    "dav": dav,
    "acceptpathinfo": path_info,
    **dict.fromkeys(_CHECKERS, checker),
    **dict.fromkeys(("mellonenable", "shibrequiresession", "shibrequestsetting"), login),
    **dict.fromkeys(("virtualdocumentroot", "virtualscriptalias"), fixed),
    "contentdigest": only(False, "files have no digest", "files are sent without a Content-MD5", is_on),
    "directoryslash": only(
        "on", "it is always on here", "a folder without its slash is always redirected to the one with"
    ),
}
