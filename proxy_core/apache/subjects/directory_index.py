"""mod_dir: the names that stand for a folder, of a server or in a <Directory> that holds for all that it serves."""

from __future__ import annotations

from proxy_core.apache.draft import DraftServer, SiteDraft, below
from proxy_core.apache.import_context import ImportContext
from proxy_core.apache.lexer import Directive


def directory_index(context: ImportContext, directive: Directive) -> None:
    """DirectoryIndex name …"""
    section = context.section
    if section is None or section.kind != "directory" or set("*?[") & set(section.argument):
        context.server_only()
        return context.set(directive, "directory_index", list(directive.args))
    context.server.indexes.append((context.draft.whole(section.argument), list(directive.args), directive))
    return None


def indexed(draft: SiteDraft) -> None:
    """Servers take what the innermost <Directory> round their documents says. What is for a part of them is lost."""
    took: set[Directive] = set()
    for server in draft.servers():
        root = server.option("document_root") or draft.main.option("document_root")
        around = [each for each in _held(draft, server) if root and below(draft.whole(root), each[0])]
        for _, names, directive in sorted(around, key=lambda each: len(each[0]))[-1:]:
            server.options["directory_index"] = (names, directive)
        took |= {directive for _, _, directive in around}
    why = "names that stand for a folder are for all that a server serves: say it for its DocumentRoot"
    for server in draft.servers():
        draft.lose([directive for _, _, directive in server.indexes if directive not in took], why)


def _held(draft: SiteDraft, server: DraftServer) -> list[tuple[str, list[str], Directive]]:
    """What holds in a server: the main server's, then its own."""
    return [*draft.main.indexes, *(server.indexes if server is not draft.main else [])]


HANDLERS = {"directoryindex": directory_index}
