"""Which logs have which requests: the real Apache httpd on a configuration with many, and our engine on its import.

The two write to folders of their own; what is compared is the lines of each file. How a host's logs take the place of
the server's is merge_config_log_state and multi_log_transaction of mod_log_config.c.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.apache.importer import import_file
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.importing import serving
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.apache

CONF = """
CustomLog {0}/late late
LogFormat "%v %m %U %>s" late
LogFormat "%v %>s"
TransferLog {0}/transferred
GlobalLog {0}/every late
GlobalLog {0}/every-error late "expr=%{{REQUEST_STATUS}} -ge 400"
CustomLog {0}/seen late env=SEEN
CustomLog {0}/unseen "%U \\"%{{X-A}}i\\"" env=!SEEN
SetEnvIf Request_URI ^/seen SEEN
Redirect 302 /seen http://there.test/
Redirect 410 /gone
Redirect 403 /none
<VirtualHost *>
ServerName inherits.test
</VirtualHost>
<VirtualHost *>
ServerName own.test
CustomLog {0}/own late
CustomLog {0}/own-gone late "expr=%{{REQUEST_STATUS}} == 410"
</VirtualHost>
<VirtualHost *>
ServerName shares.test
TransferLog {0}/own
CustomLog {0}/late late env=SEEN
</VirtualHost>
<VirtualHost *>
ServerName shares-too.test
TransferLog {0}/own
</VirtualHost>
"""
REQUESTS = [
    f"GET {path} HTTP/1.1\r\nHost: {host}.test\r\nX-A: \"a\r\nConnection: close\r\n\r\n"
    for host in ("inherits", "own", "shares", "shares-too", "none")
    for path in ("/seen/x", "/gone", "/none%20x")
] + ["GET /none HTTP/1.1\r\n\r\n"]  # fmt: skip


def logs(folder: Path) -> dict[str, list[str]]:
    return {each.name: each.read_text().splitlines() for each in sorted(folder.iterdir())}


async def test_both_write_the_same_lines_to_the_same_files(tmp_path: Path) -> None:
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    for folder in folders:
        folder.mkdir()
    port = free_port()
    (tmp_path / "httpd.conf").write_text(f"Listen 127.0.0.1:{port}\n" + CONF.format(folders[1]))
    made = import_file(tmp_path / "httpd.conf", {}, True)
    assert not made.report.losses
    (tmp_path / "site.toml").write_text(made.text)
    with running([*LOADED, "setenvif", "alias"], lambda _: [CONF.format(folders[0])]) as theirs:
        for request in REQUESTS:
            exchanged(theirs, request)
    with serving(tmp_path / "site.toml"):
        for request in REQUESTS:
            exchanged(port, request)
    await until(lambda: len(logs(folders[1])["every"]) == len(REQUESTS))
    assert logs(folders[1]) == logs(folders[0])
    assert len(logs(folders[0])) == 8
