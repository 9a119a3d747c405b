"""The real Apache finds for each row of the expression tables what we find, and refuses what we refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.apache import exchanged, running
from tests.rules.expression.expressions import FIELDS, HOLDS, LATER, REFUSED, TARGET, TEXTS

pytestmark = pytest.mark.apache

MODULES = ["mpm_event", "authz_core", "setenvif", "headers"]
ENDS_HTTPD = "%{REQ:X == 'a'"
"""What makes httpd 2.4's scanner abort the whole process: not asked."""
UNSAID = [text for text, *_ in REFUSED if text != ENDS_HTTPD and "\n" not in text] + [text for text, _ in LATER]


def quoted(text: str) -> str:
    """As an argument of a directive."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def directives(folder: Path) -> list[str]:
    """Each expression sets a variable and the variable a header; texts are headers; what must be refused stands in
    a .htaccess of its own, where an error costs its requests a 500. The others are evaluated for one request alone:
    httpd asks a name server for what is no address."""
    for number, text in enumerate(UNSAID):
        (folder / "www" / f"refused-{number}").mkdir()
        (folder / "www" / f"refused-{number}" / ".htaccess").write_text(f"SetEnvIfExpr {quoted(text)} x=1\n")
    (folder / "www" / "accepted").mkdir()
    (folder / "www" / "accepted" / ".htaccess").write_text('SetEnvIfExpr "true" x=1\n')
    lines = [
        f"<Directory {folder}/www>\nAllowOverride FileInfo\n</Directory>",
        "SetEnvIf Host . colour=red",
        "<Location /service>",
    ]
    for number, (text, _) in enumerate(HOLDS):
        lines.append(f"SetEnvIfExpr {quoted(text)} holds{number}=1")
        lines.append(f"Header always set X-Holds-{number} 1 env=holds{number}")
    lines += [f"Header always set X-Text-{number} {quoted(f'expr={text}')}" for number, (text, _) in enumerate(TEXTS)]
    return [*lines, "</Location>"]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(MODULES, directives) as port:
        yield port


@pytest.fixture(scope="module")
def answer(port: int) -> dict[str, str]:
    """The header fields of the one answer that says it all."""
    head, *_ = asked(port, TARGET).partition("\r\n\r\n")
    return {line.partition(": ")[0].rstrip(":"): line.partition(": ")[2] for line in head.split("\r\n")[1:]}


def asked(port: int, target: str) -> str:
    fields = "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
    return exchanged(port, f"GET {target} HTTP/1.1\r\nHost: expr.test\r\nConnection: close\r\n{fields}\r\n")


@pytest.mark.parametrize("number", range(len(HOLDS)), ids=[text for text, _ in HOLDS])
def test_apache_finds_that_an_expression_holds_as_the_table_says(answer: dict[str, str], number: int) -> None:
    assert (f"X-Holds-{number}" in answer) is HOLDS[number][1]


@pytest.mark.parametrize("number", range(len(TEXTS)), ids=[text for text, _ in TEXTS])
def test_apache_puts_a_text_together_as_the_table_says(answer: dict[str, str], number: int) -> None:
    assert answer[f"X-Text-{number}"] == TEXTS[number][1]


@pytest.mark.parametrize("number", range(len(UNSAID)), ids=UNSAID)
def test_apache_refuses_what_we_refuse_and_what_is_of_2_5(port: int, number: int) -> None:
    assert asked(port, f"/refused-{number}/").split(" ")[1] == "500"


def test_apache_refuses_not_everything(port: int) -> None:
    assert asked(port, "/accepted/").split(" ")[1] != "500"
