"""What is built is whole: the wheel has the samples, and the sdist gives the same wheel as the checkout."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
import zipfile
from pathlib import Path
from runpy import run_path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from msgspec import Struct
from trove_classifiers import classifiers

from proxy_core import __version__
from proxy_core.config.reading.document import parse
from proxy_core.control.editing.editor import check
from proxy_core.errors import errors
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


def test_a_plain_wheel_is_pure_and_needs_no_compiler(built: dict[str, bytes]) -> None:
    assert b"Root-Is-Purelib: true\nTag: py3-none-any\n" in built[f"rproxy_tui-{__version__}.dist-info/WHEEL"]
    assert WheelBuilder(str(ROOT)).config.dependencies == []


def test_the_compiled_wheel_is_made_with_a_compiler_and_with_the_types_of_what_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RPROXY_COMPILED", "1")
    needed = {re.split(r"[\[<>=;]", each)[0] for each in WheelBuilder(str(ROOT)).config.dependencies}
    assert needed >= {"mypy", "setuptools", "aiohttp", "msgspec"}


def test_what_is_compiled_is_there() -> None:
    script = run_path(str(ROOT / "packaging" / "compiled.py"))
    package = ROOT / "proxy_core"
    assert [pattern for pattern in (*script["COMPILED"], *script["PURE"]) if not any(package.glob(pattern))] == []
    found = script["modules"](package)
    assert {"serve/flight.py", "rules/host_rules.py", "http/target.py"} <= {*found}
    drops = re.compile(r"^ *class \w+\((?!Struct,)\w.*, *\w+=", re.MULTILINE).search
    assert [name for name in found if drops((package / name).read_text())] == [], "mypyc drops what they say"


PLACE = """from __future__ import annotations

from msgspec import Struct, field


class Place(Struct, frozen=True, kw_only=True):
    names: list[str] = field(default_factory=list)
    path: str


BEHIND = 1
"""


def test_a_struct_of_a_compiled_module_is_made_as_python_makes_it(tmp_path: Path) -> None:
    (tmp_path / "proxy_core").mkdir()
    (tmp_path / "proxy_core" / "place.py").write_text(PLACE)
    script = run_path(str(ROOT / "packaging" / "compiled.py"))
    script["take_structs"](tmp_path, ["proxy_core/place.py"], (ROOT / "packaging" / "structs.py").read_text())
    taken = (tmp_path / "proxy_core" / "place.py").read_text().splitlines()
    assert [line for line in taken if line not in PLACE.splitlines()] == [
        "from proxy_core.compiled_structs import Struct, field",
        script["EQUALS"],
    ]
    assert taken.index("BEHIND = 1") == PLACE.splitlines().index("BEHIND = 1"), "tracebacks keep their lines"
    maker = run_path(str(tmp_path / script["STRUCTS"]))
    # As mypyc calls it: without the keywords of the class.
    made = type(maker["Struct"])(
        "Place",
        (maker["Struct"],),
        {
            "__module__": "proxy_core.place",
            "__annotations__": {"names": list, "path": str},
            "names": maker["field"](default_factory=list),
            "__eq__": lambda self, other: NotImplemented,
        },
    )
    assert (type(made), made.__bases__, made.__struct_config__.frozen) == (type(Struct), (Struct,), True)
    assert made(path="/").names == []
    assert made.__eq__ is Struct.__eq__


IN_THE_SDIST = [
    "README.md",
    "CHANGELOG.md",
    ".ci/run",
    "packaging/compiled.py",
    "packaging/structs.py",
    "packaging/rproxy.service",
    "packaging/kubernetes.yaml",
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


def test_the_site_of_the_kubernetes_example_is_sound_and_has_what_its_probes_ask() -> None:
    text = (ROOT / "packaging" / "kubernetes.yaml").read_text()
    site = textwrap.dedent(text.partition("site.toml: |\n")[2].partition("---\n")[0])
    document = parse(site, "site.toml")
    assert document.site is not None
    assert not errors(check(document))
    assert document.site.metrics is not None
    asked = set(re.findall(r"http://([^/]+)(/\w+)", text.partition("readinessProbe")[2]))
    assert asked == {(document.site.metrics.address, "/readyz"), (document.site.metrics.address, "/healthz")}
    assert f"containerPort: {document.site.listeners['http'].address[1:]}" in text
    (grace,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", text)
    (before,) = re.findall(r'\[sleep, "(\d+)"\]', text)
    assert int(grace) > int(before) + document.site.site.drain_timeout


def test_the_image_runs_as_nobody_else_and_is_healthy_when_ctl_says_so() -> None:
    lines = (ROOT / "packaging" / "Containerfile").read_text().splitlines()
    assert "USER 10001" in lines
    (check_,) = (line for line in lines if line.startswith("HEALTHCHECK"))
    assert check_.endswith('CMD ["rproxy", "ctl", "status"]')
    (volumes,) = (line.partition(" ")[2] for line in lines if line.startswith("VOLUME"))
    (given,) = (line for line in lines if line.startswith("ENV"))
    written = re.findall(r"(?:XDG_STATE_HOME|RUNTIME_DIRECTORY)=(\S+)", given)
    assert {*written, "/etc/rproxy"} == set(json.loads(volumes)), "the root is read-only"


def test_the_units_fit_together() -> None:
    service = (ROOT / "packaging" / "rproxy.service").read_text()
    assert "\nType=notify\n" in service
    assert "\nNotifyAccess=main\n" in service, "after an upgrade the old process must not speak for the new one"
    (log,) = re.findall(r"^(/\S+)/\*\.log {", (ROOT / "packaging" / "rproxy.logrotate").read_text(), re.MULTILINE)
    (folder,) = re.findall(r"^LogsDirectory=(.*)", service, re.MULTILINE)
    assert log == f"/var/log/{folder}"
