"""A console in a browser: which command is served, from where, and to whom; the package itself is an extra."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rproxy_tui import attach


class Forbidden(Exception):
    """Stands for aiohttp's HTTPForbidden."""


class Served:
    """What textual-serve has, as far as it is used. ``last`` is the newest that was asked to serve."""

    last: Served

    def __init__(self, command: str, host: str, port: int, title: str) -> None:
        self.command, self.host, self.port = command, host, port

    def serve(self) -> None:
        Served.last = self

    async def handle_websocket(self, request: Any) -> str:
        return "a console"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("textual_serve")
    module.server = SimpleNamespace(Server=Served, web=SimpleNamespace(HTTPForbidden=Forbidden))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "textual_serve", module)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("given", "port", "command"),
    [
        (["--browser"], 8000, ""),
        (["--browser", "9000", "--no-read-only"], 9000, " --no-read-only"),
    ],
)
def test_a_browser_of_this_machine_gets_a_console_of_its_own_that_is_read_only_unless_it_is_said(
    given: list[str], port: int, command: str
) -> None:
    assert attach.main(["/run/rproxy/a shop.sock", *given]) == 0
    served = Served.last
    assert (served.host, served.port) == ("localhost", port)
    assert served.command == f"{sys.executable} -m rproxy_tui attach '/run/rproxy/a shop.sock'{command}"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("origin", "host", "comes_in"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://evil.example", "localhost:8000", False),
        ("http://localhost:8000", "evil.example:8000", False),
        (None, "localhost:8000", False),
    ],
)
def test_pages_of_others_and_names_that_lead_here_get_no_console(origin: str | None, host: str, comes_in: bool) -> None:
    attach.main(["--browser"])
    request = SimpleNamespace(headers={"Origin": origin} if origin else {}, host=host)
    coming = Served.last.handle_websocket(request)
    if comes_in:
        assert asyncio.run(coming) == "a console"
    else:
        with pytest.raises(Forbidden):
            asyncio.run(coming)


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    assert attach.main(["--browser"]) == 2
    assert "pip install 'rproxy-tui[web]'" in capfd.readouterr().err
