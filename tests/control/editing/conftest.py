"""What every test of editing begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control.editing.harness import SITE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path
