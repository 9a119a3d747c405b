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
    assert r'CustomLog l "%h \"%r\" %{X-A}i \t%>s"' in made.splitlines()


HOSTS = """
<VirtualHost *:80>
ServerName a.test
{a}
</VirtualHost>
<VirtualHost *:80>
ServerName b.test
</VirtualHost>
"""


@pytest.mark.parametrize(
    ("logs", "first", "more"),
    [
        ("CustomLog a common env=!dontlog", {"file": "a", "env": "!dontlog"}, []),
        ("CustomLog a common \"expr=%{REQUEST_STATUS} -ge 400\"",
         {"file": "a", "expr": "%{REQUEST_STATUS} -ge 400"}, []),
        ("CustomLog a common env=A\nCustomLog b common", {"file": "a", "env": "A"}, [{"file": "b"}]),
        ("GlobalLog a common\nCustomLog b common", {"file": "b"}, [{"file": "a", "every_host": True}]),
        ("TransferLog a", {"file": "a"}, []),
        ("CustomLog a name\nLogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" name", {"file": "a"}, []),
    ],
)  # fmt: skip
def test_each_log_of_the_main_server_comes_in(
    tmp_path: Path, logs: str, first: dict[str, str], more: list[dict[str, str]]
) -> None:
    text = f"Listen 80\n{logs}\n{PROXIED}"
    found = site_of(tmp_path, text)
    assert found["access_log"] == {"format": "common", **first}
    assert found.get("access_logs", []) == [{"format": "common", **each} for each in more]


def test_a_hosts_own_logs_come_in_as_its_own(tmp_path: Path) -> None:
    own = HOSTS.format(a="CustomLog a1 common\nLogFormat %r%>s\nTransferLog a2")
    found = site_of(tmp_path, f"Listen 80\nCustomLog m common\n{PROXIED}{own}")
    assert found["access_log"] == {"file": "m", "format": "common"}
    assert found["access_logs"] == [
        {"host": "a", "file": "a1", "format": "common"}, {"host": "a", "file": "a2", "format": "%r%>s"}
    ]  # fmt: skip


def test_a_log_that_a_program_gets_is_lost_and_the_report_says_who_has_the_requests(tmp_path: Path) -> None:
    text = f"Listen 80\nCustomLog m common\n{PROXIED}" + HOSTS.format(a='CustomLog "|/bin/cat" common')
    lost = [each.why for each in imported(tmp_path, text).report.entries if each.outcome == "unsupported"]
    assert lost == ["logs go to files; let the program read one: until then other logs have these requests"]
    assert "access_logs" not in site_of(tmp_path, text)


def test_logs_go_out_as_they_came(tmp_path: Path) -> None:
    site = """
[hosts.a]
names = ["a.test"]
[access_log]
file = 'm'
[[access_logs]]
file = 'g'
format = '%h "%r"'
every_host = true
[[access_logs]]
host = 'a'
file = 'h'
format = 'common'
env = '!quiet'
[listeners.http]
address = ':80'
"""
    made, losses = exported(site, tmp_path)
    assert not losses
    again = site_of(tmp_path, made)
    whole = {"file": str(tmp_path / "h"), "host": "a", "format": "common", "env": "!quiet"}
    assert again["access_log"]["file"] == "m"
    assert {**again["access_logs"][1], "file": whole["file"]} == whole
    assert again["access_logs"][0] == {"file": "g", "format": '%h "%r"', "every_host": True}


@pytest.mark.parametrize(("key", "value"), [("env", "!dontlog"), ("expr", "%{REQUEST_STATUS} -ge 400")])
def test_the_condition_of_a_log_goes_out(tmp_path: Path, key: str, value: str) -> None:
    made, losses = exported(f"[access_log]\nfile = 'l'\n{key} = '{value}'", tmp_path)
    assert not losses
    assert any(each.startswith("CustomLog l ") and f"{key}={value}" in each for each in made.splitlines())
