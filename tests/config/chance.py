"""Site files and edits made by chance, for tests that must not rely on one spelling.

Tables are spelled in every way that TOML has (header, dotted keys, inline), with comments, blank lines and rows in
between. Everything is drawn from a ``Random``: hypothesis gives one that shrinks, a soak run a seeded one.
"""

from __future__ import annotations

from random import Random
from typing import Any

from proxy_core.config.editing import spelling
from proxy_core.config.editing.site_edits import Delete, Edit, Insert, Move, Set
from proxy_core.config.site_addresses import is_rows, row_ids

NAMES = ["a", "b", "c", "a b", "é", "x.y"]
VALUES: list[Any] = [
    *(0, 1, -5, True, 2.5, float("inf"), "", "text", "# no comment", "a\nb", "'", '"', "é\\d", "[x]"),
    *([], ["x"], ["y", 1], ["x", "y", "z"], ["z", "x", "y", "y"]),
]


def some_table(chance: Random, deep: int = 2) -> dict[str, Any]:
    def one() -> Any:
        return some_table(chance, deep - 1) if deep and chance.random() < 0.3 else chance.choice(VALUES)

    return {name: one() for name in chance.sample(NAMES, chance.randint(0, 3))}


def some_row(chance: Random) -> dict[str, Any]:
    row: dict[str, Any] = {name: chance.choice(VALUES) for name in chance.sample(["x", "y"], chance.randint(0, 2))}
    if chance.random() < 0.5:
        row["path"] = chance.choice(["/", "/a", "/a/b"])
    if chance.random() < 0.5:
        row["id"] = chance.choice(["r1", "r2", "r3", "r4"])
    if chance.random() < 0.4:
        row["sub"] = some_table(chance, 1)
    if chance.random() < 0.2:
        row["list"] = [some_table(chance, 0) for _ in range(chance.randint(1, 3))]
    return row


def some_rows(chance: Random, least: int = 0) -> list[dict[str, Any]]:
    return [some_row(chance) for _ in range(chance.randint(least, 4))]


def some_site(chance: Random) -> dict[str, Any]:
    def members() -> dict[str, Any]:
        return {name: {"url": "http://x"} for name in chance.sample(["m1", "m2"], chance.randint(0, 2))}

    def balancer() -> dict[str, Any]:
        return {k: v for k, v in {"method": "byrequests", "members": members()}.items() if chance.random() < 0.7}

    whole = {
        "version": 1,
        "site": some_table(chance),
        "extra": some_table(chance, 3),
        "routes": some_rows(chance),
        "balancers": {name: balancer() for name in chance.sample(["b1", "b2"], chance.randint(0, 2))},
    }
    return {key: value for key, value in whole.items() if chance.random() < 0.8}


class Speller:
    """Spells data as text; every comment in it is another."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.comments = 0

    def one_in(self, n: int) -> bool:
        return self.chance.randrange(n) == 0

    def between(self) -> str:
        self.comments += 1
        comment = f"# c{self.comments}\n"
        return self.chance.choice(["", "", "", "\n", "\n\n", comment, f"\n{comment}\n", f"  {comment}", f"\n{comment}"])

    def end(self) -> str:
        self.comments += 1
        return self.chance.choice(["\n", "\n", f"  # c{self.comments}\n", "  \n"])

    def value(self, content: Any) -> str:
        if isinstance(content, list) and content and self.one_in(2):
            parts = [self.between() + "  " + spelling.value(each, inline=True) for each in content]
            comma = self.chance.choice([",", ",", "," if is_rows(content) else "\n  , "])
            ends = [comma + self.end() for _ in parts[1:]] + [self.chance.choice([",", ""]) + self.end()]
            return "[\n" + "".join(part + end for part, end in zip(parts, ends, strict=True)) + self.between() + "]"
        return spelling.value(content, inline=True)

    def keys(self, content: dict[str, Any], steps: tuple[str, ...] = ()) -> str:
        text = ""
        for key, each in content.items():
            if isinstance(each, dict) and each and self.one_in(2):
                text += self.keys(each, (*steps, key))
            else:
                text += f"{self.between()}{spelling.key(*steps, key)} = {self.value(each)}{self.end()}"
        return text

    def table(self, path: tuple[str, ...], content: dict[str, Any], *, row: bool = False) -> str:
        below = {k: v for k, v in content.items() if (isinstance(v, dict) or is_rows(v)) and not self.one_in(3)}
        own = {k: v for k, v in content.items() if k not in below}
        text = self.between()
        if path and (row or own or not below or self.one_in(2)):
            text += (f"[[{spelling.key(*path)}]]" if row else f"[{spelling.key(*path)}]") + self.end()
        text += self.keys(own) + self.between()
        names = list(below)
        self.chance.shuffle(names)
        for name in names:
            each = below[name]
            rows = [self.table((*path, name), one, row=True) for one in each] if is_rows(each) else []
            text += "".join(rows) or self.table((*path, name), each)
        return text


def addresses(here: Any, address: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every place in the data, rows by their ids."""
    found = [address] if address else []
    if isinstance(here, dict):
        for key, each in here.items():
            found += addresses(each, (*address, key))
    elif is_rows(here):
        for name, each in zip(row_ids(here, address[-1]), here, strict=True):
            found += addresses(each, (*address, name))
    return found


def some_edit(chance: Random, data: dict[str, Any]) -> Edit:
    """An edit that fits the data more often than not."""
    places = addresses(data) or [("extra",)]
    where = chance.choice(places)
    rows = [each for each in places if len(each) > 1 and is_rows(_at(data, each[:-1]))] or [("routes", "none")]
    row = chance.choice(rows)
    before = chance.choice(["", *(each[-1] for each in rows if each[:-1] == row[:-1])])

    def anything() -> Any:
        return chance.choice([chance.choice(VALUES), some_table(chance), some_rows(chance, 1)])

    def some_set() -> Edit:
        deeper = chance.choice([(), (), (chance.choice(NAMES),), (chance.choice(NAMES), "deep")])
        return Set((*where, *deeper), anything())

    def some_member() -> tuple[str, ...]:
        return "balancers", chance.choice(["b1", "b2", "b3"]), "members", chance.choice(["m1", "m2", "m3"])

    kinds = [
        some_set,
        some_set,
        lambda: Delete(where),
        lambda: Insert(row[:-1], some_row(chance), before),
        lambda: Move(row, before),
        lambda: Set(some_member(), {"url": "http://y"}),
        lambda: Delete(some_member()),
    ]
    return chance.choice(kinds)()


def _at(data: Any, address: tuple[str, ...]) -> Any:
    for step in address:
        if isinstance(data, list):
            return None
        data = data.get(step)
    return data
