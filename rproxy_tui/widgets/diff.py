"""A unified diff in colour; the sign in front of a line says the same without it."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

STYLES = {"+": "$text-success", "-": "$text-error", "@": "$text-muted"}


def coloured(diff: str) -> Content:
    """The lines that are removed and added, with the unchanged ones round them; the names of the files are left
    out, for a site has one."""
    lines = [line for line in diff.splitlines() if not line.startswith(("--- ", "+++ "))]
    return Content("\n").join(Content.styled(line, STYLES.get(line[:1], "")) for line in lines)


class Diff(Static):
    """Shows a diff; ``show("")`` says that nothing changes."""

    DEFAULT_CSS = "Diff { height: auto; width: 1fr; }"

    def show(self, diff: str, otherwise: str = "nothing changes") -> None:
        self.update(coloured(diff) if diff else Content.styled(otherwise, "$text-muted"))
