"""Where a directive stands while it is imported, and what its handler may do there.

A handler puts what its directive says into the draft. It raises ``Unsupported`` where all of it is lost, and
``Ignored`` where it makes no difference. It calls ``context.lose`` where a part is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy_core.apache.draft import (
    NOBODY,
    AccessGroup,
    DraftBalancer,
    DraftRow,
    DraftSection,
    DraftServer,
    SiteDraft,
    located,
)
from proxy_core.apache.lexer import Directive


class Unsupported(Exception):
    """What a directive says is lost, because …"""


class Ignored(Exception):
    """What a directive says makes no difference here, because …"""


@dataclass(eq=False)
class ImportContext:
    """Where a directive stands."""

    draft: SiteDraft
    """The draft that it goes to."""
    server: DraftServer
    """The server round it."""
    section: DraftSection | None = None
    """The section round it."""
    group: AccessGroup | None = None
    """The <RequireAny> or its like round it."""
    method: str = ""
    """The condition that the <Limit> round it is."""
    losses: list[str] = field(default_factory=list)
    """What is lost of the directive at hand."""
    conditions: list[str] = field(default_factory=list)
    """The expressions of the <If> and <ElseIf> before it."""

    def lose(self, why: str) -> None:
        """A part of the directive at hand is lost."""
        self.losses.append(why)

    def set(self, directive: Directive, key: str, value: Any) -> None:
        """Keep what a directive says of the whole server."""
        self.server.options[key] = (value, directive)

    def add(self, directive: Directive, table: str, content: dict[str, Any]) -> None:
        """A row more in a table of the server."""
        getattr(self.server, table).append(DraftRow(content, [directive]))

    def close(self, directive: Directive) -> None:
        """Nobody is let in where a directive stands, for what it kept out or answered there is lost."""
        if self.section is not None:
            self.section.closed = True
        else:
            self.draft.close(self.server, {"path": "/"}, directive)

    def fence(self, section: DraftSection) -> None:
        """The section keeps people out beside all that Require says."""
        self.location()
        if section not in self.server.fenced:
            self.server.fenced.append(section)

    def shut(self, directive: Directive, test: str) -> DraftRow:
        """Nobody for whom an expression holds is let in where a directive stands, whatever other sections say: the
        row that says so."""
        where = self.where(self.section_only())
        expr = f"({where['expr']}) && {test}" if "expr" in where else test
        self.draft.close(self.server, {**where, "expr": expr}, directive, "needed")
        return self.server.closed[-1]

    def unanswered(self, directive: Directive, where: Mapping[str, str]) -> None:
        """A row in the place of what forwarded these paths and is lost: it forwards to nobody, which answers 503, so
        that no wider row and no file gets them, and what is excepted from it still does not go there."""
        nobody = self.draft.main.balancers.setdefault(NOBODY, DraftBalancer([]))
        nobody.origins.append(directive)
        url = f"balancer://{NOBODY}" + "/" * where.get("path", "").endswith("/")
        self.add(directive, "routes" if self.section is None else "located", {**where, "proxy": url})

    def servers(self) -> Iterable[DraftServer]:
        """The servers that hold here: the main one, and the virtual host at hand."""
        return dict.fromkeys((self.draft.main, self.server))

    def unconditional(self) -> None:
        """Raises Unsupported inside <If>."""
        if self.section is not None and self.section.kind == "if":
            raise Unsupported("it stands inside <If>, where it cannot be told apart; move it out")

    def server_only(self) -> None:
        """Raises Unsupported inside a section."""
        if self.section is not None:
            raise Unsupported(f"it stands inside {self.section.directive}; move it out of the section")

    def section_only(self) -> DraftSection:
        """The section round it. Raises Unsupported where there is none."""
        if self.section is None:
            raise Unsupported("it is for sections; put it into <Location />")
        return self.section

    def asked(self, directive: Directive) -> AccessGroup:
        """What the section at hand asks by Require; outside of sections nobody is let in. Raises Unsupported."""
        if self.section is None:
            self.draft.close(self.server, {"path": "/"}, directive)
            raise Unsupported("outside of sections it cannot be asked, so nobody is let in; put it into <Location />")
        if self.section.access is None:
            self.section.access = AccessGroup("any", [])
        return self.section.access

    def rewritten(self) -> DraftServer | DraftSection:
        """What rewrite rules belong to: the server, or the section at hand. Raises Unsupported."""
        if self.section is None:
            self.server.rewrites_anything = True
            return self.server
        self.section.rewriting = True
        self.within(self.section)
        return self.section

    def within(self, section: DraftSection) -> None:
        """The section at hand may have rules, or forbid them."""
        if section not in self.server.within:
            self.server.within.append(section)
            self.location()  # now, for it has its place among the others

    def place(self) -> dict[str, str]:
        """What a row says of where it holds: its location, or nothing for a whole server."""
        return {} if self.section is None else {"location": self.location().content["id"]}

    def location(self) -> DraftRow:
        """The row of [[locations]] for the section at hand."""
        section = self.section
        assert section is not None
        if section.row is None:
            stem = re.sub(r"[^A-Za-z0-9]+", "-", section.names or section.argument)
            name = self.draft.location_id(stem.strip("-").lower() or "root")
            section.row = DraftRow({"id": name, **self.where(section)}, [section.directive])
            self.server.locations.append(section.row)
        return section.row

    def where(self, section: DraftSection) -> dict[str, str]:
        """What the section's row is for."""
        match section.kind:
            case "location":
                return located(section.argument)
            case "locationmatch":
                return {"path_regex": section.argument}
            case "proxy":
                target = section.argument.removesuffix("*") or "*"
                return {"target": section.argument if set("*?[") & set(target) else target}
            case "proxymatch":
                return {"target_regex": section.argument}
            case "directorymatch":
                return {"folder_regex": section.argument}
            case "directory":
                return {"folder": self.draft.path(section.argument)}
            case "files":
                folder = {"folder": self.draft.path(section.argument)} if section.argument else {}
                folder = self.where(section.outer) if section.outer is not None else folder
                return folder | {"files": section.names}
        where = self.where(section.outer) if section.outer is not None else {"path": "/"}
        return where | {"expr": section.expression}
