"""What is typed becomes the keys that were pressed, however the bytes of them arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from rproxy_tui.key_stream import KeyStream

TYPED = "ab\x1b[Aq\x1b\x1b[Bx\x1bOPy\x1bq\x1b\x1b\x1b[200~dq\x1bq\x1b[A\x1b\x1b\r\x1b[201~z\x1b"
KEYS = [
    *("a", "b", "up", "q", "escape", "down", "x", "f1", "y", "escape", "q", "escape", "escape"),
    "paste 'dq\\x1bq\\x1b[A\\x1b\\x1b\\r'", "z", "escape",
]  # fmt: skip


def heard(*reads: str) -> list[str]:
    stream = KeyStream()
    messages = [message for read in reads for message in stream.feed(read)] + list(stream.time_out())
    assert not stream.waiting
    return [
        f"paste {message.text!r}" if isinstance(message, events.Paste) else message.key  # type: ignore[attr-defined]
        for message in messages
    ]


def test_keys_of_one_read_are_heard_one_by_one_and_what_is_pasted_is_none() -> None:
    assert heard(TYPED) == KEYS


@given(st.lists(st.integers(0, len(TYPED)), max_size=4))
def test_it_does_not_matter_where_reads_cut_what_is_typed(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TYPED)]
    assert heard(*(TYPED[a:b] for a, b in pairwise(places))) == KEYS


@pytest.mark.parametrize("key", [*"qO1[", "\r", "\t", "é"])
def test_escape_followed_by_a_key_is_two_keys(key: str) -> None:
    names = {"[": "left_square_bracket", "\r": "enter", "\t": "tab", "é": "é", "O": "O"}
    stream = KeyStream()
    keys = [each.key for read in ("\x1b", key) for each in (*stream.feed(read), *stream.time_out())]  # type: ignore[attr-defined]
    assert keys == ["escape", names.get(key, key)] or keys == ["escape", "upper_o"]
    if key not in "[O":
        assert heard(f"\x1b{key}") == keys
