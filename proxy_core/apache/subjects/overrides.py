"""What httpd finds in folders itself, which no directive says: files of overrides (.htaccess), and links.

What ``override_files`` has not taken over would count (``ap_parse_htaccess``, asked by ``ap_directory_walk``): such a
folder is closed. Which <Directory> says whether they count is known when all of them are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy_core.apache.draft import DraftServer, SiteDraft, below
from proxy_core.apache.import_context import Ignored, ImportContext
from proxy_core.apache.lexer import Directive

_NONE = "no file but this one says how a folder is served"


def override(context: ImportContext, directive: Directive) -> None:
    """AllowOverride word …, AllowOverrideList directive …: whether files of overrides in a folder count."""
    words = [word.lower() for word in directive.args]
    section = context.section
    if section is not None and section.kind == "directory":
        folder = context.draft.whole(section.argument)
        context.server.overrides.append((folder, words not in ([], ["none"]), directive))
    if folders := context.draft.overridden.get(directive.place):
        raise Ignored(f"what .htaccess in {_told(folders)} says has come in; later changes of it are not seen")
    raise Ignored(_NONE)


def access_file_name(context: ImportContext, directive: Directive) -> None:
    """AccessFileName name …"""
    raise Ignored("such files are read when a configuration is imported, and not later")


def names(directives: Iterable[Directive]) -> Iterator[str]:
    """What files of overrides are called anywhere."""
    for directive in directives:
        if directive.inside is not None:
            yield from names(directive.inside)
        elif directive.key == "accessfilename":
            yield from directive.args


def settled(draft: SiteDraft) -> None:
    """Nobody is let into folders whose files of overrides count."""
    closed: dict[Directive, list[str]] = {}
    for server in draft.servers():
        said = [*draft.main.overrides, *(server.overrides if server is not draft.main else [])]
        for folder in [each for each in draft.files.overrides if each not in draft.override_folders]:
            around = sorted((each for each in said if below(folder, each[0])), key=lambda each: len(each[0]))
            serving = (each for each, root in _serving(server, draft) if below(folder, root) or below(root, folder))
            nobody = [("", True, each) for each in serving]  # httpd reads it then, and answers 500 for what it says
            allowing = (around or nobody)[-1:]
            if not allowing or not allowing[0][1] or (server.name and allowing[0] in draft.main.overrides):
                continue  # a word of the main server closes the folder in all hosts
            directive = allowing[0][2]
            for root in draft.served:
                if below(folder, root) or below(root, folder):
                    place = folder if below(folder, root) else root
                    draft.close(server, {"folder": draft.path(place)}, directive)
            closed.setdefault(directive, []).append(folder)
        if not draft.files.whole and (unknown := [each for _, allows, each in server.overrides if allows]):
            draft.lose(unknown, "there are more files than are looked at: see whether an .htaccess is among them")
    for directive, folders in closed.items():
        draft.lose([directive], f"what an .htaccess says has not come in, so nobody is let into {_told(folders)}: "
                   "put it into a <Directory>")  # fmt: skip
    for directive, root in [each for server in draft.servers() for each in _serving(server, draft)]:
        if found := [each for each in draft.files.links if below(each, root)]:
            draft.lose([directive], f"links that lead out of the folder are not followed, so 404 answers for "
                       f"{_told(found)}: serve what they lead to by an Alias")  # fmt: skip


def _serving(server: DraftServer, draft: SiteDraft) -> Iterator[tuple[Directive, str]]:
    """The directives of a server that have folders served, each with its folder."""
    if "document_root" in server.options:
        root, directive = server.options["document_root"]
        yield directive, draft.whole(root)
    for row in (*server.aliases, *server.located_aliases):
        if "folder" in row.content and "path" in row.content:
            yield row.origins[0], draft.whole(row.content["folder"])


def _told(paths: list[str]) -> str:
    """A few of these, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(dict.fromkeys(paths[:3])) + more


HANDLERS = {
    **dict.fromkeys(("allowoverride", "allowoverridelist"), override),
    "accessfilename": access_file_name,
}
