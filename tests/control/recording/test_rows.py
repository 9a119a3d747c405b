"""What is written holds no secret and nothing that a terminal would obey."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.recording.masked_site import GenerationRows, without_secrets
from proxy_core.control.recording.rows import event_row, request_row, step_rows
from proxy_core.control.recording.sampling import Sampled
from proxy_core.control.recording.schema import TABLES
from proxy_core.control.watching.events import Event
from proxy_core.http.request_view import RequestView
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds
from proxy_core.secret_values import masked_head, masked_target
from tests.control.recording.harness import finished


def written(**changes: Any) -> dict[str, Any]:
    return dict(zip(TABLES["requests"], request_row(Sampled(finished(**changes), 3)), strict=True))


@pytest.mark.parametrize("status", [200, 500])
def test_a_request_is_written_without_its_secrets(status: int) -> None:
    row = written(status=status)
    assert row["target"] == "/cart?id=1&token=(masked)"
    assert (row["shape"], row["weight"], row["generation"]) == ("GET /cart", 3, 7)
    assert not [value for value in row.values() if isinstance(value, str) and ("s3cret" in value or "k3y" in value)]
    assert "t0psecret" not in repr(row)


def test_only_a_request_that_went_wrong_is_written_with_its_head() -> None:
    assert written()["head"] is None
    head = written(status=502)["head"]
    assert head.split("\n")[:2] == ["GET /cart?id=1&token=(masked) HTTP/1.1", "Host: shop.example"]
    assert "Cookie: (8 bytes, masked)" in head
    assert "X-Auth: (3 bytes, masked)" in head


def test_what_never_happened_is_null_and_the_end_is_the_beginning_and_what_it_took() -> None:
    row = written()
    assert (row["waited"], row["first"]) == (None, None)
    assert row["ended"] == pytest.approx(row["at"] + 0.1)


def test_texts_from_outside_are_printable_and_have_an_end() -> None:
    view = RequestView(b"GET", b"/\x1b[2J" + b"a" * 9_000, b"h\x07", "10.0.0.1")
    row = written(view=view, status=500, head=b"GET / HTTP/1.1\r\nX: \x1b]0;t\x07" + b"b" * 9_000)
    assert all(line.isprintable() for value in row.values() if isinstance(value, str) for line in value.split("\n"))
    assert (len(row["target"]), len(row["head"]) < 9_000) == (2_000, True)


def test_a_row_has_a_value_for_each_column() -> None:
    step = TenSeconds(10.0, ((CellKey(None, None, None, "GET /x"), CellCounts(requests=2, histogram={9: 2})),))
    (row,) = step_rows(step)
    named = dict(zip(TABLES["steps"], row, strict=True))
    assert (named["requests"], named["histogram"], named["member"]) == (2, '{"9":2}', "")
    event = Event(level="info", kind="k", text="token=abc", facts={"n": 1, "sentence": "password=x"})
    assert event_row((1.0, event)) == (1.0, "info", "k", "token=(masked)", '{"n":1,"sentence":"password=(masked)"}')


TARGETS = {
    "/a?b=c": "/a?b=c",
    "/a?Password=x&b=1": "/a?Password=(masked)&b=1",
    "/a?p%61ssword=x": "/a?p%61ssword=(masked)",
    "/a;jsessionid=1?x=2": "/a;jsessionid=(masked)?x=2",
    "/a?access_token=x;sid=9&inside=1": "/a?access_token=(masked);sid=(masked)&inside=1",
    "/s3?X-Amz-Signature=x&keyboard=1": "/s3?X-Amz-Signature=(masked)&keyboard=1",
    "http://u:pw@h/?code=1": "http://u:(masked)@h/?code=(masked)",
    "/a?token=a?b&c=d": "/a?token=(masked)&c=d",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_masked_by_the_names_of_its_parameters(target: str) -> None:
    assert masked_target(target) == TARGETS[target]


def test_a_head_that_was_refused_hides_nothing_between_its_lines() -> None:
    head = "GET / HTTP/1.1\nCookie : a=1\r\n b=2\r\nX-Api-Key: 123\r\nno colon"
    assert masked_head(head) == (
        "GET / HTTP/1.1\r\nCookie : (3 bytes, masked)\r\n (masked)\r\nX-Api-Key: (3 bytes, masked)\r\nno colon"
    )


SITE = r"""version = 1
site.secret_headers = ["X-Own"]
[maps.users] # kept
type = "dbd"
dsn = "postgresql://u:hunter2@db/x"
query = "SELECT 1"
[maps.prog]
type = "prg"
command = ["look", "--token", "t1234", "--verbose"]
[maps.keys]
type = "txt"
entries = { api_token = "zz99zz", other = "shown" }
[[headers]]
on = "request"
name = "Authorization"
value = "Basic aGk6aG8="
[[headers]]
on = "request"
name = "X-Own"
value = 'pa"ss\hush'
[[headers]]
name = "X-Frame-Options"
value = "DENY"
"""


def test_a_site_file_is_written_without_its_secrets_and_is_a_site_file_still() -> None:
    text, secrets = without_secrets(SITE)
    assert not any(word in text for word in ("hunter2", "t1234", "zz99zz", "aGk6aG8=", "hush"))
    assert 'command = ["look", "--token", "(masked)", "--verbose"]' in text
    assert text.count("\n") == SITE.count("\n")
    assert "[maps.users] # kept" in text
    assert 'value = "DENY"' in text
    assert 'other = "shown"' in text
    assert len(secrets) == 5
    assert without_secrets("version = 1\n") == ("version = 1\n", [])


def test_the_sentence_of_an_edit_hides_what_is_secret_in_the_text_before_too() -> None:
    made = GenerationRows()
    [*made.rows(HistoryEntry(number=1, at=1.0, author="a", sentence="first", diff="", text=SITE))]
    told = "set value from Basic aGk6aG8= to none"
    diff = 'from\n-value = "Basic aGk6aG8="\n-value = "pa\\"ss\\\\hush"\n+token = "new"\n'
    shown = made.entry(HistoryEntry(number=2, at=2.0, author="a", sentence=told, diff=diff, text="version = 1\n"))
    assert shown.sentence == "set value from (masked) to none"
    assert shown.diff == 'from\n-value = "(masked)"\n-value = "(masked)"\n+token = (masked)\n'
