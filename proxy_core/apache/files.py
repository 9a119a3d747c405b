"""Sections about files: <Directory> and <Files>, which hold where a file of a folder is what answers.

They never hold for what is forwarded (mod_proxy answers ``map_to_storage`` before core does), so they come in only as
far as folders are served. What was to be run, not read, is closed: nobody gets the text of a program.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from proxy_core.apache import compat
from proxy_core.apache.draft import Draft, Here, Ignored, Row, Server, Unsupported, unique
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler, text

NOT_SERVED = "nothing is served from there"
_DOTTED = re.compile(r"\^\\\.|.*/\\?\.|.*\\\.\(?(?:\?:)?(?:git|svn|hg|bzr)\b")
_GUARDS = {"require", "order", "deny", "allow", "requireall", "requireany", "requirenone", "authtype", "satisfy"}


def served(draft: Draft, directives: Sequence[Directive], within: str = "") -> Iterator[tuple[str, str]]:
    """Each folder that is served, whole, and the path that it is served at."""
    for said in directives:
        if said.inside is not None:
            yield from served(draft, said.inside, said.args[0] if said.key == "location" and said.args else "")
        elif said.key == "documentroot" and said.args:
            yield draft.whole(said.args[0]), "/"
        elif said.key == "alias" and said.args:
            yield draft.whole(said.args[-1]), said.args[0] if len(said.args) > 1 else within


def concerns(draft: Draft, folder: str) -> bool:
    """Whether files below a folder are served, or the folder is below one that is."""
    if set("*?[") & set(folder):
        folder = posixpath.dirname(re.split(r"[*?\[]", folder)[0])
    return any(inside(root, folder) or inside(folder, root) for root in draft.served)


def inside(path: str, folder: str) -> bool:
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def url(draft: Draft, folder: str) -> str:
    """The path that a folder is served at, with its last slash. Raises Unsupported where it is not served."""
    roots = sorted((root for root in draft.served if inside(folder, root)), key=len)
    if not roots:
        raise Unsupported("the folder is served at no path, so its own paths cannot be told; begin with a slash")
    below = folder[len(roots[-1].rstrip("/")) :]
    return (draft.served[roots[-1]].rstrip("/") + below).rstrip("/") + "/"


def hidden(regex: str, whole_paths: bool = False) -> bool:
    """Whether a regular expression is for names that begin with a dot, which are never served."""
    plain = "|" not in re.sub(r"\([^()]*\)", "", regex)
    return plain and (regex.startswith(r"^\.") or (whole_paths and _DOTTED.match(regex) is not None))


def name_regex(said: Directive) -> str:
    """The names of <Files> and <FilesMatch> as a regular expression."""
    args = [word for word in said.args if word != "~"] or [""]
    if said.key == "filesmatch" or len(args) < len(said.args):
        return args[0]
    wild = re.escape(args[0]).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\[", "[").replace(r"\]", "]")
    return f"^{wild}$"


def guards(said: Directive) -> bool:
    """Whether a section keeps anybody out."""
    return any(
        each.key in _GUARDS and [word.lower() for word in each.args] != ["all", "granted"] for each in said.inside or ()
    )


def merged(draft: Draft) -> None:
    """Of the sections round a folder that is served, only the innermost says who may: the others' words are left out,
    and its own where they say no more than that everybody may."""
    counts: set[int] = set()
    opens: list[Row] = []
    for server in draft.servers():
        rows = list(_folders(draft, server))
        for root in draft.served:
            asked = [(folder, row) for folder, row in rows if "require" in row.content and inside(root, folder)]
            asked.sort(key=lambda each: len(each[0]))
            if asked:
                counts.add(id(asked[-1][1]))
                opens += [asked[-1][1]] * all(row.content["require"] == [compat.OPEN] for _, row in asked[-1:])
    rows = [each for server in draft.servers() for each in _folders(draft, server)]
    for folder, row in rows:
        if id(row) not in counts and any(inside(root, folder) and root != folder for root in draft.served):
            row.content.pop("require", None)
    for row in opens:
        around = [other for folder, other in rows if inside(draft.whole(row.content["folder"]), folder)]
        if all(other.content.get("require", [compat.OPEN]) == [compat.OPEN] for other in around):
            row.content.pop("require", None)


def _folders(draft: Draft, server: Server) -> Iterator[tuple[str, Row]]:
    """The rows for whole folders that hold in a server, each with its folder."""
    for each in {draft.main: 0, server: 0}:
        for row in each.locations:
            if "folder" in row.content and "files" not in row.content:
                yield draft.whole(row.content["folder"]), row


_OF_CONSOLE = {"balancer-manager", "server-status", "server-info", "ldap-status"}
_PROGRAMS = re.compile(r"proxy:|cgi|php|wsgi|server-parsed|perl|python|lua|passenger|isapi|action", re.IGNORECASE)


def set_handler(here: Here, said: Directive) -> None:
    """SetHandler name: what was to be made by a program is closed."""
    name = text(said)
    if name.lower() in _OF_CONSOLE:
        raise Ignored("the console does this")
    if name.lower() in ("none", "default-handler"):
        raise Ignored("files are served as files")
    if here.section is not None:
        here.section.closed = True
    elif here.draft.served:
        here.draft.close(here.server, {"folder": "/"}, said)
    raise Unsupported(f"there is no handler {name}, so nobody is let in there; let a member answer it")


def add_handler(here: Here, said: Directive) -> None:
    """AddHandler name extension …, AddType type extension …: programs among them are closed."""
    name, *extensions = said.args
    if not (_PROGRAMS.search(name) and here.draft.served):
        raise Ignored("files are served by their names")
    found = "|".join(re.escape(word.lstrip(".")) for word in extensions)
    here.draft.close(here.server, {"files": rf"(?i)\.(?:{found})(?:\.|$)"}, said, "programs")
    raise Unsupported("programs are not run here, so nobody gets to read them; let a member run them")


def directory_slash(here: Here, said: Directive) -> None:
    if text(said).lower() != "on":
        raise Unsupported("a folder without its slash is always redirected to the one with")
    raise Ignored("it is always on here")


def override(here: Here, said: Directive) -> None:
    """AllowOverride: what files named .htaccess say is not known here."""
    if here.section is None or said.args in ((), ("None",), ("none",)):
        raise Ignored("no file but this one says how a folder is served")
    folder = here.draft.whole(here.section.argument)
    if not posixpath.exists(posixpath.join(folder, ".htaccess")):
        raise Ignored("no file but this one says how a folder is served")
    here.section.closed = True
    raise Unsupported("its .htaccess is not read, so nobody is let in there; put what it says into the <Directory>")


def fallback(here: Here, said: Directive) -> None:
    """FallbackResource path: what is no file is answered by this path (``fixup_dflt`` in mod_dir.c)."""
    target = text(said)
    if target.lower() == "disabled":
        raise Ignored("nothing else answers for what is not there")
    if not here.draft.served:
        raise Ignored(NOT_SERVED)
    if here.section is None:
        name = unique("fallback", here.draft.location_ids)
        here.draft.location_ids.add(name)
        here.server.locations.append(Row({"id": name, "folder": "/"}, [said]))
    elif here.section.kind == "directory":
        name = here.location(said).content["id"]
    else:
        raise Unsupported("it is for servers and for <Directory>")
    file = "%{REQUEST_FILENAME}"
    row = {"location": name, "pattern": "^", "substitution": target, "flags": ["END"],
           "conditions": [{"test": file, "pattern": "!-f"}, {"test": file, "pattern": "!-d"}]}  # fmt: skip
    here.server.inner.append(Row(row, [said]))


IGNORED: Mapping[str, str] = {
    **dict.fromkeys(
        ("options", "allowoverridelist", "accessfilename", "indexoptions", "addicon", "addiconbytype",
         "addiconbyencoding", "defaulticon", "readmename", "headername", "indexignore", "indexstylesheet",
         "adddescription", "indexheadinsert", "indexignorereset", "indexorderdefault"),
        "folders are not listed, and links are followed inside of them alone",
    ),
    **dict.fromkeys(
        ("addlanguage", "addencoding", "addcharset", "typesconfig", "languagepriority", "mimemagicfile",
         "forcelanguagepriority", "multiviewsmatch", "contentdigest", "fileetag", "removetype", "adddefaultcharset",
         "removehandler", "removeencoding", "defaulttype", "scriptsock", "defaultlanguage", "modmimeusepathinfo",
         "enablesendfile", "enablemmap", "removecharset", "removelanguage"),
        "files have the type of their name, and one language",
    ),
}  # fmt: skip
HANDLERS: dict[str, Handler] = {
    "sethandler": set_handler,
    "forcetype": set_handler,
    "addhandler": add_handler,
    "addtype": add_handler,
    "allowoverride": override,
    "fallbackresource": fallback,
    "directoryslash": directory_slash,
}
