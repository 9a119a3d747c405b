"""The console's colours: dark, light and mono.

Muted surfaces, one accent, and three colours that repeat what a word already says: success, warning, error. Mono has
no hue at all, for those who see none and for terminals that show none; with NO_COLOR set Textual drops colour from
any theme. Text that explains is ``$text-muted``, a plain colour here: Textual's own is a transparency, which rows of
text do not know.
"""

from __future__ import annotations

from textual.theme import Theme


def theme(
    name: str, accent: str, text: str, muted: str, surfaces: tuple[str, str, str], cursor: str,
    states: tuple[str, str, str], *, dark: bool = True,
) -> Theme:  # fmt: skip
    """A theme from a few colours: ``surfaces`` are background, surface and panel; ``states`` success, warning and
    error; ``cursor`` is behind the row or key that has the cursor."""
    background, surface, panel = surfaces
    success, warning, error = states
    return Theme(
        name=name,
        primary=accent,
        secondary=muted,
        accent=accent,
        foreground=text,
        background=background,
        surface=surface,
        panel=panel,
        success=success,
        warning=warning,
        error=error,
        dark=dark,
        variables={
            "text-muted": muted,
            "text-accent": accent,
            "text-success": success,
            "text-warning": warning,
            "text-error": error,
            "block-cursor-background": cursor,
            "block-cursor-foreground": text,
            "block-cursor-text-style": "none",
            "link-style": "none",
            "link-style-hover": "bold",
            "link-color": text,
            "link-color-hover": accent,
            "link-background-hover": panel,
            "scrollbar": panel,
            "scrollbar-hover": muted,
            "scrollbar-background": surface,
        },
    )


THEMES = (
    theme(
        "dark", "#7fb2e5", "#d5d9e0", "#8791a1", ("#14171c", "#1a1e24", "#232830"), "#2d3e52",
        ("#8fbf73", "#e0b060", "#f0808a"),
    ),
    theme(
        "light", "#1f5f99", "#23272e", "#636b78", ("#fbfbfa", "#f3f3f1", "#e6e7e5"), "#cfdfee",
        ("#2f7018", "#8a5a00", "#b3303c"), dark=False,
    ),
    theme(
        "mono", "#ffffff", "#d4d4d4", "#9a9a9a", ("#121212", "#181818", "#262626"), "#444444",
        ("#d4d4d4", "#ffffff", "#ffffff"),
    ),
)  # fmt: skip
