"""The model as plain data: kinds of fields, their bounds, and the tables at addresses."""

from __future__ import annotations

import pytest

from proxy_core.config.model import Balancer, Console, Listener, Location, Member, Options, RewriteCond, Route, Site
from proxy_core.config.schema import fields, struct_at


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
        "cache": "switch",
        "interpolate": "switch",
        "mapping": "choice",
        "except": "switch",
        "redirect": "table",
        "location": "text",
        "folder": "text",
        "enabled": "switch",
        "timeout": "number",
        "max_body": "integer",
        "upgrade": "list",
        "preserve_host": "switch",
        "error_override": "switch",
        "override_codes": "list",
        "compress": "table",
        "shadow": "text",
        "shadow_share": "number",
        "shadow_fields": "list",
    }
    assert [field.name for field in fields(Location) if field.required] == []
    assert [field.name for field in fields(Member) if field.required] == ["url"]
