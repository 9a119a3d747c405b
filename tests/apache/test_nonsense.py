"""No configuration, however broken, gives a traceback or a site file that cannot be read."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from proxy_core.apache.importer import import_file
from proxy_core.apache.registry import HANDLERS, IGNORED, SECTIONS, UNSUPPORTED
from proxy_core.config.reading.document import parse

NAMES = [*HANDLERS, *IGNORED, *UNSUPPORTED]
WORDS = [
    "On", "Off", "/", "/a/b", "http://h/", "balancer://b/", "!", "^/(.*)$", "(", "[", "$1", "%{X}", "${A}", "all",
    "granted", "denied", "from", "ip", "10.0.0.0/8", "env=A", "=", "timeout=5", "[R,L]", "[P]", "80", "*:80", "-", "~",
    '"a b"', "'q", '"', "\\", "set", "X-A", "always", "edit", "txt:/x", "int:tolower", "404", "-1", "1e9", "é",
    "expr=true", "Basic", "valid-user", "interpolate", "status=+H", "lbmethod=zz", "{}", "REMOTE_ADDR", "and", "GET",
]  # fmt: skip


def nonsense(chance: Random, depth: int = 0) -> list[str]:
    lines: list[str] = []
    for _ in range(chance.randint(1, 6)):
        words = " ".join(chance.choices(WORDS, k=chance.randint(0, 4)))
        if depth < 3 and chance.random() < 0.3:
            name = chance.choice([*SECTIONS, "nothing"])
            lines += [f"<{name} {words}>", *nonsense(chance, depth + 1), f"</{name}>"]
        else:
            lines.append(f"{chance.choice(NAMES)} {words}")
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_whatever_it_says_the_import_has_a_site_and_a_report(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    lines = ["Listen 80", *nonsense(chance), *nonsense(chance)]
    (tmp_path / "httpd.conf").write_text("\n".join(lines))
    made = import_file(tmp_path / "httpd.conf", {}, True)
    document = parse(made.text)
    assert document.site is not None, document.problems
    assert made.report.entries


HEADS = [f"<{name}{more}>\nRequire ip 10\n</{name}>" for name in SECTIONS for more in ("", " ~")]


@pytest.mark.parametrize("text", HEADS)
def test_a_section_without_a_word_is_told_of(tmp_path: Path, text: str) -> None:
    (tmp_path / "httpd.conf").write_text(f"Listen 80\nDocumentRoot {tmp_path}\n{text}\n")
    assert parse(import_file(tmp_path / "httpd.conf", {}, True).text).site is not None


def test_a_folder_that_may_not_be_looked_at_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text("ServerName b.test\n")
    (tmp_path / "conf.d" / "gone.conf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "httpd.conf").write_text("Listen 80\nInclude conf.d\n")
    made = import_file(tmp_path / "httpd.conf", {}, True)
    assert 'server_name = "b.test"' in made.text
