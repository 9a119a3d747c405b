"""What a command does not need is not loaded: it costs time at the start and memory for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SITE = """version = 1
[listeners.http]
address = "127.0.0.1:0"
[[routes]]
path = "/app"
proxy = "balancer://b/app"
[balancers.b.members.a]
url = "http://127.0.0.1:9"
"""
NEVER = {
    "bcrypt", "difflib", "hypothesis", "libpass", "pcre2", "proxy_core.apache", "proxy_core.control.demo.traffic",
    "proxy_core.control.explaining",
    "psycopg", "pymysql", "rproxy_tui", "shtab", "sqlite3", "textual", "tree_sitter",
}  # fmt: skip
ONLY_SERVING = {
    "aiohttp", "asyncio", "dataclasses", "email", "httptools", "logging", "proxy_core.control.engine",
    "proxy_core.control.watching", "proxy_core.runtime", "proxy_core.serve", "random", "socket", "ssl",
    "subprocess", "tempfile", "uvloop",
}  # fmt: skip
OTHER_THEMES = {
    "hashlib", "proxy_core.rules.access.authorization", "proxy_core.rules.expression", "proxy_core.rules.lint.access",
    "proxy_core.rules.lint.rewrites",
}  # fmt: skip
WHOLE_AIOHTTP = {"aiohttp.client", "aiohttp.connector", "aiohttp.web", "proxy_core.serve.local_files"}
CHECKED = """
import sys
from proxy_core.control.cli.__main__ import main
assert main(["check", sys.argv[1]]) == 0
print(*sys.modules)
"""
SERVED = """
import os, signal, sys
from proxy_core.control.cli import serve_site
from proxy_core.control.cli.__main__ import main
def ready(engine):
    os.kill(os.getpid(), signal.SIGTERM)
    return " ".join(sys.modules)
serve_site.ready = ready
assert main([sys.argv[1], "--control", "door.sock"]) == 0
assert "proxy_core.control.door.questions" in sys.modules
"""
FILES = SITE.replace('proxy = "balancer://b/app"', 'folder = "files"')
WHOLE_LATER = """
from proxy_core.serve.strict_parser import http_parser
import aiohttp, aiohttp.web
assert aiohttp.ClientSession and aiohttp.web.Server
from aiohttp import http_parser as the_same
from aiohttp.web import Response
assert the_same is http_parser
"""


def loaded(program: str, site: str, folder: Path) -> set[str]:
    file = folder / "site.toml"
    file.write_text(site)
    (folder / "files").mkdir(exist_ok=True)
    command = [sys.executable, "-c", program, str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=folder).stdout
    return set(said.split())


def test_who_checks_a_site_loads_nothing_that_serves_edits_or_explains(tmp_path: Path) -> None:
    modules = loaded(CHECKED, SITE, tmp_path)
    assert "proxy_core.rules.lint.site" in modules
    assert not modules & (NEVER | ONLY_SERVING | OTHER_THEMES)


def test_who_serves_loads_nothing_that_only_some_sites_or_only_people_need(tmp_path: Path) -> None:
    modules = loaded(SERVED, SITE, tmp_path)
    assert "proxy_core.serve.strict_parser" in modules
    assert not modules & (NEVER | WHOLE_AIOHTTP)


def test_who_serves_files_has_what_it_takes_before_anybody_asks(tmp_path: Path) -> None:
    assert "proxy_core.serve.local_files" in loaded(SERVED, FILES, tmp_path)


@pytest.mark.parametrize("first", ["", "import aiohttp\n"], ids=["later", "before"])
def test_who_imports_the_whole_of_aiohttp_beside_its_parser_gets_it(first: str, tmp_path: Path) -> None:
    loaded(first + WHOLE_LATER, SITE, tmp_path)
