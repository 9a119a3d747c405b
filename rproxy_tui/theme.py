"""The console's colours: dark, light and mono.

Muted surfaces, one accent, and three colours that repeat what a word already says: success, warning, error. Mono has
no hue at all, for those who see none and for terminals that show none; with NO_COLOR set Textual drops colour from
any theme. Text that explains is ``$text-muted``, a plain colour here: Textual's own is a transparency, which rows of
text do not know.
"""

from __future__ import annotations

from textual.theme import Theme


def theme(
    name: str, text: tuple[str, str, str, str], surfaces: tuple[str, str, str], states: tuple[str, str, str], dark: bool
) -> Theme:
    """A theme from a few colours. ``text`` are accent, plain text, text that explains, and what is behind the row or
    key that has the cursor; ``surfaces`` background, surface and panel; ``states`` success, warning and error."""
    accent, plain, muted, cursor = text
    background, surface, panel = surfaces
    success, warning, error = states
    return Theme(
        name=name,
        primary=accent,
        secondary=muted,
        accent=accent,
        foreground=plain,
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
            "block-cursor-foreground": plain,
            "block-cursor-text-style": "none",
            "link-style": "none",
            "link-style-hover": "bold",
            "link-color": plain,
            "link-color-hover": accent,
            "link-background-hover": panel,
            "scrollbar": panel,
            "scrollbar-hover": muted,
            "scrollbar-background": surface,
        },
    )


THEMES = (
    theme(
        "dark", ("#7fb2e5", "#d5d9e0", "#8791a1", "#2d3e52"), ("#14171c", "#1a1e24", "#232830"),
        ("#8fbf73", "#e0b060", "#f0808a"), dark=True,
    ),
    theme(
        "light", ("#1f5f99", "#23272e", "#636b78", "#cfdfee"), ("#fbfbfa", "#f3f3f1", "#e6e7e5"),
        ("#2f7018", "#8a5a00", "#b3303c"), dark=False,
    ),
    theme(
        "mono", ("#ffffff", "#d4d4d4", "#9a9a9a", "#444444"), ("#121212", "#181818", "#262626"),
        ("#d4d4d4", "#ffffff", "#ffffff"), dark=True,
    ),
)  # fmt: skip

IN_16_COLOURS = (
    theme(
        "dark", ("#55ffff", "#ffffff", "#aaaaaa", "#555555"), ("#000000", "#000000", "#000000"),
        ("#55ff55", "#ffff55", "#ff5555"), dark=True,
    ),
    theme(
        "light", ("#0000aa", "#000000", "#555555", "#aaaaaa"), ("#ffffff", "#ffffff", "#ffffff"),
        ("#00aa00", "#aa5500", "#aa0000"), dark=False,
    ),
    THEMES[2],
)  # fmt: skip
"""The same for terminals that have 16 colours: the nearest of those to muted ones are greys, and the cursor's is the
background's."""

STYLES = {
    "": "", "muted": "$text-muted", "good": "$text-success", "warning": "$text-warning", "error": "$text-error",
    "accent": "$text-accent",
}  # fmt: skip
"""What the names of styles that tables use are in text outside of them."""
