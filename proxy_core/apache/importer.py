"""httpd.conf as a site: ``rproxy import``.

A configuration is read as one tree (``reader``), each directive is looked up in the tables of handlers and put into a
draft, the draft is laid out as rows (``assembly``) and written with comments (``writer``). What the site file's own
check then finds wrong is taken out of service and counted as a loss, so that the file that is written can be served
in any case. Every directive is in the report once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from proxy_core.apache import (
    access,
    balancing,
    compat,
    core,
    fields,
    files,
    others,
    proxy,
    redirects,
    remoteip,
    rewrite,
    tls,
)
from proxy_core.apache.assembly import assembled
from proxy_core.apache.draft import Block, Draft, Group, Here, Ignored, Kind, Row, Section, Server, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.reader import read
from proxy_core.apache.report import Report
from proxy_core.apache.table import Handler
from proxy_core.apache.writer import written
from proxy_core.config.reading.document import parse
from proxy_core.errors import Problem
from proxy_core.rules.lint.site import lint

THEMES = (core, files, proxy, balancing, rewrite, fields, redirects, access, remoteip, tls)
HANDLERS: dict[str, Handler] = {name: handler for theme in THEMES for name, handler in theme.HANDLERS.items()}
IGNORED: dict[str, str] = {**core.IGNORED, **files.IGNORED, **tls.IGNORED, **others.IGNORED}
LOST: Mapping[str, str] = others.LOST


@dataclass(frozen=True, slots=True)
class Imported:
    """The site file's text, and what became of each directive."""

    text: str
    report: Report


def import_file(file: Path, defines: Mapping[str, str], allow_programs: bool, folder: Path | None = None) -> Imported:
    """Import a configuration; the site file is to stand in ``folder``, that of the configuration without it."""
    configuration = read(file, defines)
    draft = Draft(allow_programs, configuration.root, (folder or file.parent).absolute())
    draft.served = dict(files.served(draft, configuration.directives))
    walk(Here(draft, draft.main), configuration.directives)
    blocks = assembled(draft)
    while True:
        report = Report(entries=tuple(draft.entries), problems=configuration.problems)
        text, starts = written(file.name, blocks, report)
        found = faults(text)
        if not found:
            return Imported(text, report)
        blocks = without(draft, blocks, [(bisect_right(starts, each.line) - 1, each) for each in found])


def faults(text: str) -> list[Problem]:
    """What keeps a site file from being served, with its lines."""
    document = parse(text)
    problems = document.problems if document.site is None else map(document.located, lint(document.site))
    return [each for each in problems if each.severity == "error"]


def without(draft: Draft, blocks: list[Block], found: list[tuple[int, Problem]]) -> list[Block]:
    """The blocks with those at fault taken out of service, or out of the file where they cannot be; what they stood
    for is lost."""
    kept: list[Block] = []
    reasons = dict(reversed(found))
    for number, block in enumerate(blocks):
        problem = reasons.get(number)
        if problem is None:
            kept.append(block)
            continue
        why = f"{problem.what}: {problem.todo}" if problem.todo else problem.what
        draft.lose({origin.place for origin in block.origins[-1:]}, why)
        closed = {key: value for key, value in block.content.items() if key not in ("expr", "merging")}
        closed["require"] = [compat.CLOSED]
        if "require" in block.content and block.content != closed:
            kept.append(replace(block, content=closed))
        elif block.row and block.content.get("enabled", True) and "not a key" not in problem.what:
            kept.append(replace(block, content={**block.content, "enabled": False}))
    return kept


def walk(here: Here, directives: tuple[Directive, ...]) -> None:
    """Put directives into the draft, sections with all that is in them."""
    for said in directives:
        if said.inside is not None:
            found = SECTIONS.get(said.key)
            if found is None:
                lost(here, said, f"there is nothing like <{said.name}> here")
            elif not said.args and said.key not in _BARE:
                lost(here, said, "it does not say what it is for")
            else:
                found(here, said)
            continue
        here.losses = []
        try:
            handle(here, said)
        except Unsupported as why:
            here.draft.note(said, "unsupported", str(why))
        except Ignored as why:
            here.draft.note(said, "ignored", str(why))
        else:
            here.draft.note(said, "unsupported" if here.losses else "mapped", "; ".join(here.losses))


def handle(here: Here, said: Directive) -> None:
    handler = HANDLERS.get(said.key)
    if handler is None:
        why = IGNORED.get(said.key)
        raise Ignored(why) if why is not None else Unsupported(LOST.get(said.key, "there is nothing like it here"))
    try:
        handler(here, said)
    except (ValueError, IndexError):
        raise Unsupported("its words are not understood") from None


def lost(here: Here, said: Directive, why: str) -> None:
    """A section that is lost with all that is in it."""
    here.draft.note(said, "unsupported", why)
    for each in said.inside or ():
        if each.inside is not None:
            lost(here, each, why)
        else:
            here.draft.note(each, "unsupported", f"{why} (in <{said.name} {said.raw}>)")


def virtual_host(here: Here, said: Directive) -> None:
    server = Server(directive=said)
    here.draft.hosts.append(server)
    here.draft.note(said, "mapped")
    assert said.inside is not None
    walk(Here(here.draft, server), said.inside)


def section(kind: Kind, regex: Kind = "location") -> Callable[[Here, Directive], None]:
    """<Location> and its like; ``~`` before the argument makes it an expression."""

    def handler(here: Here, said: Directive) -> None:
        argument = said.args
        found = kind
        if argument[:1] == ("~",):
            found, argument = regex, argument[1:]
        if not argument:
            return lost(here, said, "it does not say what it is for")
        here.draft.note(said, "mapped")
        if found == "locationmatch":
            here.server.env += named_groups(argument[0], said)
        enter(here, Section(found, argument[0], said))

    return handler


_GROUP = re.compile(r"\\.|\[(?:\\.|[^]\\])+\]|\((?!\?)|\(\?P?(?:<|')(\w+)(?:>|')", re.DOTALL)


def named_groups(regex: str, said: Directive) -> list[Row]:
    """What the groups of a <LocationMatch> with a name of their own found, as MATCH_NAME (``ap_location_walk``)."""
    groups = [group[1] for group in _GROUP.finditer(regex) if group[0].startswith("(")]
    return [
        Row(
            {"name": f"MATCH_{name.upper()}", "from": "%{REQUEST_URI}", "capture": regex, "value": f"${number}"}, [said]
        )
        for number, name in enumerate(groups, 1)
        if name
    ]


def enter(here: Here, found: Section) -> None:
    """Put what is in a section into the draft."""
    inner = replace(here, section=found, losses=[])
    walk(inner, found.directive.inside or ())
    access.finished(inner)
    rewrite.finished(inner)


def passed_over(here: Here, said: Directive, why: str) -> None:
    """A section that makes no difference, with all that is in it."""
    here.draft.note(said, "ignored", why)
    for each in said.inside or ():
        if each.inside is not None:
            passed_over(here, each, why)
        else:
            here.draft.note(each, "ignored", why)


def directory(here: Here, said: Directive) -> None:
    """<Directory folder>: holds for files that are served from there, and from below."""
    draft = here.draft
    if not draft.served:
        return passed_over(here, said, files.NOT_SERVED)
    if said.key == "directorymatch" or said.args[:1] == ("~",) or not said.args:
        if said.args and files.hidden(said.args[-1], whole_paths=True):
            return passed_over(here, said, "names that begin with a dot are not served")
        if files.guards(said):
            draft.close(here.server, {"folder": "/"}, said)
        return lost(here, said, "write a <Directory> for each folder; until then no file is served if it guarded any")
    folder = said.args[0] if set("*?[") & set(said.args[0]) else draft.whole(said.args[0])
    if not files.concerns(draft, folder):
        return passed_over(here, said, files.NOT_SERVED)
    section("directory", "directory")(here, said)


def named_files(here: Here, said: Directive) -> None:
    """<Files name> and <FilesMatch regex>, in a <Directory> or not."""
    if not here.draft.served:
        return passed_over(here, said, files.NOT_SERVED)
    names = files.name_regex(said) if said.args else ""
    if files.hidden(names):
        return passed_over(here, said, "names that begin with a dot are not served")
    outer = here.section
    if not names or (outer is not None and outer.kind != "directory"):
        return lost(here, said, "it is for servers and for <Directory>")
    folder = outer.argument if outer is not None else ""
    here.draft.note(said, "mapped")
    enter(here, Section("files", folder, said, names=names))


def group(match: Literal["any", "all", "none"]) -> Callable[[Here, Directive], None]:
    """<RequireAny> and its like."""

    def handler(here: Here, said: Directive) -> None:
        if here.section is None:
            return lost(here, said, "it is for sections; put it into <Location />")
        made = Group(match, [])
        access.add(here, said, made)
        here.draft.note(said, "mapped")
        walk(replace(here, group=made, losses=[]), said.inside or ())

    return handler


def limited(here: Here, said: Directive) -> None:
    """<Limit> and <LimitExcept>: what is said in them of access is for some methods."""
    here.draft.note(said, "mapped")
    method = ("not method " if said.key == "limitexcept" else "method ") + " ".join(said.args)
    walk(replace(here, method=method, losses=[]), said.inside or ())


def conditional(here: Here, said: Directive) -> None:
    """<If>, <ElseIf> and <Else>: what is inside holds where the expression does."""
    conditions = here.conditions
    if said.key == "if":
        conditions.clear()
    expression = said.raw.strip()
    if len(expression) > 1 and expression[0] in "\"'" and expression[-1] == expression[0]:
        expression = expression[1:-1].replace("\\" + said.raw.strip()[0], said.raw.strip()[0])
    before = [f"!({each})" for each in conditions]
    if said.key != "else":
        conditions.append(expression)
        before.append(f"({expression})")
    outer = here.section
    if outer is not None and outer.kind == "if":
        before.insert(0, f"({outer.expression})")
        outer = outer.outer
    whole = before[0][1:-1] if len(before) == 1 and said.key == "if" else " && ".join(before)
    here.draft.note(said, "mapped")
    argument = outer.argument if outer is not None else "/"
    inner = Section("if", argument, said, outer=outer, expression=whole)
    enter(replace(here, conditions=[]), inner)


def provider_alias(here: Here, said: Directive) -> None:
    """<AuthzProviderAlias provider name arguments>: a condition under another name."""
    kind, name, *words = (*said.args, "", "")
    here.draft.providers[name.lower()] = " ".join([kind, *words]).strip()
    here.draft.note(said, "mapped")


_BARE = frozenset(("else", "requireall", "requireany", "requirenone", "virtualhost"))
"""Sections that say what they are for by their name alone."""
SECTIONS: dict[str, Callable[[Here, Directive], None]] = {
    "virtualhost": virtual_host,
    "location": section("location", "locationmatch"),
    "locationmatch": section("locationmatch"),
    "proxy": section("proxy", "proxymatch"),
    "proxymatch": section("proxymatch"),
    "requireall": group("all"),
    "requireany": group("any"),
    "requirenone": group("none"),
    "limit": limited,
    "limitexcept": limited,
    "authzprovideralias": provider_alias,
    "if": conditional,
    "elseif": conditional,
    "else": conditional,
    **dict.fromkeys(("directory", "directorymatch"), directory),
    **dict.fromkeys(("files", "filesmatch"), named_files),
}
