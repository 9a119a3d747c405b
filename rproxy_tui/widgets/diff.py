"""A unified diff in colour; the sign in front of a line says the same without it."""

from __future__ import annotations

import re

from textual.content import Content
from textual.widgets import Static

STYLES = {"+": "$text-success", "-": "$text-error", "…": "$text-muted"}
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+).*")


def coloured(diff: str) -> Content:
    """The lines that are removed and added, with the unchanged ones round them. The names of the files are left out
    (a site has one), and a hunk says the line that it begins at."""
    lines = [line for line in diff.splitlines() if not line.startswith(("--- ", "+++ "))]
    lines = [HUNK.sub(r"… line \1", line) if line.startswith("@@") else line for line in lines]
    return Content("\n").join(Content.styled(line, STYLES.get(line[:1], "")) for line in lines)


class Diff(Static):
    """Shows a diff; ``otherwise`` is said when there is none."""

    def show(self, diff: str, otherwise: str = "nothing changes") -> None:
        self.update(coloured(diff) if diff else Content.styled(otherwise, "$text-muted"))
