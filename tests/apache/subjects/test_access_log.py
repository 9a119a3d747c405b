"""Formats of the log come in and go out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import PROXIED, exported, imported, site_of

LOST = [
    ('[access_log]\nfile = "l"\nformat = "json"', "access_log.format"),
    ('[access_log]\nfile = "l"\nformat = "%h %200{member}x"', "access_log.format"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "found", "lost"),
    [
        (r"%h %l %u %t \"%r\" %>s %O", "common", ""),
        (r"%v:%p %h \"%r\" %>s %D %{X-Id}i", '%v:%p %h "%r" %>s %D %{X-Id}i', ""),
        (r"%h %{Foo}^ti", "combined", "%{Foo}^ at character 4"),
        (r"%h %Z", "combined", "%Z at character 4"),
    ],
)
def test_a_format_of_the_log_comes_in_or_names_what_is_unknown(
    tmp_path: Path, form: str, found: str, lost: str
) -> None:
    text = f'LogFormat "{form}" own\nCustomLog access.log own\nListen 80\n{PROXIED}'
    assert site_of(tmp_path, text)["access_log"].get("format", "combined") == found
    losses = [each.why for each in imported(tmp_path, text).report.entries if each.outcome == "unsupported"]
    assert [lost in why for why in losses] == [True] * bool(lost)


def test_a_format_of_the_log_goes_out_as_it_came(tmp_path: Path) -> None:
    made, losses = exported("[access_log]\nfile = 'l'\nformat = '%h \"%r\" %{X-A}i \\t%>s'", tmp_path)
    assert not losses
    assert r'LogFormat "%h \"%r\" %{X-A}i \t%>s" own' in made.splitlines()
    assert "CustomLog l own" in made.splitlines()


@pytest.mark.parametrize(
    ("logs", "found", "outcomes"),
    [
        ("CustomLog a common env=!dontlog", {"file": "a", "env": "!dontlog"}, ["mapped"]),
        ("CustomLog a common \"expr=%{REQUEST_STATUS} -ge 400\"", {"file": "a", "expr": "%{REQUEST_STATUS} -ge 400"},
         ["mapped"]),
        ("CustomLog a common env=A\nCustomLog b common", {"file": "b"}, ["unsupported", "mapped"]),
        ("CustomLog a common\nCustomLog b common env=A", {"file": "a"}, ["mapped", "ignored"]),
    ],
)  # fmt: skip
def test_of_several_logs_the_one_with_all_requests_counts(
    tmp_path: Path, logs: str, found: dict[str, str], outcomes: list[str]
) -> None:
    text = f"Listen 80\n{logs}\n{PROXIED}"
    assert site_of(tmp_path, text)["access_log"] == {"format": "common", **found}
    told = [each.outcome for each in imported(tmp_path, text).report.entries if each.directive == "CustomLog"]
    assert told == outcomes


@pytest.mark.parametrize(("key", "value"), [("env", "!dontlog"), ("expr", "%{REQUEST_STATUS} -ge 400")])
def test_the_condition_of_a_log_goes_out(tmp_path: Path, key: str, value: str) -> None:
    made, losses = exported(f"[access_log]\nfile = 'l'\n{key} = '{value}'", tmp_path)
    assert not losses
    assert any(each.startswith("CustomLog l combined ") and f"{key}={value}" in each for each in made.splitlines())
