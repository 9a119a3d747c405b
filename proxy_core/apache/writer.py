"""The site file of an import: tables in the order in which people read them, each with the directives it came from.

What could not be taken over stands at the end, as comments, so that nothing is lost by being imported.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy_core.apache.draft import Block
from proxy_core.apache.report import Report, losses, summary
from proxy_core.config.editing import spelling

_WIDTH = 120

_TITLES = {
    "listeners": "Where requests come in.",
    "hosts": "Virtual hosts.",
    "env": "Variables of requests.",
    "maps": "Tables that rules look keys up in.",
    "rewrites": "Rules that act before the routes.",
    "routes": "Where requests go; the first row that takes one decides.",
    "locations": "Settings for some paths or targets.",
    "access": "Conditions of access, by name.",
    "auth": "Users and passwords.",
    "upstream_tls": "How https members are spoken to.",
    "headers": "Changes to fields of requests and answers.",
    "reverse": "Addresses in answers, mapped back.",
    "errors": "Pages for errors.",
    "balancers": "Groups of members.",
}


def written(name: str, blocks: Sequence[Block], report: Report) -> tuple[str, list[int]]:
    """The text of a site file, and for each block the line on which it begins. ``name`` is that of the configuration
    it was imported from."""
    text = f"# Imported from {name}.\n# {summary(report)}.\n\nversion = 1\n"
    starts: list[int] = []
    title = ""
    for block in blocks:
        if block.path[0] != title:
            title = block.path[0]
            text += f"\n\n# {_TITLES[title]}\n" if title in _TITLES else ""
        starts.append(text.count("\n") + 1)
        text += "\n" + _told(block)
    if report.losses:
        text += "\n\n# Not taken over:\n" + "".join(f"#   {_printable(line)}\n" for line in losses(report.losses))
    return text, starts


def _told(block: Block) -> str:
    lines = "".join(
        f"# {_printable(f'{origin.place}  {origin}')[:_WIDTH]}\n" for origin in dict.fromkeys(block.origins)
    )
    return lines + spelling.table(block.path, block.content, row=block.row)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)
