"""Whatever the document and the edits are: the new text says what the edited data says, and loses no other comment."""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.editing.site_edits import Delete, Edit, Insert, Move, Set, Unusable, edited
from proxy_core.config.reading.document import Document, parse
from proxy_core.config.site_addresses import meaning
from tests.config.chance import Speller, some_edit, some_site
from tests.examples import examples

by_chance = st.integers(0, 1 << 32).map(Random)


def some_document(chance: Random) -> Document:
    data = some_site(chance)
    text = Speller(chance).table((), data)
    text = text.removesuffix("\n") if chance.random() < 0.3 else text
    text = text.replace("\n", "\r\n") if chance.random() < 0.2 else text
    assert meaning(tomllib.loads(text)) == meaning(data), text
    return parse(text)


def comments(text: str) -> set[str]:
    return set(re.findall(r"# c\d+", text))


def check(chance: Random) -> None:
    document = some_document(chance)
    for _ in range(3):
        edit = some_edit(chance, document.data)
        before = deepcopy(document.data)
        try:
            got = edited(document, [edit])
        except Unusable:
            continue
        assert document.data == before or repr(document.data) == repr(before)
        assert not got.canonical, f"{document.text}\n--- {edit}"
        lost = comments(document.text) - comments(got.text)
        if isinstance(edit, Move) or (isinstance(edit, Insert) and document.data.get(edit.address[0])):
            assert not lost, f"{document.text}\n--- {edit}\n---\n{got.text}"
        document = parse(got.text)


@examples(300)
@given(by_chance)
def test_the_text_carries_every_edit(chance: Random) -> None:
    check(chance)


@pytest.mark.soak
def test_the_text_carries_every_edit_for_long() -> None:
    for seed in range(20_000):
        check(Random(seed))


@examples(100)
@given(by_chance)
def test_a_value_set_to_what_it_is_changes_no_byte(chance: Random) -> None:
    document = some_document(chance)
    assert edited(document, [Set((key,), value) for key, value in document.data.items()]).text == document.text


@examples(100)
@given(by_chance)
def test_an_edit_that_is_taken_back_leaves_the_data_as_it_was(chance: Random) -> None:
    document = some_document(chance)
    edits: list[Edit] = [Set(("extra",), {"new": 1}), Delete(("extra",))]
    if "extra" in document.data:
        edits.append(Set(("extra",), document.data["extra"]))
    assert meaning(tomllib.loads(edited(document, edits).text)) == meaning(document.data)
