"""What is built is whole: the wheel has the samples, and the sdist gives the same wheel as the checkout."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from trove_classifiers import classifiers

from proxy_core import __version__
from tests.mutants import copy

ROOT = Path(__file__).parent.parent
SAMPLES = "proxy_core/control/demo/samples"


def wheel(root: Path, into: Path) -> dict[str, bytes]:
    """The files of the wheel that is made of a tree."""
    (made,) = WheelBuilder(str(root)).build(directory=str(into), versions=["standard"])
    with zipfile.ZipFile(made) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which somebody has tried https.toml."""
    made = copy(ROOT, tmp_path_factory.mktemp("tree"))
    (made / "samples" / "localhost.key").write_text("secret")
    return made


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return wheel(tree, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_every_sample_and_no_key(built: dict[str, bytes]) -> None:
    files = [file for file in (ROOT / "samples").rglob("*") if file.is_file() and file.suffix not in (".pem", ".key")]
    samples = {f"{SAMPLES}/{file.relative_to(ROOT / 'samples')}": file.read_bytes() for file in files}
    assert f"{SAMPLES}/site.toml" in samples
    assert {name: data for name, data in built.items() if name.startswith(SAMPLES)} == samples


def test_the_wheel_has_all_that_the_packages_have(built: dict[str, bytes]) -> None:
    packages = [file for name in ("proxy_core", "rproxy_tui") for file in (ROOT / name).rglob("*") if file.is_file()]
    wanted = {str(file.relative_to(ROOT)) for file in packages if "__pycache__" not in file.parts}
    assert wanted <= set(built)
    assert {Path(name).suffix for name in wanted} >= {".py", ".md", ".tcss"}


IN_THE_SDIST = [
    "README.md",
    "CHANGELOG.md",
    ".ci/run",
    "packaging/rproxy.service",
    "docs/console.svg",
    "tests/house.py",
]


def test_a_wheel_of_the_sdist_is_the_wheel_of_the_checkout(tree: Path, built: dict[str, bytes], tmp_path: Path) -> None:
    (made,) = SdistBuilder(str(tree)).build(directory=str(tmp_path), versions=["standard"])
    shutil.unpack_archive(made, tmp_path)
    unpacked = tmp_path / f"rproxy_tui-{__version__}"
    assert wheel(unpacked, tmp_path / "again") == built
    assert [name for name in IN_THE_SDIST if (unpacked / name).read_bytes() != (ROOT / name).read_bytes()] == []
    assert not list(unpacked.rglob("*.key"))


def test_who_looks_for_it_learns_what_it_is(built: dict[str, bytes]) -> None:
    lines = built[f"rproxy_tui-{__version__}.dist-info/METADATA"].decode().partition("\n\n")[0].splitlines()
    told = {line.partition(": ")[2] for line in lines if line.startswith(("Classifier: ", "Version: "))}
    assert told >= {__version__, "Environment :: Console", "Operating System :: POSIX :: Linux"}
    assert "Topic :: Internet :: Proxy Servers" in told
    assert {line.partition(": ")[0] for line in lines} >= {"Keywords", "License-Expression"}
    assert set(filter(None, told)) - {__version__} <= classifiers
