"""``rproxy import`` says by its exit status whether anything was lost, and never overwrites unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy_core.control.cli.__main__ import main

WHOLE = "Listen 127.0.0.1:8080\nProxyPass / http://127.0.0.1:1/\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [(WHOLE, 0), (WHOLE + "Frobnicate\n", 3), (WHOLE + "<Location /a>\n", 2), (WHOLE + "Include gone.conf\n", 2)],
)
def test_the_exit_status_tells_what_was_lost_and_the_file_is_written_in_any_case(
    tmp_path: Path, text: str, status: int
) -> None:
    (tmp_path / "httpd.conf").write_text(text)
    output = tmp_path / "site.toml"
    assert main(["import", str(tmp_path / "httpd.conf"), "-o", str(output)]) == status
    assert main(["check", str(output)]) == 0


def test_the_report_as_json_has_every_directive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "httpd.conf").write_text(WHOLE + "User x\nFrobnicate\n")
    main(["import", str(tmp_path / "httpd.conf"), "-o", str(tmp_path / "site.toml"), "--report", "json"])
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"mapped": 2, "ignored": 1, "unsupported": 1}
    assert [each["line"] for each in told["directives"]] == [1, 2, 3, 4]


def test_a_site_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "httpd.conf").write_text(WHOLE)
    output = tmp_path / "site.toml"
    output.write_text("mine")
    assert main(["import", str(tmp_path / "httpd.conf"), "-o", str(output)]) == 2
    assert output.read_text() == "mine"
    assert main(["import", str(tmp_path / "httpd.conf"), "-o", str(output), "--force"]) == 0


def test_what_is_made_of_a_file_that_not_all_may_read_can_be_read_by_nobody_else_either(tmp_path: Path) -> None:
    (tmp_path / "httpd.conf").write_text(WHOLE)
    (tmp_path / "httpd.conf").chmod(0o600)
    made = tmp_path / "site.toml"
    assert main(["import", str(tmp_path / "httpd.conf"), "-o", str(made)]) == 0
    assert main(["export", str(made), "--to", "apache", "-o", str(tmp_path / "again.conf")]) == 0
    assert {each.stat().st_mode & 0o777 for each in (made, tmp_path / "again.conf")} == {0o600}


def test_a_dash_for_a_file_is_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "httpd.conf").write_text(WHOLE)
    assert main(["import", "httpd.conf", "-o", "-"]) == 0
    imported = capsys.readouterr()
    assert 'proxy = "http://127.0.0.1:1/"' in imported.out
    assert "2 directives" in imported.err
    (tmp_path / "site.toml").write_text(imported.out)
    assert main(["export", "site.toml", "--to", "apache", "-o", "-"]) == 0
    assert "ProxyPass" in capsys.readouterr().out
    assert sorted(each.name for each in tmp_path.iterdir()) == ["httpd.conf", "site.toml"]
