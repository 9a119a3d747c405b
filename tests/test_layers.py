"""The house keeps its rules, and each rule is known to find what breaks it."""

from __future__ import annotations

import pytest

from tests.house import RULES, Tree, checkout


@pytest.fixture(scope="session")
def house() -> Tree:
    return checkout()


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule: str, house: Tree) -> None:
    found = [f"{who}: {what}" for who, what in RULES[rule](house)]
    assert not found, "\n".join(["", *found])


def klass(name: str, fields: int, *, documented: bool) -> str:
    rows = [f"    f{n}: int\n" + ('    """A number."""\n' if documented else "") for n in range(fields)]
    return f"class {name}:\n" + "".join(rows)


def long(head: str, lines: int) -> str:
    return head + "    x = 1\n" * (lines - 1)


def room(guard: str) -> str:
    return f"## Rooms\n\n| Folder | What | Guarded by |\n|---|---|---|\n| `proxy_core/serve` | Bytes | `{guard}` |\n"


SERVE, RULE = "proxy_core/serve/a.py", "proxy_core/rules/a.py"
TABLE = "docs/architecture.md"

BROKEN: list[tuple[str, Tree, set[str]]] = [
    ("no import runs upward", {RULE: "import proxy_core.serve.a", SERVE: ""}, {"proxy_core.rules.a"}),
    (
        "no import runs upward",
        {"proxy_core/apache/a.py": "from proxy_core.serve import a", SERVE: ""},
        {"proxy_core.apache.a"},
    ),
    (
        "no import runs upward",
        {RULE: "def f():\n    from ..serve.a import x", SERVE: "x = 1"},
        {"proxy_core.rules.a"},
    ),
    ("a library is imported only in its room", {RULE: "from aiohttp.web import Request"}, {RULE}),
    (
        "no circle of imports",
        {
            "proxy_core/serve/a.py": "if TYPE_CHECKING:\n    from proxy_core.serve import b",
            "proxy_core/serve/b.py": "from proxy_core.serve.c import x",
            "proxy_core/serve/c.py": "def x():\n    import proxy_core.serve.a",
            "proxy_core/serve/d.py": "from proxy_core.serve.a import y",
        },
        {"proxy_core.serve.a", "proxy_core.serve.b", "proxy_core.serve.c"},
    ),
    ("no class name twice", {SERVE: "class A: pass", RULE: "class B:\n    class A: pass"}, {"A"}),
    ("no class name twice", {SERVE: "class A: pass\ndef f():\n    class A: pass"}, {"A"}),
    ("fields of a large data class are documented", {SERVE: klass("A", 6, documented=False)}, {"A"}),
    ("fields of a large data class are documented", {SERVE: klass("A", 6, documented=True) + "    g: int\n"}, {"A"}),
    (
        "fields of a large data class are documented",
        {SERVE: "class Outer:\n    " + klass("A", 6, documented=False).replace("\n", "\n    ")},
        {"Outer.A"},
    ),
    ("no function with many parameters", {SERVE: "def f(a, b, /, c, d, *e, g, h, **i): pass"}, {"f"}),
    (
        "no function with many parameters",
        {SERVE: "class A:\n    async def f(self, a, b, c, d, e, f, g, h): pass"},
        {"f"},
    ),
    ("no long file", {SERVE: "x = 1\n" * 401}, {SERVE}),
    ("no long class", {SERVE: long("class A:\n", 301)}, {"A"}),
    ("a module says what it is for", {SERVE: "x = 1"}, {SERVE}),
    ("words name what is there", {SERVE: "# see rules/b.py"}, {f"{SERVE}: rules/b.py"}),
    ("words name what is there", {SERVE: '"""As `nowhere.py` says."""'}, {f"{SERVE}: nowhere.py"}),
    ("words name what is there", {RULE: '"""It is in ``rules.lint``."""'}, {f"{RULE}: rules.lint"}),
    ("words name what is there", {RULE: "x = 1", SERVE: '"""``rules.a.y``"""\ny = 1'}, {f"{SERVE}: rules.a.y"}),
    ("words name what is there", {RULE: 'x = 1\n"""``a.y`` or ``x``."""'}, {f"{RULE}: a.y"}),
    ("words name what is there", {RULE: '"""Made by ``maker``."""'}, {f"{RULE}: maker"}),
    ("words name what is there", {RULE: 'x = 1\n"""The rest is in ``x``."""'}, {f"{RULE}: x"}),
    ("words name what is there", {"docs/a.md": "see `serve/a*.py`", RULE: ""}, {"docs/a.md: serve/a*.py"}),
    (
        "the table of rooms is true",
        {TABLE: room("tests/serve"), SERVE: "", RULE: "", "tests/serve/a.py": ""},
        {"proxy_core/rules"},
    ),
    ("the table of rooms is true", {TABLE: room("tests/serve"), "tests/serve/a.py": ""}, {"proxy_core/serve"}),
    ("the table of rooms is true", {TABLE: room("tests/serve"), SERVE: ""}, {"proxy_core/serve"}),
]


@pytest.mark.parametrize(("rule", "tree", "who"), BROKEN, ids=[f"{row[0]} {sorted(row[2])[0]}" for row in BROKEN])
def test_a_rule_finds_what_breaks_it(rule: str, tree: Tree, who: set[str]) -> None:
    assert {offence.who for offence in RULES[rule](tree)} == who


def test_every_rule_is_known_to_find_something() -> None:
    assert {row[0] for row in BROKEN} == set(RULES)


KEPT: Tree = {
    TABLE: room("tests/serve/test_*.py"),
    "tests/serve/test_a.py": "",
    SERVE: '"""See ``b.A`` and `serve/`; ``ap_die``, `a/b.c` and text/html are not ours."""\n' + "x = 1\n" * 399,
    "proxy_core/serve/b.py": '"""B."""\nfrom proxy_core.serve import a\n' + klass("A", 5, documented=False),
    "proxy_core/serve/c.py": '"""C."""\n' + klass("B", 6, documented=True) + "    g: ClassVar[int]\n    H: Final = 1\n",
    "proxy_core/serve/d.py": '"""D."""\n' + long("class C:\n", 300) + "def f(a, b, c, d, e, f, g): pass\n",
    "proxy_core/serve/e.py": '"""E."""\nimport aiohttp\nclass D:\n    def f(self, a, b, c, d, e, f, g): pass\n',
}


@pytest.mark.parametrize("rule", RULES)
def test_what_keeps_a_rule_is_not_complained_of(rule: str) -> None:
    assert not list(RULES[rule](KEPT))
