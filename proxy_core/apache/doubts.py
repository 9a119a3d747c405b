"""What goes by something that is lost: a variable that nobody sets, or the client's address where nobody says it.

It would be decided by a value that is not there, so it is told as lost, and where it is about who may, nobody is let
in: a place with such conditions gets a row that closes it, and a rule with such conditions answers 503. Whatever is
doubted makes the variables doubtful that are set by it. Works on the blocks of the site, when all of them are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy_core.apache.blocks import Block
from proxy_core.apache.draft import CLOSED, PLACES, SiteDraft, refusing


def variable(name: str) -> str:
    """Texts that go by a variable, as a regular expression; ``name`` is one, too."""
    return rf"(?:ENV|HTTP):{name}\}}|require env (?:.* )?{name}(?: |\Z)|env\(['\"]{name}['\"]|%\{{{name}\}}e"


def closed(draft: SiteDraft, blocks: Sequence[Block], host: str, doubts: Mapping[str, str]) -> list[Block]:
    """The blocks with what goes by some words (regular expressions) closed in a host, or ("") everywhere. Each has with
    it what is lost, as the beginning of a sentence."""
    here = [each for each in blocks if not host or each.content.get("host", "") in ("", host)]
    found = [(_growing(here, words), why) for words, why in doubts.items()]
    tables = {each.path[1]: each.content for each in blocks if each.path[0] == "access"}
    inside = set(map(id, here))
    kept: list[Block] = []
    closing: list[Block] = []
    for block in blocks:
        kept.append(block)
        texts = list(_texts(block.content, tables)) if id(block) in inside else []
        why = next((why for words, why in found if any(map(words.search, texts))), "")
        if not why:
            continue
        match block.path[0]:
            case "rewrites" if not host or block.content.get("host") == host:
                content = {key: value for key, value in block.content.items() if key != "conditions"}
                kept[-1] = replace(block, content=refusing(content))
                draft.lose(block.origins[-1:], f"{why}, so what the rule takes is answered 503")
            case "locations" if block.content.get("require") != [CLOSED] and "require" in block.content:
                where = {key: value for key, value in block.content.items() if key in PLACES and key != "expr"}
                where |= {"host": host} if host else {}
                row = {**where, "id": draft.location_id("closed"), "final": True, "require": [CLOSED]}
                closing.append(Block(("locations",), row, block.origins, row=True))
                draft.lose(block.origins, f"{why}, so nobody is let in there")
            case "locations" | "rewrites" | "env" | "headers" | "errors":
                draft.lose(block.origins[-1:], f"{why}, so it may not hold as it did")
    return [*kept, *closing]


def _growing(blocks: Sequence[Block], words: str) -> re.Pattern[str]:
    """The words, with those for all variables that are set by them."""
    env = [(block.content["name"], list(_texts(block.content, {}))) for block in blocks if block.path[0] == "env"]
    names: set[str] = set()
    while True:
        found = re.compile("|".join([words, *map(variable, map(re.escape, sorted(names)))]), re.IGNORECASE)
        more = {name for name, texts in env if any(map(found.search, texts))} - names
        if not more:
            return found
        names |= more


def _texts(content: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """All that a row says, with the conditions of access that it names."""
    for key, value in content.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, Mapping):
                yield from _texts(text, tables)
            elif isinstance(text, str) and key == "env":
                yield f"require env {text.removeprefix('!')}"
            elif isinstance(text, str) and key == "require":
                asked = text.removeprefix("not ")
                yield f"require {asked}"
                yield from _texts(tables.get(asked.removeprefix("access "), {}), tables)
            elif isinstance(text, str):
                yield text
