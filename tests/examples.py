"""How many examples a property asks: all of them in a search, a third, the same each time, in the suite.

``pytest --hypothesis-profile search`` searches. A commit that was green stays green, within minutes.
"""

from __future__ import annotations

from hypothesis import settings


def examples(most: int) -> settings:
    suite = settings.get_current_profile_name() == "suite"
    return settings(max_examples=most // 3 if suite else most, deadline=None)
