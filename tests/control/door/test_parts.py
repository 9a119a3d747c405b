"""The small parts of the door: what is encoded in pieces, what a user may take, and the manual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy_core.config.model import Site
from proxy_core.control.door import manual
from proxy_core.control.door.bounds import BURST, CONNECTIONS_OF_READERS, RATE_OF_READERS, Bounds
from proxy_core.control.door.endpoints import ENDPOINTS
from proxy_core.control.door.peers import Peer
from proxy_core.control.door.slices import ROWS, pieces
from proxy_core.control.editing.commands import Applied
from proxy_core.control.view import SiteState

DOCS = Path(__file__).parent.parent.parent.parent / "docs"
READER = Peer(uid=7, gid=7, pid=1, name="r", may_write=False)


@pytest.mark.parametrize("number", [0, 1, ROWS, ROWS + 1, 5 * ROWS])
def test_pieces_together_are_what_msgspec_makes(number: int) -> None:
    rows = [{"id": f"r{n}", "path": f"/{n}", "except": True} for n in range(number)]
    maps = {"m": {"type": "txt", "entries": {f"k{n}": str(n) for n in range(number)}}}
    site = msgspec.convert({"routes": rows, "maps": maps, "site": {"timeout": 30}}, Site)
    state = SiteState(generation=1, revision=1, site=site, text="x", file="f")
    for value in (state, Applied(generation=1, sentence="s", diff="d"), tuple(rows), {"a": 1}, None, site):
        assert b"".join(pieces(value)) == msgspec.json.encode(value)
    if number > ROWS:
        assert len([*pieces(state)]) > 5


def test_a_reader_has_so_many_connections_and_gets_them_back() -> None:
    bounds = Bounds()
    assert all(bounds.enter(READER) for _ in range(CONNECTIONS_OF_READERS))
    assert not bounds.enter(READER)
    assert bounds.enter(Peer(uid=8, gid=7, pid=1, name="other", may_write=False))
    bounds.leave(READER)
    assert bounds.enter(READER)


def test_a_reader_may_ask_so_often_and_again_after_a_while() -> None:
    bounds = Bounds()
    burst = int(RATE_OF_READERS * BURST)
    assert all(bounds.ask(READER, 5.0) for _ in range(burst))
    assert not bounds.ask(READER, 5.0)
    assert bounds.ask(READER, 5.0 + 2 / RATE_OF_READERS)
    assert sum(bounds.ask(READER, 1000.0) for _ in range(10 * burst)) == burst


def test_the_page_and_the_openapi_file_in_docs_are_what_the_table_says() -> None:
    command = "python -m proxy_core.control.door.manual"
    assert (DOCS / "control.md").read_text() == manual.page(), f"run: {command} > docs/control.md"
    assert (DOCS / "control.openapi.json").read_text() == manual.spelled(), f"run: {command} openapi > docs/…"


def test_everything_that_the_openapi_file_refers_to_is_in_it() -> None:
    made = manual.openapi()
    assert {*made["paths"]} == {each.path for each in ENDPOINTS}
    references: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                references.add(value["$ref"].removeprefix("#/components/schemas/"))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(made)
    assert references <= {*made["components"]["schemas"]}


def test_no_field_that_is_in_a_table_is_without_words() -> None:
    assert not [line for line in manual.page().splitlines() if line.startswith("| `") and line.endswith("|  |")]
