"""httpd.conf as a site: ``rproxy import``.

A configuration is read as one tree (``reader``), each directive is looked up in the tables of the subjects and put into
a draft, the draft is laid out as rows (``assembly``) and written: tables in the order in which people read them, each
with the directives it came from, and at the end, as comments, what could not be taken over. What the site file's own
check then finds wrong is taken out of service and counted as a loss, so that the file that is written can be served
in any case. Every directive is in the report once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

from proxy_core.apache import doubts, override_files, section_order
from proxy_core.apache.assembly import assembled
from proxy_core.apache.blocks import Block
from proxy_core.apache.draft import CLOSED, UNANSWERED, SiteDraft, refusing
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, SourcePlace
from proxy_core.apache.reader import read
from proxy_core.apache.registry import HANDLERS, IGNORED, SECTIONS, UNSUPPORTED
from proxy_core.apache.report import Outcome, Report, summary
from proxy_core.apache.served_files import looked_at
from proxy_core.apache.subjects import (
    access,
    files,
    forward_auth,
    listings,
    overrides,
    tls_variables,
    users,
    variables,
)
from proxy_core.apache.subjects.rewriting import folder_of
from proxy_core.config.editing import spelling
from proxy_core.config.reading.document import parse
from proxy_core.errors import Problem
from proxy_core.rules.lint.site import lint


@dataclass(frozen=True, slots=True)
class Imported:
    """The site file's text, and what became of each directive."""

    text: str
    report: Report


def import_file(file: Path, defines: Mapping[str, str], allow_programs: bool, folder: Path | None = None) -> Imported:
    """Import a configuration; the site file is to stand in ``folder``, that of the configuration without it."""
    configuration = read(file, defines)
    draft = SiteDraft(allow_programs, configuration.root, (folder or file.parent).absolute())
    draft.whole_names = files.by_whole_names(draft, configuration.directives)
    named = {place: place for each in rules_of(configuration.directives) if (place := folder_of(each))}
    draft.served = named | dict(files.served(draft, configuration.directives))
    names = list(overrides.names(configuration.directives)) or [".htaccess"]
    draft.files = looked_at(draft.served, names)
    known = (*HANDLERS, *IGNORED, *UNSUPPORTED, *SECTIONS)
    directives = override_files.included(draft, configuration.directives, names, configuration.more, known)
    draft.lists = bool(draft.served) and listings.lists(directives)
    draft.asked_names = variables.asked_names(directives)
    draft.programs = frozenset(files.programs(directives))
    draft.asked_urls = variables.asked_urls(directives)
    draft.asked = tls_variables.asked(directives)
    walk(ImportContext(draft, draft.main), section_order.laid(directives))
    blocks = assembled(draft)
    for server, lost in draft.doubts.items():
        blocks = doubts.closed(draft, blocks, server.name, lost)
    while True:
        report = Report(entries=section_order.as_read(draft.report, directives), problems=configuration.problems)
        text, starts = written(file.name, blocks, report)
        found = faults(text)
        if not found:
            return Imported(text, report)
        left = without(draft, blocks, [(bisect_right(starts, each.line) - 1, each) for each in found])
        if left == blocks:  # what is wrong belongs to no block: the file is said not to be served
            return Imported(text, Report(entries=report.entries, problems=(*report.problems, *found)))
        blocks = left


def rules_of(directives: Iterable[Directive]) -> Iterator[Directive]:
    """The rewrite rules of servers."""
    for each in directives:
        if each.key == "virtualhost":
            yield from rules_of(each.inside or ())
        elif each.key == "rewriterule":
            yield each


def faults(text: str) -> list[Problem]:
    """What keeps a site file from being served, with its lines."""
    document = parse(text)
    problems = document.problems if document.site is None else map(document.located, lint(document.site))
    return [each for each in problems if each.severity == "error"]


def without(draft: SiteDraft, blocks: list[Block], found: list[tuple[int, Problem]]) -> list[Block]:
    """The blocks with those at fault taken out of service, or out of the file where they cannot be; what they stood
    for is lost."""
    kept: list[Block] = []
    unset: dict[str, dict[str, str]] = {}
    shut: dict[str, Block] = {}
    reasons = dict(reversed(found))
    for number, block in enumerate(blocks):
        problem = reasons.get(number)
        if problem is None:
            kept.append(block)
            continue
        why = f"{problem.what}: {problem.todo}" if problem.todo else problem.what
        for origin in block.origins:
            why = origin.unsaid(why)
        draft.lose(block.origins[-1:], why)
        if block.path[0] == "listeners" and block.path[-1] == "tls":
            shut |= dict.fromkeys(_behind(block.path[1], blocks), block)
        closed = next((each for each in closings(block) if each != block.content), None)
        if closed is not None:
            kept.append(replace(block, content=closed))
        elif block.row and block.content.get("enabled", True) and "not a key" not in problem.what:
            kept.append(replace(block, content={**block.content, "enabled": False}))
            if block.path[0] == "env":
                name = block.content["name"]
                lost = unset.setdefault(block.content.get("host", ""), {})
                lost[doubts.variable(re.escape(name))] = f"{name} is not set"
    for host, block in shut.items():
        where = {"id": draft.location_id("closed"), **({"host": host} if host else {}), "path": "/"}
        kept.append(Block(("locations",), {**where, "final": True, "require": [CLOSED]}, block.origins, row=True))
    for host, lost in unset.items():
        kept = doubts.closed(draft, kept, host, lost)
    return kept


def _behind(listener: str, blocks: Sequence[Block]) -> list[str]:
    """The hosts that a listener leads to, "" where there are none."""
    found = [
        block.path[1]
        for block in blocks
        if block.path[0] == "hosts" and listener in block.content.get("listeners", (listener,))
    ]
    return found or [""]


def closings(block: Block) -> Iterator[dict[str, Any]]:
    """What a block says where it cannot be as it is, so that it gives nothing away: as little wider than it was as can
    be. A rule or a route at fault answers 503, for nobody knows whom it kept out, and what is below it had less."""
    kept = {key: block.content[key] for key in ("id", "host", "location") if key in block.content}
    match block.path[0]:
        case "rewrites":
            narrow = refusing({key: value for key, value in block.content.items() if key != "conditions"})
            yield from _further(block, narrow, refusing({**kept, "pattern": "^"}))
        case "routes":
            narrow = {**kept, **{key: block.content[key] for key in ("path", "path_regex") if key in block.content}}
            yield from _further(block, {**narrow, **UNANSWERED}, {**kept, "path": "/", **UNANSWERED})
        case "listeners" if block.path[-1] == "tls":  # whose hosts nobody gets into
            yield {key: value for key, value in block.content.items() if not key.startswith("client_")}
        case _ if {"require", "methods"} & block.content.keys():
            narrow = {key: value for key, value in block.content.items() if key not in ("expr", "merging", "methods")}
            whole = {**kept, "path": "/", "final": True, "require": [CLOSED]}
            yield from _further(block, {**narrow, "final": True, "require": [CLOSED]}, whole)


def _further(block: Block, *steps: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps behind the one that the block has taken already."""
    yield from steps[steps.index(block.content) + 1 :] if block.content in steps else steps


def walk(context: ImportContext, directives: Iterable[Directive]) -> None:
    """Put directives into the draft, sections with all that is in them."""
    for directive in directives:
        context.losses = []
        try:
            inner = put(context, directive)
        except Unsupported as why:
            for name in variables.lost_names(directive):
                context.draft.doubt(context.server, doubts.variable(name), directive)
            if directive.key in SECTIONS or not files.guards(directive):
                left_out(context.draft, directive, "unsupported", str(why))
            else:
                context.close(directive)
                left_out(context.draft, directive, "unsupported", f"{why}, so nobody is let in where it stands")
        except Ignored as why:
            left_out(context.draft, directive, "ignored", str(why))
        else:
            losses = "; ".join(context.losses)
            context.draft.note(directive, "unsupported" if losses else "mapped", losses)
            if inner is not None:
                walk(inner, directive.inside or ())
                if inner.section is not context.section:
                    for subject in (access, users):  # what the section said goes to its row
                        subject.finished(inner)


_BARE = frozenset(("else", "requireall", "requireany", "requirenone", "virtualhost"))
"""Sections that say what they are for by their name alone."""


def put(context: ImportContext, directive: Directive) -> ImportContext | None:
    """Put one directive into the draft; what is in a section stands in the context that is returned."""
    key = directive.key
    try:
        if directive.inside is None:
            if key in HANDLERS:
                return HANDLERS[key](context, directive)
            if key in IGNORED:
                raise Ignored(IGNORED[key])
            raise Unsupported(UNSUPPORTED.get(key) or forward_auth.remedy(key) or "there is nothing like it here")
        if key not in SECTIONS:
            raise Unsupported(f"there is nothing like <{directive.name}> here")
        if not directive.args and key not in _BARE:
            raise Unsupported("it does not say what it is for")
        return SECTIONS[key](context, directive)
    except (ValueError, IndexError):
        raise Unsupported("its words are not understood") from None


def left_out(draft: SiteDraft, directive: Directive, outcome: Outcome, why: str) -> None:
    """A directive that does not come in, a section with all that is in it."""
    draft.note(directive, outcome, why)
    for each in directive.inside or ():
        if each.inside is not None:
            left_out(draft, each, outcome, why)
        else:
            within = f" (in {directive})" * (outcome == "unsupported")
            draft.note(each, outcome, f"{why}{within}")


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
    "access_logs": "Logs of requests, beside the first.",
    "headers": "Changes to fields of requests and answers.",
    "expires": "How long answers may be kept.",
    "reverse": "Addresses in answers, mapped back.",
    "errors": "Pages for errors.",
    "balancers": "Groups of members.",
}


def written(name: str, blocks: Sequence[Block], report: Report) -> tuple[str, list[int]]:
    """The text of a site file, and for each block the line on which it begins. ``name`` is that of the configuration
    it was imported from."""
    parts = [f"# Imported from {_printable(name)}.\n# {summary(report)}.\n\nversion = 1\n"]
    starts: list[int] = []
    reasons = {SourcePlace(each.file, each.line): each.why for each in report.losses}
    title = ""
    line = parts[0].count("\n") + 1
    for block in blocks:
        if block.path[0] != title:
            title = block.path[0]
            parts.append(f"\n\n# {_TITLES[title]}\n" if title in _TITLES else "")
            line += parts[-1].count("\n")
        starts.append(line)
        parts.append("\n" + _told(block, reasons))
        line += parts[-1].count("\n")
    if report.losses:
        lost = [f"{each.file}:{each.line}  {each.text}  ({each.why})" for each in report.losses]
        parts += ["\n\n# Not taken over:\n", *(f"#   {_printable(each)}\n" for each in lost)]
    return "".join(parts), starts


def _told(block: Block, reasons: Mapping[SourcePlace, str]) -> str:
    origins = dict.fromkeys(block.origins)
    told = [f"{origin.place}  {origin}" for origin in origins]
    lost = [f"Lost: {why}" for why in dict.fromkeys(reasons.get(origin.place, "") for origin in origins) if why]
    told += [line for each in lost for line in wrap(_printable(each), _WIDTH - 2, subsequent_indent="  ")]
    lines = "".join(f"# {_printable(each)[:_WIDTH]}\n" for each in told)
    return lines + spelling.table(block.path, block.content, row=block.row)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)
