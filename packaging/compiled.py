"""The fast wheel: what a request passes as machine code (mypyc), beside the source that it was made of.

A build hook of hatch, which does nothing unless RPROXY_COMPILED is 1 in the environment: a plain ``pip install`` stays
pure Python and needs no compiler. It decides here, and nowhere else, which modules are compiled. It never changes a
source: a module that mypyc does not take stays pure, and works with the others as it is. What is compiled takes Struct
from a module that only this wheel has (``structs.py`` beside this): that line is another in the copy that mypyc
reads, and one that was empty. The source of each module is in the wheel too, for tracebacks.
"""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WANTED = "RPROXY_COMPILED"
TOOLS = ["mypy[mypyc]>=2,<3", "setuptools>=77"]
PACKAGE = "proxy_core"

COMPILED = (
    "balance/**/*.py",
    "http/**/*.py",
    "rules/**/*.py",
    "runtime/exchange.py",
    "runtime/origin_pools.py",
    "runtime/recent_requests.py",
    "runtime/registry.py",
    "runtime/rule_set.py",
    "runtime/upstreams/**/*.py",
    "serve/**/*.py",
)
"""What is on the way of a request, within the package."""

PURE = {
    "**/__init__.py": "nothing is in it but what the package is for",
    "balance/member_state.py": "msgspec reads it by its annotations, which mypyc does not keep whole",
    "rules/access/authorization.py": "it counts on a generator that is lazy, which mypyc makes a list",
    "rules/env.py": "mypyc takes an attribute for None that a call has set meanwhile",
    "rules/fields/edit_scope.py": "a field is of a Struct further down, at which what mypyc makes crashes",
    "rules/lint/*.py": "no request passes it, and mypyc fails at it",
    "rules/rule_state.py": "as balance/member_state.py",
    "rules/settings.py": "a method of a Struct has a function within, at which mypyc fails",
    "rules/text/known_fields.py": "no request passes it, and mypyc takes no class of a Mapping",
    "rules/text/variables.py": "edit_scope.py, which is pure, has a Struct of one of it; mypyc takes none of these",
    "runtime/upstreams/connector.py": "it connects; tests stand in for it, which what is compiled does not let them",
    "runtime/upstreams/resolver.py": "as in settings.py",
    "serve/*_listener*.py": "no request passes it",
    "serve/listening_sockets.py": "no request passes it",
    "serve/server.py": "no request passes it",
    "serve/strict_parser.py": "aiohttp's parser in C gives other types than it declares",
}
"""What is not compiled of that, and why."""
STRUCTS = f"{PACKAGE}/compiled_structs.py"
"""Where the wheel has the module that makes Structs of compiled modules."""
EQUALS = "    def __eq__(self, other: object) -> bool: return NotImplemented"
"""Stands on the empty line below each Struct, so that mypyc has Python compare two of them: else it takes each for
equal to itself alone, as it knows of no ``__eq__``. What makes Structs takes it off again."""


def modules(package: Path) -> list[str]:
    """The files of the modules that are compiled, within the package."""

    def found(patterns: Any) -> set[str]:
        return {path.relative_to(package).as_posix() for pattern in patterns for path in package.glob(pattern)}

    return sorted(found(COMPILED) - found(PURE))


def take_structs(folder: Path, paths: list[str], maker: str) -> None:
    """Let these files of a folder import Struct from the module that makes it, and put that module there."""
    module = STRUCTS.removesuffix(".py").replace("/", ".")
    keywords: dict[str, dict[str, dict[str, Any]]] = {}
    for path in paths:
        source = (folder / path).read_text()
        if structs := [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and _is_struct(node)]:
            keywords[path.removesuffix(".py").replace("/", ".")] = {
                node.name: {each.arg or "": ast.literal_eval(each.value) for each in node.keywords} for node in structs
            }
            lines = source.splitlines()
            for node in structs:
                if any(each.arg == "eq" for each in node.keywords):
                    continue  # eq=False: each is equal to itself alone
                lines[node.end_lineno : (node.end_lineno or 0) + 1] = [EQUALS]
            text = "\n".join((*lines, ""))
            (folder / path).write_text(text.replace("\nfrom msgspec import Struct", f"\nfrom {module} import Struct"))
    (folder / STRUCTS).write_text(f"{maker}\n\nKEYWORDS |= {keywords!r}\n")


def _is_struct(node: ast.ClassDef) -> bool:
    return [ast.unparse(base) for base in node.bases] == ["Struct"]


def compile_modules(package: Path, folder: Path, maker: str) -> dict[Path, str]:
    """Compile them in an empty folder; each file that was made, with its place in the wheel. ``maker`` is the source of
    what makes Structs. Needs TOOLS, a C compiler, and all that the package imports, for its types."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    class AtOnce(build_ext):
        """Compiles as many files at a time as there are cores; almost all of them belong to one library."""

        def build_extensions(self) -> None:
            one = self.compiler.compile
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                self.compiler.compile = lambda sources, **options: [
                    made for several in pool.map(lambda source: one([source], **options), sources) for made in several
                ]
                super().build_extensions()

    # Away from pyproject.toml, whose settings of mypy are for the whole of the project.
    shutil.copytree(package, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    with chdir(folder):
        paths = [f"{PACKAGE}/{module}" for module in modules(Path(PACKAGE))]
        take_structs(Path(), paths, maker)
        extensions = mypycify(
            ["--ignore-missing-imports", *paths], opt_level="3", debug_level="0", multi_file=True, group_name=PACKAGE
        )
        command = AtOnce(Distribution({"ext_modules": extensions}))
        command.build_lib, command.build_temp = "made", "objects"
        command.ensure_finalized()
        command.run()
    made = folder / "made"
    libraries = {file: file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
    return libraries | {folder / STRUCTS: STRUCTS}


class CompiledModules(BuildHookInterface[Any]):
    """Adds them to the wheel, which is then one for this platform and version of Python."""

    folder = None

    def dependencies(self) -> list[str]:
        return [*self.metadata.core.dependencies, *TOOLS] if os.environ.get(WANTED) == "1" else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard" or os.environ.get(WANTED) != "1":
            return
        self.folder = tempfile.TemporaryDirectory(prefix="rproxy-compiled-")
        maker = Path(self.root, "packaging", "structs.py").read_text()
        build_data["force_include"] |= compile_modules(Path(self.root, PACKAGE), Path(self.folder.name), maker)
        build_data |= {"pure_python": False, "infer_tag": True}

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        if self.folder is not None:
            self.folder.cleanup()
