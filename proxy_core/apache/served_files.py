"""What stands in folders that are served, as far as an import has to know: a look at the file system, once.

httpd decides by files that no directive names: a file of overrides in any folder, a link that leads elsewhere. How many
names are looked at is bounded; what may not be looked at is not there. Nothing is ever opened.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 20_000
"""Names that are looked at, in all folders together."""


@dataclass(frozen=True, slots=True)
class ServedFiles:
    """What was found below the folders, or in a folder that one of them is in."""

    overrides: Sequence[str] = ()
    """Folders with a file of overrides in them."""
    links: Sequence[str] = ()
    """Links that lead out of the folder that is served."""
    linked: frozenset[str] = frozenset()
    """The names of all links."""
    extensions: frozenset[str] = frozenset()
    """What follows dots in names, in lower case."""
    whole: bool = True
    """Whether every name was looked at."""


def looked_at(roots: Collection[str], names: Collection[str]) -> ServedFiles:
    """What is below these folders; ``names`` are those of files of overrides."""
    overrides, links, linked, extensions = dict[str, None](), dict[str, None](), set[str](), set[str]()
    left = MOST
    for root in roots:
        above = [str(each) for each in Path(root).parents]
        overrides |= dict.fromkeys(each for each in above if any(map(os.path.isfile, _joined(each, names))))
        real, folders = os.path.realpath(root), [root]
        for folder in folders:  # grows with each that is found
            for entry in _entries(folder):
                if left <= 0:
                    break
                left -= 1
                linked.update([entry.name] * entry.is_symlink())
                if entry.name in names:
                    overrides[folder] = None
                elif entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(real):
                    links[entry.path] = None
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                extensions.update(entry.name.lower().split(".")[1:])
    return ServedFiles(tuple(overrides), tuple(links), frozenset(linked), frozenset(extensions), left > 0)


def _joined(folder: str, names: Collection[str]) -> Iterator[str]:
    return (os.path.join(folder, each) for each in names)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except OSError:
        return []
