"""What is wrong with [recording]: its file is one that the site names for something else."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.config.private_files import private_files
from proxy_core.errors import Problem
from proxy_core.rules.lint.problems import error


def lint_recording(site: Site) -> Iterator[Problem]:
    if site.recording is None:
        return
    others = {normpath(name) for name in private_files(replace(site, recording=None))}
    if normpath(site.recording.file) in others:
        todo = "name a file of its own"
        yield error(("recording", "file"), f"{site.recording.file} is the site's for something else too", todo)
