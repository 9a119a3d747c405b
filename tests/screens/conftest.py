"""What all tests of screens share: style sheets that are parsed once, not once for each app.

An app of one process parses its sheets once and nobody notices; here there are hundreds of apps, and parsing was a
third of their time. What is kept is keyed by all that a parse depends on, the theme's variables among it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet


@pytest.fixture(autouse=True, scope="session")
def parsed_once() -> Iterator[None]:
    parse, known = Stylesheet._parse_rules, {}

    def remembered(self: Stylesheet, *given: Any, **named: Any) -> Any:
        key = (given, tuple(sorted(named.items())), tuple(sorted(self._variables.items())))
        if key not in known:
            known[key] = parse(self, *given, **named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", remembered)
        yield
