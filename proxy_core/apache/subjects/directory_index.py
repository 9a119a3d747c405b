"""mod_dir: the names that stand for a folder, and what answers for what is not there, of a server or a section."""

from __future__ import annotations

from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import first


def directory_index(context: ImportContext, directive: Directive) -> None:
    """DirectoryIndex name …, which adds to what was said in the same place; ``disabled`` alone takes it back."""
    of_folders(context)
    names = list(directive.args)
    alone = [name.lower() for name in names] == ["disabled"]
    row = context.location() if context.section is not None else None
    before = row.content.get("directory_index", []) if row else context.server.option("directory_index") or []
    names = [] if alone else [*before, *names]
    if row is None:
        return context.set(directive, "directory_index", names)
    row.content["directory_index"] = names
    row.origins.append(directive)
    return None


def fallback(context: ImportContext, directive: Directive) -> None:
    """FallbackResource path|disabled (``fixup_dflt``)."""
    of_folders(context)
    path = "" if first(directive).lower() == "disabled" else first(directive)
    if path and not path.startswith("/"):
        raise Unsupported("it is a path of the site, which begins with a slash")
    if context.section is None:
        return context.set(directive, "fallback_resource", path)
    row = context.location()
    row.content["fallback_resource"] = path
    row.origins.append(directive)
    return None


def of_folders(context: ImportContext) -> None:
    """Raises Unsupported in a section that holds for no folder."""
    if context.section is not None and context.section.kind in ("files", "proxy", "proxymatch"):
        raise Unsupported("it is about folders: write it in a <Directory> or <Location>")


HANDLERS = {"directoryindex": directory_index, "fallbackresource": fallback}
