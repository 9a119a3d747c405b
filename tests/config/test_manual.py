"""The manual and the forms say what the model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.config.manual import configuration, fields, struct_at
from proxy_core.config.model import Balancer, Console, Listener, Location, Member, Options, RewriteCond, Route, Site

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


@pytest.mark.parametrize(
    ("address", "struct"),
    [
        ((), Site),
        (("site",), Options),
        (("listeners", "http"), Listener),
        (("routes", "x"), Route),
        (("balancers", "b"), Balancer),
        (("balancers", "b", "members", "m"), Member),
        (("console",), Console),
        (("rewrites", "r", "conditions", "c"), RewriteCond),
        (("routes",), None),
        (("balancers", "b", "members"), None),
        (("routes", "x", "path"), None),
        (("nothing", "x"), None),
    ],
)
def test_struct_at_gives_the_model_of_a_table_or_row(address, struct) -> None:
    assert struct_at(address) is struct


def test_a_field_says_kind_choices_and_range() -> None:
    weight = {field.name: field for field in fields(Member)}["weight"]
    assert (weight.kind, weight.default, weight.minimum, weight.maximum) == ("number", 1.0, 0, 100)
    status = {field.name: field for field in fields(Member)}["status"]
    assert (status.kind, status.choices) == ("choice", ("enabled", "draining", "disabled", "stopped"))
    assert {field.name: field.kind for field in fields(Route)} == {
        "id": "text",
        "host": "text",
        "path": "text",
        "path_regex": "text",
        "proxy": "text",
        "nocanon": "switch",
        "interpolate": "switch",
        "mapping": "choice",
        "except": "switch",
        "redirect": "table",
        "folder": "text",
        "enabled": "switch",
        "timeout": "number",
        "max_body": "integer",
        "upgrade": "list",
        "preserve_host": "switch",
        "error_override": "switch",
        "override_codes": "list",
    }
    assert [field.name for field in fields(Location) if field.required] == []
    assert [field.name for field in fields(Member) if field.required] == ["url"]
