"""The file is the old one or the new one, whole, whatever happens while it is saved."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from proxy_core.config.editing.save import ChangedOnDisk, save, stamp

OLD, NEW = "version = 1\n", "version = 1 # new\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_bytes(OLD.encode())
    return path


def alone(path: Path) -> bool:
    return os.listdir(path.parent) == [path.name]


def test_a_saved_file_has_the_text_and_the_stamp_that_was_returned(site: Path) -> None:
    saved = save(site, "é = 1\r\n", stamp(site))
    assert site.read_bytes() == "é = 1\r\n".encode()
    assert stamp(site) == saved
    assert alone(site)


def test_a_file_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    assert stamp(path) is None
    assert save(path, NEW, None) == stamp(path)
    assert path.read_text() == NEW


def test_mode_and_owner_are_kept(site: Path) -> None:
    site.chmod(0o640)
    if os.getuid() == 0:
        os.chown(site, 1234, 4321)
    before = site.stat()
    save(site, NEW, stamp(site))
    after = site.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    real = tmp_path / "real" / "site.toml"
    real.parent.mkdir()
    real.write_text(OLD)
    link = tmp_path / "site.toml"
    link.symlink_to("real/site.toml")
    save(link, NEW, stamp(link))
    assert link.is_symlink()
    assert real.read_text() == NEW
    assert alone(real)


@pytest.mark.parametrize("change", [lambda path: path.write_text("# theirs\n"), lambda path: path.unlink()])
def test_what_somebody_else_did_to_the_file_is_never_overwritten(site: Path, change) -> None:
    expected = stamp(site)
    change(site)
    theirs = site.read_text() if site.exists() else None
    with pytest.raises(ChangedOnDisk) as raised:
        save(site, NEW, expected)
    assert raised.value.found == stamp(site)
    assert (site.read_text() if site.exists() else None) == theirs


def test_a_file_that_appeared_meanwhile_is_not_overwritten(site: Path) -> None:
    with pytest.raises(ChangedOnDisk):
        save(site, NEW, None)
    assert site.read_text() == OLD


def test_a_file_that_was_only_touched_or_rewritten_alike_is_still_the_same_version(site: Path) -> None:
    expected = stamp(site)
    site.unlink()
    site.write_text(OLD)
    os.utime(site, (1, 1))
    save(site, NEW, expected)
    assert site.read_text() == NEW


def test_a_file_that_has_the_new_content_already_is_no_conflict(site: Path) -> None:
    expected = stamp(site)
    site.write_text(NEW)
    assert save(site, NEW, expected) == stamp(site)


def test_a_known_stamp_spares_reading_until_the_file_changes(site: Path) -> None:
    known = stamp(site)
    assert stamp(site, known) is known
    site.write_text(NEW)
    assert stamp(site, known).sha256 != known.sha256


def test_what_was_saved_is_known_without_reading_it_again(site: Path) -> None:
    saved = save(site, NEW, stamp(site))
    assert stamp(site, saved) is saved


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file_and_no_litter(site: Path, monkeypatch, call) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space"):
        save(site, NEW, stamp(site))
    assert site.read_text() == OLD
    assert alone(site)


def test_a_write_that_takes_only_a_part_goes_on(site: Path, monkeypatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    save(site, NEW, stamp(site))
    assert site.read_text() == NEW


def in_a_process(code: str, *args: str, **more) -> subprocess.Popen:
    path = str(Path(__file__).parent.parent.parent.parent)
    return subprocess.Popen([sys.executable, "-c", code, *args], cwd=path, **more)


LARGE = """
import sys, resource
from pathlib import Path
from proxy_core.config.editing.save import save, stamp
site = Path(sys.argv[1])
try:
    save(site, "# " + "x" * 100_000, stamp(site))
except OSError as error:
    print(error.strerror)
"""


def test_a_full_disk_leaves_the_old_file_and_no_litter(site: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    process = in_a_process(LARGE, str(site), stdout=subprocess.PIPE, preexec_fn=small_files)
    assert b"File too large" in process.communicate(timeout=20)[0]
    assert site.read_text() == OLD
    assert alone(site)


def test_a_read_only_folder_leaves_the_old_file() -> None:
    folder = Path(tempfile.mkdtemp())  # the user nobody may enter it, unlike pytest's
    site = folder / "site.toml"
    site.write_text(OLD)
    folder.chmod(0o555)
    me = os.geteuid()
    try:
        if me == 0:
            os.seteuid(65534)  # permissions do not bind root
        with pytest.raises(PermissionError):
            save(site, NEW, stamp(site))
    finally:
        os.seteuid(me)
    assert site.read_text() == OLD
    assert alone(site)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "site.toml"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        save(pipe, NEW, None)


def test_of_many_savers_of_one_version_exactly_one_wins(site: Path) -> None:
    expected, start = stamp(site), threading.Barrier(8)
    won: list[str] = []

    def one(text: str) -> None:
        start.wait()
        try:
            save(site, text, expected)
            won.append(text)
        except ChangedOnDisk:
            pass

    threads = [threading.Thread(target=one, args=(f"# {n}\n",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert won == [site.read_text()]
    assert alone(site)


KILLED = """
import os, random, signal, sys, time, tomllib
from pathlib import Path
from proxy_core.config.editing.save import save, stamp

site, chance, last = Path(sys.argv[1]), random.Random(7), 0

def saver(n, out):
    known = stamp(site)
    os.write(out, b"ready\\n")
    while True:
        n += 1
        known = save(site, f"number = {n}\\n" + "# filler\\n" * 2000 + f"end = {n}\\n", known)
        os.write(out, f"{n}\\n".encode())

for _ in range(100):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        saver(last, write)
    os.close(write)
    with open(read, "rb") as said:
        said.readline()
        time.sleep(chance.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        numbers = said.read().split()
    found = tomllib.loads(site.read_text())
    assert found.get("number") == found.get("end"), found
    last = found.get("number", 0)
    assert last >= int(numbers[-1] if numbers else 0), (last, numbers)
    assert len(os.listdir(site.parent)) <= 2, os.listdir(site.parent)
print("saved", last)
"""


def test_a_saver_that_is_killed_at_any_moment_leaves_a_whole_file_not_older_than_it_said(site: Path) -> None:
    process = in_a_process(KILLED, str(site), stdout=subprocess.PIPE)
    assert process.communicate(timeout=60)[0].startswith(b"saved")
    assert process.returncode == 0
    save(site, NEW, stamp(site))
    assert alone(site)


@pytest.mark.parametrize("before", [None, 0o644])
def test_a_file_beside_another_has_its_mode_and_owner_whatever_it_had_before(site: Path, before: int | None) -> None:
    copy = site.with_name("site.toml.bak")
    if before is not None:
        copy.write_text("older")
        copy.chmod(before)
    site.chmod(0o600)
    if os.getuid() == 0:
        os.chown(site, 1234, 4321)
    save(copy, OLD, stamp(copy), like=site)
    made, wanted = copy.stat(), site.stat()
    assert (made.st_mode, made.st_uid, made.st_gid) == (wanted.st_mode, wanted.st_uid, wanted.st_gid)


def test_a_file_that_stands_beside_none_is_for_its_owner_alone(tmp_path: Path) -> None:
    save(tmp_path / "site.toml", NEW, None)
    assert (tmp_path / "site.toml").stat().st_mode & 0o777 == 0o600
