"""Drafts: what is typed becomes the fewest edits that say it, or words about what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.config.schema import fields, struct_at
from proxy_core.control.editing.commands import Change, Delete, Insert, Set
from proxy_core.errors import Address, Problem, Severity
from rproxy_tui.draft import NAME, Draft, change, existing, fresh, placed, read, spell, thing
from tests.screens.sites import RULES, SITE

MEMBER: Address = ("balancers", "backend", "members", "b")


@pytest.fixture
def site() -> Site:
    document = parse(SITE)
    assert document.site is not None
    return document.site


def typed(draft: Draft | None, **texts: str) -> tuple[Change | None, dict[str, str]]:
    assert draft is not None
    return change(draft, {**draft.before, **{name.replace("except_", "except"): text for name, text in texts.items()}})


@pytest.mark.parametrize(
    ("address", "texts", "edits", "sentence"),
    [
        (MEMBER, {"weight": "5"}, [Set((*MEMBER, "weight"), 5)], "set weight of backend/b to 5"),
        (MEMBER, {"weight": "0.5"}, [Set((*MEMBER, "weight"), 0.5)], "set weight of backend/b to 0.5"),
        (MEMBER, {"weight": "1"}, [Delete((*MEMBER, "weight"))], "reset weight of backend/b"),
        (MEMBER, {"weight": ""}, [Delete((*MEMBER, "weight"))], "reset weight of backend/b"),
        (
            MEMBER,
            {"weight": "3", "status": "draining"},
            [Set((*MEMBER, "weight"), 3), Set((*MEMBER, "status"), "draining")],
            "set weight and status of backend/b",
        ),
        (
            ("routes", "api"),
            {"timeout": "20"},
            [Set(("routes", "api", "timeout"), 20)],
            "set timeout of route api to 20",
        ),
        (
            ("site",),
            {"trusted_proxies": "10.0.0.0/8, ::1"},
            [Set(("site", "trusted_proxies"), ["10.0.0.0/8", "::1"])],
            "set trusted_proxies of site settings to 10.0.0.0/8, ::1",
        ),
        (
            ("access_log",),
            {"file": "access.log"},
            [Set(("access_log", "file"), "access.log")],
            "set file of access log to access.log",
        ),
        (
            ("console",),
            {"keys": "undo = ctrl+z"},
            [Set(("console", "keys"), {"undo": "ctrl+z"})],
            "set keys of console settings to undo = ctrl+z",
        ),
    ],
)
def test_only_what_differs_becomes_an_edit(
    site: Site, address: Address, texts: dict[str, str], edits: list[Any], sentence: str
) -> None:
    assert typed(existing(site, address), **texts) == (Change(edits=tuple(edits), sentence=sentence), {})


@pytest.mark.parametrize("texts", [{}, {"retry": "60"}, {"status": "enabled"}, {"weight": " 2 "}])
def test_what_says_the_same_as_before_changes_nothing(site: Site, texts: dict[str, str]) -> None:
    assert typed(existing(site, MEMBER), **texts) == (None, {})


@pytest.mark.parametrize(
    ("texts", "field", "words"),
    [
        ({"weight": "heavy"}, "weight", "wants a number, such as 60 or 0.5"),
        ({"weight": "nan"}, "weight", "wants a number, such as 60 or 0.5"),
        ({"weight": "inf"}, "weight", "wants a number, such as 60 or 0.5"),
        ({"url": ""}, "url", "needs"),
    ],
)
def test_a_text_that_spells_no_value_is_named_with_its_field(
    site: Site, texts: dict[str, str], field: str, words: str
) -> None:
    made, wrong = typed(existing(site, MEMBER), **texts)
    assert made is None
    assert list(wrong) == [field]
    assert words in wrong[field]


def test_a_new_row_comes_above_the_row_that_was_named(site: Site) -> None:
    draft = fresh(site, ("routes",), {"path": "/service/x", "except": True}, above="service")
    made, wrong = typed(draft)
    row = {"path": "/service/x", "except": True}
    assert (made, wrong) == (Change(edits=(Insert(("routes",), row, "service"),), sentence="add route /service/x"), {})


def test_a_new_named_table_needs_a_name_that_is_free_and_well_formed(site: Site) -> None:
    draft = fresh(site, ("balancers", "backend", "members"), {"url": "http://127.0.0.1:8005"})
    for name, words in [("", "needs"), ("a", "there is a member a already"), ("x y", "wants a name")]:
        made, wrong = typed(draft, **{NAME: name})
        assert made is None
        assert words in wrong[NAME]
    made, _ = typed(draft, **{NAME: "e"})
    assert made == Change(
        edits=(Set(("balancers", "backend", "members", "e"), {"url": "http://127.0.0.1:8005"}),),
        sentence="add member backend/e",
    )


def test_there_is_no_draft_of_what_is_not_there(site: Site) -> None:
    assert existing(site, ("routes", "gone")) is None
    assert existing(site, ("balancers", "gone", "members", "a")) is None
    assert existing(site, ("nonsense",)) is None


def test_problems_find_their_field_also_when_the_row_is_new_or_renamed(site: Site) -> None:
    route = existing(site, ("routes", "api"))
    assert route is not None
    assert route.field_at(("routes", "api", "path"), route.before) == "path"
    assert route.field_at(("routes", "v2", "path"), {**route.before, "id": "v2"}) == "path"
    assert route.field_at(("routes", "root", "path"), route.before) is None
    new = fresh(site, ("routes",), {})
    assert new is not None
    assert new.field_at(("routes", "made-up", "proxy"), new.before) == "proxy"
    assert new.field_at(("routes", "root", "proxy"), new.before) is None


@pytest.mark.parametrize(
    ("form", "address", "field"),
    [
        (MEMBER, (*MEMBER, "weight"), "weight"),
        (MEMBER, MEMBER, None),
        (MEMBER, MEMBER[:2], None),
        (MEMBER, ("balancers", "api", "members", "b", "weight"), None),
        (MEMBER, ("balancers", "backend", "members", "a", "weight"), None),
        (("site",), ("site", "timeout"), "timeout"),
        (("site",), ("limits", "timeout"), None),
        (("routes", "api"), ("routes",), None),
        (("routes", "api"), ("rewrites", "api", "path"), None),
        (("rewrites", "by-client"), ("rewrites", "by-client", "conditions", "1", "pattern"), "conditions"),
        (("balancers", "backend", "health"), ("balancers", "backend", "health", "interval"), "interval"),
        (("balancers", "backend", "health"), ("balancers", "api", "health", "interval"), None),
        (("balancers", "backend", "health"), ("balancers", "backend", "sticky", "cookie"), None),
    ],
)
def test_a_problem_belongs_to_a_field_only_where_its_address_lies_in_the_very_table_of_the_form(
    form: Address, address: Address, field: str | None
) -> None:
    document = parse(RULES)
    assert document.site is not None
    draft = existing(document.site, form)
    assert draft is not None
    assert draft.field_at(address, draft.before) == field


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (("balancers", "backend", "members", "new", "url"), "url"),
        (("balancers", "backend", "members", "new"), None),
        (("balancers", "backend", "members", "a", "url"), None),
        (("balancers", "api", "members", "new", "url"), None),
        (("listeners", "backend", "members", "new", "url"), None),
    ],
)
def test_a_problem_of_a_new_table_belongs_to_its_form_and_one_of_a_table_beside_it_does_not(
    site: Site, address: Address, field: str | None
) -> None:
    draft = fresh(site, MEMBER[:3], {})
    assert draft is not None
    assert draft.field_at(address, draft.before) == field


def problem(what: str, severity: Severity, *address: str) -> Problem:
    return Problem(what=what, severity=severity, address=address)


def test_a_field_tells_its_worst_problem_and_no_problem_is_lost_but_warnings_that_were_known(site: Site) -> None:
    draft = existing(site, MEMBER)
    assert draft is not None
    doubt = problem("heavy", "warning", *MEMBER, "weight")
    doubt_again = problem("heavy, too", "warning", *MEMBER, "weight")
    fault = problem("too heavy", "error", *MEMBER, "weight")
    fault_again = problem("much too heavy", "error", *MEMBER, "weight")
    of_no_field = problem("unknown", "error", *MEMBER, "colour")
    far_warning, far_fault = problem("old news", "warning", "routes"), problem("old fault", "error", "routes")
    known = {"old news", "old fault", "too heavy"}
    assert placed(draft, draft.before, (doubt, doubt_again), known) == ({"weight": doubt}, [doubt_again])
    for both in ((doubt, fault), (fault, doubt)):
        assert placed(draft, draft.before, both, known) == ({"weight": fault}, [doubt])
    assert placed(draft, draft.before, (fault, fault_again), known) == ({"weight": fault}, [fault_again])
    assert placed(draft, draft.before, (far_warning, far_fault, of_no_field), known) == ({}, [far_fault, of_no_field])
    assert placed(draft, draft.before, (far_warning,), ()) == ({}, [far_warning])


@pytest.mark.parametrize(
    "address",
    [
        ("site",),
        ("listeners", "x"),
        ("routes", "x"),
        ("balancers", "x"),
        MEMBER,
        ("access_log",),
        ("console",),
        ("file_types",),
    ],
)
def test_every_value_that_the_manual_shows_survives_being_spelled_and_read(address: Address) -> None:
    struct = struct_at(address)
    assert struct is not None
    for field in fields(struct):
        for value in (field.default, field.example):
            if field.struct is None and value not in (None, "", (), [], {}):
                again = read(field, spell(field, value))
                assert again == (list(value) if isinstance(value, tuple) else value), field


def test_things_are_named_as_people_name_them() -> None:
    assert thing(("routes", "service")) == "route service"
    assert thing(MEMBER) == "member backend/b"
    assert thing(("site",)) == "site settings"
