"""Keys, rows and tables are found where they stand, however they are spelled."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.reading.document import parse
from proxy_core.errors import Problem
from tests.config.chance import Speller, addresses, some_site
from tests.examples import examples


def test_where_gives_the_place_of_an_address_or_of_its_nearest_parent() -> None:
    text = '[site]\ntimeout = 1\n\n[[routes]]\npath = "/x"\nexcept = true\n[balancers.b.members]\na = { url = "x" }\n'
    document = parse(text)
    assert document.where(("site", "timeout")) == (2, 11)
    assert document.where(("site", "reverse")) == (1, 1)
    assert document.where(("routes", "x")) == (4, 1)
    assert document.where(("routes", "x", "path")) == (5, 8)
    assert document.where(("routes", "x", "proxy")) == (4, 1)
    assert document.where(("balancers", "b", "members", "a", "url")) == (8, 13)
    assert document.where(("console",)) == (1, 1)
    problem = document.located(Problem(what="x", address=("routes", "x", "path")))
    assert (problem.file, problem.line, problem.column) == ("site.toml", 5, 8)


@examples(100)
@given(st.integers(0, 1 << 32).map(Random))
def test_every_value_stands_where_it_is_said_to(chance: Random) -> None:
    document = parse(Speller(chance).table((), some_site(chance)))
    lines = document.text.split("\n")
    for address in addresses(document.data):
        line, column = document.where(address)
        rest = lines[line - 1][column - 1 :]
        assert rest, address
        assert rest[0] not in " \t#,=]}", (address, rest)
