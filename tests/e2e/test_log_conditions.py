"""A log with a condition has the requests for which it holds, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import AccessLog, EnvRule, Site
from proxy_core.control.watching.access_log import AccessLogs
from tests.e2e.harness import HELLO, answers, ask, get, serving, site, upstream


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"env": "SEEN"}, ["/seen/a"]),
        ({"env": "!seen"}, ["/b", "*"]),
        ({"expr": "%{REQUEST_STATUS} -ge 400"}, ["*"]),
        ({"expr": "%{REQUEST_URI} =~ m#^/b# && %{resp:X-From} == 'member'"}, ["/b"]),
    ],
)
async def test_a_log_has_the_requests_for_which_its_condition_holds(
    tmp_path: Path, condition: dict[str, str], found: list[str]
) -> None:
    hello = HELLO.replace(b"\r\n", b"\r\nX-From: member\r\n", 1)
    async with upstream(answers(hello)) as member:
        rule = EnvRule(id="e", name="SEEN", from_="%{REQUEST_URI}", capture="^/seen")
        async with serving(replace(site(member.port), env=(rule,)), tmp_path) as running:
            log = AccessLogs(running.recorder, tmp_path)
            log.adopt(Site(access_log=AccessLog(file="log", format="%U", **condition)))
            for path in ("/seen/a", "/b"):
                await get(running.port, path)
            await ask(running.port, b"GET / HTTP/1.1\r\n\r\n")
            await running.finished(3)
            log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line if line.startswith("/") and len(line) > 1 else "*" for line in lines] == found
