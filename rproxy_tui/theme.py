"""The console's colours: dark, light and mono.

Muted surfaces, one accent, and three colours that repeat what a word already says: success, warning, error. Mono has
no hue at all, for those who see none and for terminals that show none; with NO_COLOR set Textual drops colour from
any theme.
"""

from __future__ import annotations

from textual.theme import Theme

THEMES = (
    Theme(
        name="dark",
        primary="#7aa2c8",
        secondary="#8a94a6",
        accent="#7aa2c8",
        foreground="#d5d9e0",
        background="#14171c",
        surface="#1a1e24",
        panel="#232830",
        success="#8fb573",
        warning="#d9a85b",
        error="#e0707a",
        dark=True,
    ),
    Theme(
        name="light",
        primary="#2b6596",
        secondary="#5d6675",
        accent="#2b6596",
        foreground="#23272e",
        background="#fbfbfa",
        surface="#f2f2f0",
        panel="#e5e6e4",
        success="#3d7a26",
        warning="#946200",
        error="#b3303c",
        dark=False,
    ),
    Theme(
        name="mono",
        primary="#d0d0d0",
        secondary="#a8a8a8",
        accent="#ffffff",
        foreground="#d8d8d8",
        background="#121212",
        surface="#181818",
        panel="#262626",
        success="#d8d8d8",
        warning="#eeeeee",
        error="#ffffff",
        dark=True,
    ),
)
