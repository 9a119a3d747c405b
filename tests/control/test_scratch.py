"""A demo's copy of the site file: its own, and on ports that nobody has."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from proxy_core.config.reading.document import read
from proxy_core.control.demo.scratch_site import move_listeners, scratch_copy


def test_the_scratch_copy_leaves_the_site_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "site.toml").write_text("version = 1\n")
    copy = scratch_copy(tmp_path / "site.toml")
    assert copy.name == "site.toml"
    assert copy.parent != tmp_path
    copy.write_text("# edited\n")
    assert (tmp_path / "site.toml").read_text() == "version = 1\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "", "[::1]"])
def test_a_taken_port_is_changed_in_the_copy_and_told_and_the_rest_stays(tmp_path: Path, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    file = tmp_path / "site.toml"
    with socket.create_server((host.strip("[]"), 0), family=family) as other:
        port = other.getsockname()[1]
        text = f'version = 1\n[listeners.a]\naddress = "{host}:{port}" # mine\n[listeners.b]\naddress = "127.0.0.1:0"\n'
        file.write_text(text)
        (told,) = move_listeners(file)
        site = read(file).site
        assert site is not None
        new = site.listeners["a"].address
        assert new != f"{host}:{port}"
        assert f"{host}:{port} is taken" in told.what
        assert new in told.what
        assert file.read_text() == text.replace(f'"{host}:{port}"', f'"{new}"')
        assert move_listeners(file) == ()


def test_a_file_with_errors_is_left_for_the_checker(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("version = [\n")
    assert move_listeners(file) == ()
    assert file.read_text() == "version = [\n"


def test_the_files_of_maps_come_with_the_site(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.txt").write_text("k v\n")
    site = tmp_path / "site.toml"
    site.write_text('version = 1\n[maps.a]\ntype = "txt"\nfile = "maps/a.txt"\n')
    copy = scratch_copy(site)
    assert (copy.parent / "maps" / "a.txt").read_text() == "k v\n"
