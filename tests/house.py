"""The rules of the house, each a function over a source tree that yields its offences.

``python -m tests.house`` prints what offends in this checkout. A tree is the text of each file by its path from the
root, so that a rule can be asked of three made-up lines too. Nothing of the product is imported here.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PRODUCT = ("proxy_core", "rproxy_tui")

FLOORS = [
    {"rproxy_tui"},
    {"proxy_core.control"},
    {"proxy_core.apache", "proxy_core.haproxy", "proxy_core.serve"},
    {"proxy_core.cache"},
    {"proxy_core.runtime"},
    {"proxy_core.rules", "proxy_core.balance"},
    {"proxy_core.config"},
    {"proxy_core.http"},
    {"proxy_core.errors"},
    {"proxy_core.printable", "proxy_core.regular_files", "proxy_core.secret_values"},
]
"""From the top down. Rooms of one floor do not know each other."""

ONLY_IN = {
    "aiohttp": {"proxy_core/serve/", "proxy_core/control/demo/", "proxy_core/control/door/"},
    "httptools": {"proxy_core/runtime/upstreams/"},
    "textual": {"rproxy_tui/"},
    "rich": {"rproxy_tui/"},
}
"""Libraries, and the rooms that may import them."""

FILE_LINES, CLASS_LINES, PARAMETERS, PLAIN_FIELDS = 400, 300, 7, 5
"""The most that a file, a class and a function may have; a data class with more fields documents each."""

Tree = Mapping[str, str]


class Offence(NamedTuple):
    who: str
    what: str


Rule = Callable[[Tree], Iterator[Offence]]


def checkout() -> dict[str, str]:
    """The product, its tests, benchmarks and documents, by their paths from the root."""
    found = [path for folder in (*PRODUCT, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found += [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(found)}


def product(tree: Tree) -> dict[str, str]:
    return {path: text for path, text in tree.items() if path.endswith(".py") and path.startswith(PRODUCT)}


@lru_cache(maxsize=1024)
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@lru_cache(maxsize=1024)
def nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(text)))


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@lru_cache(maxsize=1024)
def imports(path: str, text: str) -> frozenset[tuple[str, str]]:
    """What a file imports at whichever place, TYPE_CHECKING and functions included: (module, name or "")."""
    found = set[tuple[str, str]]()
    package = PurePosixPath(path).parent.parts
    for node in nodes(text):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            found |= {(origin, alias.name) for alias in node.names}
    return frozenset(found)


def graph(tree: Tree) -> dict[str, set[str]]:
    """Who imports whom among the modules of the product."""
    modules = {module(path): path for path in product(tree)}
    arrows: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for origin, member in imports(path, tree[path]):
            arrows[name] |= {target for target in (f"{origin}.{member}", origin) if target in modules} - {name}
    return {
        name: {target for target in found if not _only_passed(target, found, tree, modules)}
        for name, found in arrows.items()
    }


def _only_passed(target: str, found: set[str], tree: Tree, modules: dict[str, str]) -> bool:
    """Whether a package is only on the way to one of its modules and has nothing of its own to import."""
    return any(other.startswith(f"{target}.") for other in found) and not imports(
        modules[target], tree[modules[target]]
    )


def floor(name: str) -> tuple[int, str] | None:
    """The floor of a module, counted from the top, and its room on it."""
    return next(
        ((n, room) for n, rooms in enumerate(FLOORS) for room in rooms if f"{name}.".startswith(f"{room}.")), None
    )


def imports_upward(tree: Tree) -> Iterator[Offence]:
    for name, targets in graph(tree).items():
        for target in sorted(targets):
            above, below = floor(name), floor(target)
            if above and below and (below[0] < above[0] or (below[0] == above[0] and below[1] != above[1])):
                yield Offence(name, f"imports {target}, which is not below it: move what it needs down, or itself up")


def strays(tree: Tree) -> Iterator[Offence]:
    for path, text in product(tree).items():
        for origin, _ in sorted(imports(path, text)):
            rooms = ONLY_IN.get(origin.split(".")[0])
            if rooms is not None and not path.startswith(tuple(rooms)):
                yield Offence(path, f"imports {origin}, which belongs to {', '.join(sorted(rooms))}: ask that room")


def circles(tree: Tree) -> Iterator[Offence]:
    arrows = graph(tree)
    for name in arrows:
        way = _way(arrows, name)
        if way:
            yield Offence(
                name, f"is in a circle: {' -> '.join(way)}: move what both need below both, or ask a Protocol"
            )


def _way(arrows: Mapping[str, set[str]], start: str) -> list[str]:
    """The shortest way from a module back to itself; empty where there is none."""
    ways = [[start]]
    seen = set[str]()
    for way in ways:
        for target in sorted(arrows[way[-1]]):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def classes(tree: Tree) -> Iterator[tuple[str, str, ast.ClassDef]]:
    """Path, qualified name and body of each class, nested ones included."""
    for path, text in product(tree).items():
        for name, node in classes_of(text):
            yield path, name, node


@lru_cache(maxsize=1024)
def classes_of(text: str) -> tuple[tuple[str, ast.ClassDef], ...]:
    found, waiting = [], [("", node) for node in ast.iter_child_nodes(parsed(text))]
    for within, node in waiting:
        if isinstance(node, ast.ClassDef):
            within = f"{within}{node.name}."
            found.append((within[:-1], node))
        waiting += [(within, child) for child in ast.iter_child_nodes(node) if isinstance(child, _HOLDING)]
    return tuple(found)


_HOLDING = ast.stmt | ast.ExceptHandler | ast.match_case
"""What classes may stand in."""


def names_twice(tree: Tree) -> Iterator[Offence]:
    places = defaultdict(list)
    for path, _, node in classes(tree):
        places[node.name].append(f"{path}:{node.lineno}")
    for name, found in places.items():
        if len(found) > 1:
            yield Offence(
                name, f"is the name of {len(found)} classes ({', '.join(found)}): name each for what it holds"
            )


def undocumented_fields(tree: Tree) -> Iterator[Offence]:
    for path, name, node in classes(tree):
        fields = [at for at, row in enumerate(node.body) if isinstance(row, ast.AnnAssign) and not _of_class(row)]
        if len(fields) <= PLAIN_FIELDS:
            continue
        bare = [ast.unparse(node.body[at].target) for at in fields if not _is_text(node.body[at + 1 : at + 2])]  # type: ignore[attr-defined]
        if bare:
            what = f"{path}:{node.lineno} has {len(fields)} fields; say below each what it is: {', '.join(bare)}"
            yield Offence(name, what)


def _of_class(row: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(row.annotation) or "Final" in ast.unparse(row.annotation)


def _is_text(rows: list[ast.stmt]) -> bool:
    return any(
        isinstance(row, ast.Expr) and isinstance(row.value, ast.Constant) and isinstance(row.value.value, str)
        for row in rows
    )


def many_parameters(tree: Tree) -> Iterator[Offence]:
    for path, text in product(tree).items():
        for node in nodes(text):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            given = node.args
            names = [row.arg for row in (*given.posonlyargs, *given.args)]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            names += [row.arg for row in (*given.kwonlyargs, given.vararg, given.kwarg) if row]
            if len(names) > PARAMETERS:
                what = f"{path}:{node.lineno} takes {len(names)} parameters: put what belongs together into one value"
                yield Offence(node.name, what)


def long_files(tree: Tree) -> Iterator[Offence]:
    for path, text in product(tree).items():
        if (lines := text.count("\n")) > FILE_LINES:
            yield Offence(path, f"has {lines} lines, {FILE_LINES} at most: take a subject out into a file of its own")


def long_classes(tree: Tree) -> Iterator[Offence]:
    for path, name, node in classes(tree):
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > CLASS_LINES:
            yield Offence(
                name,
                f"{path}:{node.lineno} has {lines} lines, {CLASS_LINES} at most: take out a subject",
            )


def silent_modules(tree: Tree) -> Iterator[Offence]:
    for path, text in product(tree).items():
        if text.strip() and not ast.get_docstring(parsed(text)):
            yield Offence(path, "says nothing: open with what it is for and what it must never do")


def words(path: str, text: str) -> Iterator[tuple[int, str]]:
    """What a file says to people, with the line it stands in: docstrings and comments, or a document's text."""
    if path.endswith(".md"):
        yield from enumerate(text.splitlines(), 1)
        return
    for node in nodes(text):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


ROOMS = "apache|balance|config|control|http|rules|runtime|serve"
FOLDERS = rf"proxy_core|rproxy_tui|tests|benchmarks|{ROOMS}|screens|widgets"
OUR_PATH = re.compile(rf"(?<![\w./<{{}}-])((?:{FOLDERS})/[\w/*.-]*[\w*/]|(?<=`)\w+\.py(?=`))")
OUR_MODULE = re.compile(rf"(?<=`)((?:proxy_core|rproxy_tui|tests|{ROOMS})(?:\.\w+)+)(?=`)")
OUR_NAME = re.compile(r"``([a-z]\w*(?:\.\w+)+|[a-z]+)``")
HOME = re.compile(r"\b(?:is|are) in ``(\w+)``")
FOREIGN = {"parseargline", "time", "asyncio"}
"""Names of httpd's and of libraries that look like ours. httpd's other functions have an underscore."""
UNWRITTEN = {"benchmarks/results"}
"""Folders that a command makes."""


def names_of_nothing(tree: Tree) -> Iterator[Offence]:
    """Modules, paths and names that docstrings, comments and documents name and that are not there."""
    places, names = _paths(tree) | UNWRITTEN, _names(product(tree))
    stems = {part.removesuffix(".py") for path in product(tree) for part in path.split("/")}
    for path, text in tree.items():
        if path == "CHANGELOG.md" or path.startswith("tests/"):
            continue
        for line, said in words(path, text):
            wrong = [name for name in OUR_PATH.findall(said) if not _is_path(name, path, places)]
            wrong += [name for name in OUR_MODULE.findall(said) if not _is_module(name, tree)]
            if path.startswith(PRODUCT):
                wrong += [name for name in OUR_NAME.findall(said) if not names | FOREIGN >= {*name.split(".")}]
                wrong += [name for name in HOME.findall(said) if name not in stems]
            for name in wrong:
                yield Offence(f"{path}: {name}", f"line {line} names what is not there: say where it is now")


def _names(tree: Tree) -> set[str]:
    """Every name that is given or used, and the words of short texts."""
    found = {part.removesuffix(".py") for path in tree for part in path.split("/")}
    for text in tree.values():
        said = {id(node.value) for node in nodes(text) if isinstance(node, ast.Expr)}
        for node in nodes(text):
            for kind in _NAMING.get(type(node), ()):
                found |= {*str(getattr(node, kind)).split(".")}
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 40:
                found |= {*re.findall(r"\w+", node.value)} if id(node) not in said else set()
    return found


_NAMING: dict[type, tuple[str, ...]] = {
    ast.Name: ("id",),
    ast.Attribute: ("attr",),
    ast.ClassDef: ("name",),
    ast.FunctionDef: ("name",),
    ast.AsyncFunctionDef: ("name",),
    ast.arg: ("arg",),
    ast.keyword: ("arg",),
    ast.alias: ("name", "asname"),
    ast.ImportFrom: ("module",),
}


def _paths(tree: Tree) -> set[str]:
    """Every file and folder."""
    return {str(part) for path in tree for part in (PurePosixPath(path), *PurePosixPath(path).parents)}


def _is_path(name: str, path: str, known: set[str]) -> bool:
    name = name.rstrip("/")
    bases = (
        "",
        "proxy_core/",
        "rproxy_tui/",
        f"{PurePosixPath(path).parent}/",
        f"{PurePosixPath(path).parent.parent}/",
    )
    wanted = {f"{base}{name}{end}" for base in bases for end in ("", ".py")}
    if "*" in name:
        return any(PurePosixPath(one).match(pattern) for one in known for pattern in wanted)
    return bool(wanted & known) or ("/" not in name and any(one.endswith(f"/{name}") for one in known))


def _is_module(name: str, tree: Tree) -> bool:
    parts = name.split(".")
    for base in ((), ("proxy_core",)):
        for count in range(len(parts), 0, -1):
            stem = "/".join((*base, *parts[:count]))
            if f"{stem}.py" in tree:
                return count == len(parts) or parts[count] in _top(tree[f"{stem}.py"])
            if any(path.startswith(f"{stem}/") for path in tree) and count == len(parts):
                return True
    return False


def _top(text: str) -> set[str]:
    """The names that a module has."""
    found = set[str]()
    for node in parsed(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        if isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def rooms_not_told(tree: Tree) -> Iterator[Offence]:
    """Where architecture.md's table of folders and the folders differ."""
    rows = _table(tree)
    folders = {str(PurePosixPath(path).parent) for path in product(tree) if not path.endswith("__init__.py")}
    for folder in sorted(folders - {"proxy_core"} - {room for room, _ in rows}):
        yield Offence(folder, "is not in the table of docs/architecture.md: say there what is in it and what guards it")
    for room, guards in rows:
        if room not in folders:
            yield Offence(room, "is in the table of docs/architecture.md and not there: take the row out")
        for name in guards:
            if not _is_path(name, "docs/architecture.md", _paths(tree)):
                yield Offence(room, f"is said to be guarded by {name}, which is not there: name what guards it")


def _table(tree: Tree) -> list[tuple[str, list[str]]]:
    table = tree["docs/architecture.md"].partition("## Rooms")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", row[1])[0], re.findall(r"`([^`]+)`", row[3])) for row in rows]


RULES: dict[str, Rule] = {
    "no import runs upward": imports_upward,
    "a library is imported only in its room": strays,
    "no circle of imports": circles,
    "no class name twice": names_twice,
    "fields of a large data class are documented": undocumented_fields,
    "no function with many parameters": many_parameters,
    "no long file": long_files,
    "no long class": long_classes,
    "a module says what it is for": silent_modules,
    "words name what is there": names_of_nothing,
    "the table of rooms is true": rooms_not_told,
}


def main() -> None:
    tree = checkout()
    for title, rule in RULES.items():
        found = list(rule(tree))
        print(f"{title}: {len(found)}")
        for offence in found:
            print(f"    {offence.who}: {offence.what}")


if __name__ == "__main__":
    main()
