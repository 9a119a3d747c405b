"""Texts of a site as words of haproxy.cfg: no text says more than itself, as HAProxy itself reads it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy_core.control.conform.engines import haproxy
from proxy_core.haproxy.words import HandOver, argument, fixed, group, name, quoted, regex, search
from tests.conformance.apache import exchanged
from tests.ports import free_port
from tests.programs import program

ODD = "".join(["'\"\\#%$ ,()[]{}|;@&*?!~^`-=<>./", "abcXYZ019", "äß\u20ac\U0001f600", "\t\x7f"])
TEXTS = st.text(st.sampled_from(ODD), min_size=1, max_size=40)
BEGINNING = "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n"

TRAPS = [
    "it's", "'", "''", '"', '"a"', "a b", "#x", "a #b", "\\", "\\'", "a\\", "\\x41", "$HOME", '"$HOME"', "%[path]",
    "%%", "%", "%{+Q}o", "a,b", "(x)", "x)", "if { always_true }", "' if TRUE", "{ }", "--", "-m", "'\"'\"'", "äß",
]  # fmt: skip


def lines_of(texts: list[str], port: int) -> list[str]:
    """A frontend that answers each text, by its number, as it stands and as a format."""
    lines = [BEGINNING, f"frontend f\n bind 127.0.0.1:{port}"]
    for number, text in enumerate(texts):
        plain, made = quoted(text), quoted(fixed(text))
        lines.append(f" http-request return status 200 content-type text/plain string {plain} if {{ path /s{number} }}")
        lines.append(
            f" http-request return status 200 content-type text/plain lf-string {made} if {{ path /f{number} }}"
        )
    return lines


def said_back(port: int, path: str) -> str:
    answer = exchanged(port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return answer.partition("\r\n\r\n")[2].encode("latin-1").decode()


@pytest.fixture
def binary() -> Iterator[str]:
    return program("haproxy")


def test_every_text_comes_out_as_it_went_in(binary: str, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "haproxy.cfg"
    file.write_text("\n".join([*lines_of(TRAPS, port), ""]))
    with haproxy(binary, file, [port]):
        for number, text in enumerate(TRAPS):
            assert said_back(port, f"/s{number}") == text
            assert said_back(port, f"/f{number}") == text


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(TEXTS, min_size=20, max_size=40))
def test_no_text_breaks_out_of_its_word(binary: str, tmp_path: Path, texts: list[str]) -> None:
    """HAProxy reads as many rules as were written, whatever stands in them: a word that is too long, or two, would be
    refused."""
    sound = [text for text in texts if is_said(text)]
    lines = lines_of(sound, 1)
    for text in sound:
        lines.append(f" http-request set-header X {quoted(fixed(text))} if {search('path', regex_of(text))}")
        lines.append(f" http-request set-var(txn.g) {group('path', f'a({regex_of(text)})b', 1)}")
        call = quoted(f"path,regsub({argument('x')},{argument(text)})")
        lines.append(f" http-request set-var(txn.g) {call}")
    file = tmp_path / "haproxy.cfg"
    file.write_text("\n".join([*lines, ""]))
    found = subprocess.run([binary, "-c", "-f", file], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def is_said(text: str) -> bool:
    try:
        quoted(text)
    except HandOver:
        return False
    return True


def regex_of(text: str) -> str:
    """A regular expression for a text, each sign of it escaped as people do, whether it has to be or not."""
    return "".join(sign if sign.isalnum() or not sign.isascii() else "\\" + sign for sign in text)


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "\x7f", "\t", "x" * 2000])
def test_a_text_that_no_line_holds_is_handed_over(text: str) -> None:
    with pytest.raises(HandOver):
        quoted(text)


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", r"\Qa.b\E", r"(?x)a b", r"(?'n'a)", r"(?#c)a", r"(*ACCEPT)a", r"(a)(?1)", r"(?R)", r"(?<n>a)\k<n>"],
)
def test_an_expression_that_numbers_would_change_is_handed_over(pattern: str) -> None:
    with pytest.raises(HandOver):
        regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("^/a b$", r"(?s)^/a\x20b$"),
        ("it's", r"(?s)it\x27s"), (r"\'\"\#", r"(?s)\x27\x22\x23"), (r"\.\d\\", r"(?s)\.\d\\"),
        ("[a-z_]+", r"(?s)[a-z_]+"), ("ä", r"(?s)\xc3\xa4"), ("100%", r"(?s)100\x25"),
    ],
)  # fmt: skip
def test_signs_of_an_expression_that_need_quotes_are_written_as_numbers(pattern: str, made: str) -> None:
    assert regex(pattern) == made


def test_names_that_differ_stay_apart() -> None:
    names = [("a.b",), ("a", "b"), ("a b",), ("a-b",), ("a_b",), ("A.b",), ("a..b",), ("a.2e.b",)]
    assert len({name(*each) for each in names}) == len(names)
