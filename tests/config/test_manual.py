"""The manual and the forms say what the model says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from proxy_core.config.manual import Section, configuration, sections
from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.config.schema import fields
from proxy_core.rules.lint.site import lint

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def every_struct(struct=Site):
    yield struct
    for field in fields(struct):
        if field.struct is not None:
            yield from every_struct(field.struct)


def test_the_page_in_docs_is_what_the_model_says() -> None:
    assert PAGE.read_text() == configuration(), "run: python -m proxy_core.config.manual > docs/configuration.md"


@pytest.mark.parametrize("struct", list(every_struct()))
def test_every_key_has_its_manual(struct) -> None:
    for field in fields(struct):
        assert field.describe().endswith("."), f"{struct.__name__}.{field.name}"
        assert not field.pattern or field.wanted, f"{struct.__name__}.{field.name} says no good value in words"


AROUND = """
version = 1
[listeners.http]
address = "127.0.0.1:8080"
[listeners.https]
address = ":8443"
[[listeners.https.tls.certificates]]
cert = "tls/first.pem"
[[routes]]
path = "/last"
proxy = "balancer://shop/last"
[balancers.shop.members.first]
url = "http://127.0.0.1:8000"
"""
"""What an example may take to be there."""


def joined(one: Any, other: Any) -> Any:
    """Two tables, or two lists, as one; of two values the second."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: joined(one.get(key), value) for key, value in other.items()}}
    return one + other if isinstance(one, list) and isinstance(other, list) else other


def at(data: Any, path: list[str]) -> bool:
    """Whether data has the table at a path, in which NAME is any name."""
    if isinstance(data, list):
        return any(at(row, path) for row in data)
    if not path:
        return True
    step, *rest = path
    return any(at(value, rest) for key, value in data.items() if step in (key, "NAME"))


@pytest.mark.parametrize("section", list(sections())[1:], ids=lambda section: section.header)
def test_every_section_has_an_example_of_its_table_that_is_sound(section: Section) -> None:
    example = tomllib.loads(section.example)
    assert at(example, section.header.strip("[]").split(".")), section.example
    document = parse(tomli_w.dumps(joined(example, tomllib.loads(AROUND))))
    assert document.site is not None, document.problems
    assert [str(problem) for problem in (*document.problems, *lint(document.site))] == []


def test_the_page_begins_with_a_link_to_each_section() -> None:
    opening, *parts = configuration().split("\n## ")
    linked = [line.strip().removeprefix("- [").partition("](")[0] for line in opening.split("\n") if "](#" in line]
    assert linked == [part.partition("\n")[0] for part in parts]


def test_a_table_of_a_table_and_a_table_that_a_text_names_are_links() -> None:
    page = configuration()
    assert "| `tls` | [`[listeners.NAME.tls]`](#listenersnametls) |" in page
    assert "Name of the [`[auth.NAME]`](#authname) that" in page
