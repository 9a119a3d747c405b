"""Rewrite rules of sections: which of them are tried, with the engine and the options that sections have of others.

Rows come when all servers have been read (``config_perdir_merge`` and ``hook_fixup`` in mod_rewrite.c): the engine of a
section may be that of a server that says so further down.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from proxy_core.apache.draft import DraftRow, DraftSection, DraftServer, SiteDraft, holds, refusing
from proxy_core.apache.import_context import Unsupported
from proxy_core.apache.subjects import files, links
from proxy_core.apache.subjects.section_kinds import place


def sections(draft: SiteDraft, answers: bool) -> None:
    """The rules of sections get their rows. The main server's sections hold in its hosts as well, each with the engine
    of the host: they have rows without a host where that makes no difference. ``answers`` as in ``rewriting``: then
    those of a host that is off hold as well."""
    main = draft.main
    on = {server: _is_on(main, server) for server in (main, *draft.hosts)}
    of_main = {server: _rows_in(draft, main, on[server], (), server) for server in on}
    _, shared = of_main[main]
    taken = [where for where, rows in shared.items() if answers or all(_alike(rows, each.get(where, ())) for _, each in
             of_main.values())]  # fmt: skip
    main.inner[:0] = [row for where in taken for row in shared[where]]
    for server in draft.hosts:
        before, rows = of_main[server]
        _, own = _rows_in(draft, server, on[server], before, server)
        mine = [DraftRow(dict(row.content), row.origins) for where in rows if where not in taken for row in rows[where]]
        server.inner[:0] = [*mine, *(row for each in own.values() for row in each)]


def _is_on(main: DraftServer, server: DraftServer) -> bool:
    """Whether the engine is on in a server (``cmd_rewriteengine``: its sections have it of there)."""
    own = server.option("engine")
    return bool(main.option("engine") if own is None else own)


def _alike(rows: Sequence[DraftRow], others: Sequence[DraftRow]) -> bool:
    return [row.content for row in rows] == [row.content for row in others]


def _rows_in(
    draft: SiteDraft, server: DraftServer, on: bool, before: Sequence[DraftSection], asked: DraftServer
) -> tuple[list[DraftSection], dict[str, list[DraftRow]]]:
    """Sections of a server as those ``before`` them and the server leave them, and the rows of their rules by their
    locations. Of several sections that hold, the last that says anything of rewriting counts, with what it does not say
    itself of those round it (``config_perdir_merge``). Where no link may be followed in the server that is ``asked``,
    rules are forbidden."""
    settled = list(before)
    rows = {}
    said = links.said(draft, (draft.main, asked))
    ruling = [each for other in dict.fromkeys((draft.main, server, asked)) for each in other.within if each.rules]
    for section in server.within:
        assert section.row is not None
        around = [each for each in settled if holds(each, section)]
        engine = around[-1].engine if section.engine is None and around else section.engine
        forbidden = not links.followed(draft, section, said)
        if not section.rewriting and not (forbidden and engine):
            continue
        if engine is None and section.rules and not on:
            switch = next((each for each in settled if each.engine and _may_meet(each, section)), None)
            if switch is not None:  # told, and tried: it may keep somebody out
                engine = True
                why = f"{switch.directive} may switch them on: say RewriteEngine here; until then they are tried"
                draft.lose([row.origins[-1] for row in section.rules], why)
        own = _settled(section, on if engine is None else engine, around[-1] if around else None)
        if forbidden and own.engine:  # for links may lead anywhere, and so may rules
            own = dataclasses.replace(own, rules=[DraftRow({**_SAME, "flags": ["F"]}, [section.directive])])
        settled.append(own)
        guards = links.taken_away(draft, section, said) if own.engine and not forbidden else []
        refused = [DraftRow({**_SAME, "flags": ["F"], "conditions": each}, [section.directive]) for each in guards]
        own = dataclasses.replace(own, rules=[*refused, *own.rules])
        beside = [each for each in ruling if each.directive is not section.directive and _may_meet(each, section)]
        inherited = next((each for each in beside if section.engine is not False and _inherits(own, each)), None)
        if inherited is not None and own.rules:
            why = f"it has the rules of {inherited.directive} as well, where both hold: write them here, too"
            draft.lose([row.origins[-1] for row in own.rules], f"{why}; until then nobody is let in")
            draft.close(server, place(section), section.directive)
        if own.rules or (beside and inherited is None) or any(each.rules for each in around):
            rows[section.row.content["id"]] = list(_rows(draft, own))
    return settled, rows


def _inherits(section: DraftSection, other: DraftSection) -> bool:
    """Whether a section has the rules of another one, which it is laid over, beside its own."""
    words, above = section.options or set(), other.options or set()
    down = {"inheritdown", "inheritdownbefore"} & above and "ignoreinherit" not in words
    return bool(down or {"inherit", "inheritbefore"} & words)


_SAME = {"pattern": "^", "substitution": "-"}
_LAID = ("proxy", "proxymatch", "directory", "directorymatch", "files", "location", "locationmatch", "if")
"""Kinds of sections in the order in which they are laid over each other."""


def _may_meet(former: DraftSection, section: DraftSection) -> bool:
    """Whether there may be requests for which the latter is laid over the former, though it is not in it."""
    unlike = former.kind != section.kind or former.kind.endswith("match") or former.kind in ("files", "if")
    return unlike and _LAID.index(former.kind) <= _LAID.index(section.kind)


def _settled(section: DraftSection, engine: bool, around: DraftSection | None) -> DraftSection:
    """The section, with what it has of the one round it."""
    above = around.options or set() if around is not None else set()
    words = above if section.options is None else section.options
    takes = set() if "ignoreinherit" in words else above
    base = around.rules if around is not None else []
    if "inherit" in words or "inheritdown" in takes:
        rules = [*section.rules, *base]
    elif "inheritbefore" in words or "inheritdownbefore" in takes:
        rules = [*base, *section.rules]
    else:
        rules = section.rules
    return dataclasses.replace(section, engine=engine, options=words, rules=rules if engine else [])


def _rows(draft: SiteDraft, section: DraftSection) -> Iterator[DraftRow]:
    """The rules of a section as rows for its location; without any, one that keeps those round it out."""
    assert section.row is not None
    for row in section.rules or [DraftRow(dict(_SAME), [section.directive])]:
        content = {**row.content, "location": section.row.content["id"]}
        begins = re.sub(r"\\(.)", r"\1", content["substitution"])
        if section.kind == "directory" and content["substitution"][:1] in ("$", "%"):
            with suppress(Unsupported):  # what it becomes shows with a request
                content["base"] = _base(draft, section)
        elif section.kind == "directory" and _RELATIVE(begins):
            try:
                start = _base(draft, section)
            except Unsupported as why:
                draft.lose(row.origins[-1:], f"{why}; until then what it takes is answered 503")
                content = refusing(content)
            else:
                content["substitution"] = start + content["substitution"]
        yield DraftRow(content, row.origins)


def _base(draft: SiteDraft, section: DraftSection) -> str:
    """What relative results begin with. Raises Unsupported where nothing says it."""
    return f"{section.base.rstrip('/')}/" if section.base else files.url(draft, draft.whole(section.argument))


_RELATIVE = re.compile(r"(?!-$|/|[A-Za-z][A-Za-z0-9+.-]*:)").match
