"""What the commands print holds no character that a terminal obeys, whatever they are given."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from proxy_core.control.cli.__main__ import main
from tests.poison import OBEYED, POISON, samples, worst_site

HTTPD = "Listen 127.0.0.1:8080\nProxyPass / http://127.0.0.1:1/\n"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints; fails where that holds what a terminal obeys."""
    with suppress(SystemExit):  # how argparse refuses
        main(arguments)
    out = "".join(capsys.readouterr())
    assert not (found := OBEYED.search(out)), f"{arguments[0]}: {found} in {out!r}"
    return out


def test_check_shows_what_is_in_any_field_of_the_model_and_lets_no_terminal_obey_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, shown, count = tmp_path / "site.toml", 0, 0
    for name, text in samples():
        file.write_text(text)
        out = printed(capsys, "check", str(file))
        assert "PWN" not in out or "\\x1b" in out or "\\u001b" in out, f"{name}: {out!r}"
        shown, count = shown + ("PWN" in out), count + 1
    assert count > 250
    assert shown > count / 4


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_explain_and_export_of_the_worst_site_print_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(worst_site())
    (tmp_path / "servers.txt").write_text(f"k {POISON}\n")
    for url in ("/r/a", "/w", "/x", "/l", "/r%1b]0;PWN%07%9b", f"/{POISON}", f"http://{POISON}/"):
        out = printed(capsys, "explain", str(file), url, "-H", f"X-A: {POISON}", *more)
        if more and out.startswith("{"):
            json.JSONDecoder().raw_decode(out)
    printed(capsys, "export", str(file), "--to", "apache", *(("--report", "json") if more else ()), "-o",
            str(tmp_path / "httpd.conf"))  # fmt: skip
    assert "map t: servers.txt" in printed(capsys, "check", str(file)), "the site is read, and its map is not there"


@pytest.mark.parametrize("report", ["text", "json"])
def test_import_tells_of_directives_without_obeying_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], report: str
) -> None:
    poison = POISON.replace("\n", "").replace("\\", "").encode()
    file, output = tmp_path / "httpd.conf", tmp_path / "site.toml"
    for line in (
        *(b'Frobnicate "%b"', b"ProxyPass /a%b http://127.0.0.1:1/", b"%b", b'<Location "/%b">', b"Include %b.conf"),
        *(b'RewriteRule "^/a%b(" /b', b'Header set X-A "%b"', b"# %b"),
    ):
        file.write_bytes(HTTPD.encode() + line.replace(b"%b", poison) + b"\n")
        printed(capsys, "import", str(file), "-o", str(output), "--force", "--report", report)
        assert not OBEYED.search(output.read_text())


def test_words_about_the_command_line_are_printable_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("check",), ("explain", str(tmp_path)), ("import",), ("export",), ()):
        printed(capsys, *arguments, f"{tmp_path}/{POISON}", f"--{POISON}")
        if arguments != ("export",):
            printed(capsys, *arguments, f"{tmp_path}/{POISON}")
