"""What knows Apache is loaded when somebody imports or exports, and never by a proxy that serves."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["proxy_core.control.cli", "rproxy_tui.app"])
def test_nothing_of_it_is_loaded_before_somebody_asks(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('proxy_core.apache')])"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
