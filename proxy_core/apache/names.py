"""Names and paths: made unique, compared, and patterns of httpd's as regular expressions."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping


def below(path: str, folder: str) -> bool:
    """Whether a path is that of the folder, or lies below it."""
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def overlap(one: str | None, other: str | None) -> bool:
    """Whether there may be paths that are below both; None stands for any path."""
    return below(one or "/", other or "/") or below(other or "/", one or "/")


def located(path: str) -> dict[str, str]:
    """What a <Location> with this path says in [[locations]]: a prefix, or where it has wildcards an expression
    (``*`` and ``?`` never take a slash)."""
    if not set("*?[") & set(path):
        return {"path": path if path.startswith("/") else "/" + path}
    return {"path_regex": f"^{wildcards(path, '[^/]')}$"}


def wildcards(text: str, one: str) -> str:
    """A text with ``*``, ``?`` and ``[…]`` as a regular expression; ``one`` is what takes one character."""
    return re.escape(text).replace(r"\*", f"{one}*").replace(r"\?", one).replace(r"\[", "[").replace(r"\]", "]")


def unique(stem: str, taken: Collection[str]) -> str:
    """A name that is not taken: the stem, or the stem with a number."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def slug(text: str) -> str:
    """A text as a name that site files take."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"


def with_balancers(text: str, names: Mapping[str, str]) -> str:
    """A URL with the balancer that it names under its new name; ``names`` have old ones in lower case or as given."""
    return re.sub(
        r"^balancer://([^/$%{]+)",
        lambda found: f"balancer://{names.get(found[1], names.get(found[1].lower(), found[1]))}",
        text,
        flags=re.IGNORECASE,
    )
