"""A demo's copy of the site file: its own, and on ports that nobody has."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path

import pytest

from proxy_core.config.reading.document import read
from proxy_core.control.demo.scratch_site import move_listeners, sample, scratch_copy
from tests.control.harness import get, serving


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


NAMING = """\
version = 1
[site]
document_root = "www"
[maps.a]
type = "txt"
file = "maps/a.txt"
[maps.d]
type = "dbm"
file = "table"
[maps.p]
type = "prg"
command = ["./map.sh"]
[auth.staff]
realm = "Staff"
file = "users"
[[listeners.http.tls.certificates]]
cert = "tls/cert.pem"
[[errors]]
status = ["404"]
text = "%s"
"""
NAMED = ["maps/a.txt", "table.pag", "table.dir", "map.sh", "users", "tls/cert.pem", "www/index.html"]


def test_all_files_that_a_site_names_come_with_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (*NAMED, "other", "maps/other"):
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(name)
    (tmp_path / "site" / "users").chmod(0o600)
    (tmp_path / "outside").write_text("not named from inside")
    (tmp_path / "site" / "site.toml").write_text(NAMING % ("x" * 5000) + '[metrics]\naddress = "../outside"\n')
    copy = scratch_copy(tmp_path / "site" / "site.toml")
    made = sorted(str(each.relative_to(copy.parent)) for each in copy.parent.rglob("*") if each.is_file())
    assert made == sorted([*(name for name in NAMED if not name.startswith("www/")), "site.toml"])
    assert (copy.parent / "www" / "index.html").read_text() == "www/index.html"
    assert (copy.parent / "users").stat().st_mode & 0o777 == 0o600


def test_a_folder_of_files_is_served_in_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.txt").write_text("served")
    site = tmp_path / "site.toml"
    site.write_text('version = 1\n[listeners.a]\naddress = "127.0.0.1:0"\n[site]\ndocument_root = "www"\n')

    async def asked() -> tuple[int, str]:
        async with serving(scratch_copy(site)) as (_, port):
            return await get(port, "/a.txt")

    assert asyncio.run(asked()) == (200, "served")


def test_the_sample_that_is_served_without_a_file_is_there() -> None:
    assert read(sample()).site is not None
    assert sample().name == "site.toml"
