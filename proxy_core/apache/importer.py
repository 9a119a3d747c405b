"""httpd.conf as a site: ``rproxy import``.

A configuration is read as one tree (``reader``), each directive is looked up in the tables of the subjects and put into
a draft, the draft is laid out as rows (``assembly``) and written: tables in the order in which people read them, each
with the directives it came from, and at the end, as comments, what could not be taken over. What the site file's own
check then finds wrong is taken out of service and counted as a loss, so that the file that is written can be served
in any case. Every directive is in the report once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from proxy_core.apache.assembly import assembled
from proxy_core.apache.draft import CLOSED, Block, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.reader import read
from proxy_core.apache.registry import HANDLERS, IGNORED, SECTIONS, UNSUPPORTED
from proxy_core.apache.report import Outcome, Report, summary
from proxy_core.apache.subjects import access, files, rewriting, users
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
    draft.served = dict(files.served(draft, configuration.directives))
    walk(ImportContext(draft, draft.main), configuration.directives)
    blocks = assembled(draft)
    while True:
        report = Report(entries=tuple(draft.report), problems=configuration.problems)
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


def without(draft: SiteDraft, blocks: list[Block], found: list[tuple[int, Problem]]) -> list[Block]:
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
        for origin in block.origins:
            why = origin.unsaid(why)
        draft.lose(block.origins[-1:], why)
        closed = {key: value for key, value in block.content.items() if key not in ("expr", "merging")}
        closed["require"] = [CLOSED]
        if "require" in block.content and block.content != closed:
            kept.append(replace(block, content=closed))
        elif block.row and block.content.get("enabled", True) and "not a key" not in problem.what:
            kept.append(replace(block, content={**block.content, "enabled": False}))
    return kept


def walk(context: ImportContext, directives: Iterable[Directive]) -> None:
    """Put directives into the draft, sections with all that is in them."""
    for directive in directives:
        context.losses = []
        try:
            inner = put(context, directive)
        except Unsupported as why:
            left_out(context.draft, directive, "unsupported", str(why))
        except Ignored as why:
            left_out(context.draft, directive, "ignored", str(why))
        else:
            losses = "; ".join(context.losses)
            context.draft.note(directive, "unsupported" if losses else "mapped", losses)
            if inner is not None:
                walk(inner, directive.inside or ())
                if inner.section is not context.section:
                    for subject in (access, users, rewriting):  # what the section said goes to its row
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
            raise Unsupported(UNSUPPORTED.get(key, "there is nothing like it here"))
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
    "headers": "Changes to fields of requests and answers.",
    "reverse": "Addresses in answers, mapped back.",
    "errors": "Pages for errors.",
    "balancers": "Groups of members.",
}


def written(name: str, blocks: Sequence[Block], report: Report) -> tuple[str, list[int]]:
    """The text of a site file, and for each block the line on which it begins. ``name`` is that of the configuration
    it was imported from."""
    parts = [f"# Imported from {_printable(name)}.\n# {summary(report)}.\n\nversion = 1\n"]
    starts: list[int] = []
    title = ""
    line = parts[0].count("\n") + 1
    for block in blocks:
        if block.path[0] != title:
            title = block.path[0]
            parts.append(f"\n\n# {_TITLES[title]}\n" if title in _TITLES else "")
            line += parts[-1].count("\n")
        starts.append(line)
        parts.append("\n" + _told(block))
        line += parts[-1].count("\n")
    if report.losses:
        lost = [f"{each.file}:{each.line}  {each.text}  ({each.why})" for each in report.losses]
        parts += ["\n\n# Not taken over:\n", *(f"#   {_printable(each)}\n" for each in lost)]
    return "".join(parts), starts


def _told(block: Block) -> str:
    lines = "".join(
        f"# {_printable(f'{origin.place}  {origin}')[:_WIDTH]}\n" for origin in dict.fromkeys(block.origins)
    )
    return lines + spelling.table(block.path, block.content, row=block.row)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)
