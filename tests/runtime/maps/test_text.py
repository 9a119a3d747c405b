"""Text maps mean what mod_rewrite's lookup_map_txtfile means, and an edit changes one entry alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.runtime.maps.text_file import LONGEST, Unwritable, edited, rows, table

BLANKS = " \t\n\v\f\r"


def httpd(text: str, key: str) -> str | None:
    """``lookup_map_txtfile`` of modules/mappers/mod_rewrite.c, character by character."""
    place = 0
    while place < len(text):
        end = text.find("\n", place)
        end = min(len(text) if end < 0 else end + 1, place + LONGEST)
        line = text[place:end].partition("\0")[0] + "\0"
        place = end
        if line[0] == "#" or line[0] in BLANKS:
            continue
        p = c = 0
        while c < len(key) and line[p] == key[c] and line[p] not in BLANKS:
            p, c = p + 1, c + 1
        if c != len(key) or line[p] not in BLANKS:
            continue
        while line[p] in BLANKS:
            p += 1
        if line[p] == "\0":
            continue
        start = p
        while line[p] != "\0" and line[p] not in BLANKS:
            p += 1
        return line[start:p]
    return None


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        pytest.param("a 1\na 2\n", "a", "1", id="the first line of a key wins"),
        pytest.param("a \t 1 2 3\n", "a", "1", id="blanks separate and the rest of the line is ignored"),
        pytest.param("a 1", "a", "1", id="the last line needs no newline"),
        pytest.param("a 1\r\n", "a", "1", id="a carriage return is a blank"),
        pytest.param("#a 1\n", "#a", None, id="# in the first column is a comment"),
        pytest.param("a #1\n", "a", "#1", id="# elsewhere is a character"),
        pytest.param(" a 1\n\ta 2\na 3\n", "a", "3", id="a line that starts with a blank is ignored"),
        pytest.param("a\na \na 1\n", "a", "1", id="a key without a value is as if it were not there"),
        pytest.param("A 1\n", "a", None, id="case counts"),
        pytest.param("ab 1\n", "a", None, id="a key is a whole word"),
        pytest.param("a 1\n", "", None, id="the empty key misses"),
        pytest.param("a " + "v" * 2000 + "\n", "a", "v" * 1022, id="a line is cut after 1024 bytes"),
        pytest.param("x" * 1024 + "a 1\n", "a", "1", id="what follows the 1024th byte is a line of its own"),
        pytest.param("a 1\0 2\n", "a", "1", id="NUL ends a line"),
        pytest.param("\xe9 \xff\n", "\xe9", "\xff", id="bytes are not looked at"),
    ],
)
def test_a_text_map_reads_as_httpd_reads_it(text: str, key: str, value: str | None) -> None:
    assert table(text).get(key) == value == httpd(text, key)


WORDS = st.text("ab#|\xe9", max_size=4)
TEXTS = st.lists(
    st.one_of(WORDS, st.sampled_from(["\n", " ", "\t", "\r\n", "\0", "x" * 1020, "\v", "#"])), max_size=40
).map("".join)


@given(TEXTS, WORDS)
def test_every_text_answers_as_httpds_own_loop_does(text: str, key: str) -> None:
    assert table(text).get(key) == httpd(text, key)


@given(TEXTS)
def test_rows_are_the_table_and_what_is_never_reached(text: str) -> None:
    found = rows(text)
    assert {row.key: row.value for row in reversed(found)} == table(text)
    assert [row.line for row in found] == sorted(row.line for row in found)


def test_a_row_knows_its_line() -> None:
    assert rows("# hosts\n\na 1\n b 2\nc 3 x\n") == (("a", "1", 3), ("c", "3", 5))


@pytest.mark.parametrize(
    ("text", "key", "value", "new"),
    [
        pytest.param("# c\na  1 # why\nb 2\n", "a", "9", "# c\na  9 # why\nb 2\n", id="only the value changes"),
        pytest.param("a 1\na 2\n", "a", "9", "a 9\na 2\n", id="the line that counts changes"),
        pytest.param("a 1\nb 2", "c", "3", "a 1\nb 2\nc 3\n", id="a new key goes to the end"),
        pytest.param("a 1\r\n", "c", "3", "a 1\r\nc 3\r\n", id="line ends are kept"),
        pytest.param("", "c", "3", "c 3\n", id="an empty file gets its first entry"),
        pytest.param("# c\na 1\n\nb 2\na 3\n", "a", None, "# c\n\nb 2\n", id="a removed key misses: each line goes"),
        pytest.param("b 2\n", "a", None, "b 2\n", id="removing what is not there changes nothing"),
        pytest.param("caf\xe9 1\n", "caf\xe9", "\xff", "caf\xe9 \xff\n", id="bytes are not looked at"),
    ],
)
def test_an_edit_changes_one_entry_and_nothing_else(text: str, key: str, value: str | None, new: str) -> None:
    assert edited(text, key, value) == new


@pytest.mark.parametrize(
    ("key", "value"), [("", "1"), ("a b", "1"), ("a", "1 2"), ("a", ""), ("#a", "1"), ("a\n", "1"), ("a", "v" * 1024)]
)
def test_what_a_text_map_cannot_hold_is_refused_in_words(key: str, value: str) -> None:
    with pytest.raises(Unwritable, match=r"\w{4}"):
        edited("", key, value)


@given(TEXTS, st.text("ab\xe9", min_size=1, max_size=3), st.one_of(st.none(), st.text("xy|", min_size=1, max_size=3)))
def test_after_an_edit_the_key_means_the_value_and_every_other_key_what_it_meant(
    text: str, key: str, value: str | None
) -> None:
    try:
        new = edited(text, key, value)
    except Unwritable:
        return
    seen, before = table(new), table(text)
    assert seen.pop(key, None) == value
    before.pop(key, None)
    assert seen == before
