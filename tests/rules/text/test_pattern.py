"""Patterns mean what PCRE means, and no text can hold them up."""

from __future__ import annotations

import time
from contextlib import suppress

import pcre2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import PatternError, Runaway
from proxy_core.rules.text.pattern_subset import SubsetParser, Unread
from tests.examples import examples

DOLLAR_ENDONLY = 0x10

FOUND = [
    (r"^/service1/(.*)$", False, "/service1/x", ("/service1/x", "x")),
    (r"^/a", False, "/b", None),
    ("a", True, "A", ("A",)),
    ("(?i)a", False, "A", ("A",)),
    ("(a)|(b)", False, "b", ("b", None, "b")),
    # httpd's defaults (RegexDefaultOptions): the dot matches a newline, the dollar only the very end.
    ("^a.b$", False, "a\nb", ("a\nb",)),
    ("a$", False, "a\n", None),
    # Bytes, not characters: an e with an accent is two.
    ("^..$", False, "é".encode().decode("latin-1"), ("é".encode().decode("latin-1"),)),
    ("^é$", False, "é".encode().decode("latin-1"), ("é".encode().decode("latin-1"),)),
    (r"^\w$", False, "\xe9", None),
    ("\xe9", True, "\xc9", None),
    # What only PCRE knows.
    ("^[[:alpha:]]+$", False, "abc", ("abc",)),
    ("^[[:alpha:]]+$", False, ":", None),
    (r"a\Kb", False, "ab", ("b",)),
    (r"\Qa.b\E", False, "a.b", ("a.b",)),
    (r"^(?|(a)|(b))$", False, "b", ("b", "b")),
    (r"^\h$", False, "\t", ("\t",)),
    (r"^(?>a*)b", False, "aab", ("aab",)),
    (r"(a)\1", False, "aa", ("aa", "a")),
    ("[^a]", True, "A", None),
    ("[]a]", False, "]", ("]",)),
]


@pytest.mark.parametrize(("text", "nocase", "subject", "groups"), FOUND)
def test_a_pattern_finds_what_pcre_finds(text, nocase, subject, groups) -> None:
    assert pattern.compile(text, nocase).search(subject) == groups


@pytest.mark.parametrize(
    ("text", "position"), [("a(b", 3), ("*a", 1), ("a)", 2), ("[z-a]", 4), ("(?<x", 5), (r"\N{U+1}", 7)]
)
def test_a_pattern_that_does_not_compile_says_where(text, position) -> None:
    with pytest.raises(PatternError) as wrong:
        pattern.compile(text)
    assert abs(wrong.value.position - position) <= 1
    assert str(wrong.value)


def test_equal_patterns_are_one() -> None:
    assert pattern.compile("^/once$") is pattern.compile("^/once$")
    assert pattern.compile("^/once$") is not pattern.compile("^/once$", True)


HOSTILE = [
    *("(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)x", "a?" * 40 + "a" * 40, "(?:a*)*b", "[^/]+x", "(.*)y"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_costs_milliseconds(text) -> None:
    compiled = pattern.compile(text)
    began = time.process_time()
    for subject in ("a" * 40, "a" * 400 + "!", "a" * 8000 + "!"):
        with suppress(Runaway):
            compiled.search(subject)
    assert time.process_time() - began < 0.25


def test_a_search_that_was_stopped_says_which_pattern_it_was() -> None:
    with pytest.raises(Runaway, match=r"\(a\+\)\+\$"):
        pattern.compile("(a+)+$").search("a" * 400 + "!")


def test_a_runaway_pattern_is_known_as_one() -> None:
    assert pattern.compile("(a+)+$").runaway
    assert not pattern.compile("^/a/(.*)/(.*)$").runaway


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("^/a/b(.*)$", "/a/b"),
        ("^/ab?", "/a"),
        ("/a", ""),
        ("^/a|^/b", ""),
        (r"^/a\.b", "/a.b"),
        ("^$", ""),
        ("^(/a)", ""),
    ],
)
def test_the_prefix_is_what_every_text_begins_with(text, prefix) -> None:
    assert pattern.compile(text).prefix == prefix


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        (r"\.old7$", ".old7"),
        ("^/a/b(.*)$", "/a/b"),
        ("a/bc?de", "a/b"),
        ("a(bcd)e", "bcd"),
        ("ab(?:cde)?", "ab"),
        ("ab(?!cde)", "ab"),
        ("ab|cd", ""),
        ("(ab|cd)", ""),
        ("abc+", "ab"),
        ("[a]bc.d", "bc"),
        ("(?i)abc", ""),
        ("abc[[:digit:]]", ""),
    ],
)
def test_what_a_pattern_needs_is_in_every_text_that_it_is_found_in(text, needs) -> None:
    assert pattern.compile(text).needs == needs


def test_it_is_not_sure_of_a_text_whose_search_may_run_away() -> None:
    assert pattern.compile("(a+)+$").sure("a" * 400 + "!") is None
    assert pattern.compile(".*b").sure("a" * 8000) is None
    assert pattern.compile(".*b").sure("ab") is True


ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "/",
            ".",
            "[ab]",
            "[^a]",
            r"\d",
            r"\.",
            "[a-c/]",
            r"[\w.-]",
            "^",
            "$",
            r"\b",
            "a*",
            "b+",
            "/?",
            ".*?",
        ),
        *("[ab]{1,2}", "(a)", "(b*)", "(a|b)", "(/.*)?", "(?:ab)*", "(?=a)", "(?!b)", "(?:(a)b)?", "(?:a|(b))", "(a)?"),
    ]
)
PATTERNS = st.recursive(
    st.lists(ATOMS, min_size=1, max_size=5).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("|".join),
        inner.map(lambda each: f"({each})"),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})?"),
    ),
    max_leaves=4,
)


@examples(400)
@given(PATTERNS, st.booleans(), st.text("ab/.A1\n", max_size=8))
@example("(?:(a)b)?", False, "ac")
@example("(a)?b|ab", False, "ab")
def test_re_and_pcre_agree_on_the_subset(text, nocase, subject) -> None:
    try:
        SubsetParser(text, nocase).whole()
    except Unread:
        return
    options = int(pcre2.DOTALL) | DOLLAR_ENDONLY | (int(pcre2.IGNORECASE) if nocase else 0)
    found = pcre2.compile(text.encode(), options).search(subject.encode())
    groups = None
    if found is not None:
        groups = tuple(None if each is None else each.decode() for each in (found.group(), *found.groups()))
    compiled = pattern.compile(text, nocase)
    assert compiled.search(subject) == groups
    assert groups is None or subject.startswith(compiled.prefix)
    assert groups is None or compiled.needs in subject
    assert compiled.sure(subject) is (groups is not None)
    assert (compiled.finds(subject) is None) is (groups is None)
