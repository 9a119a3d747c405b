"""Answers questions about requests for a proxy that serves: about one that came, and about one that might come.

What is asked of the outside is the same that serving asks, uncounted. What makes the answers is loaded with the first
question, for most services are never asked one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proxy_core.control.editing.history import History
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer

if TYPE_CHECKING:
    from proxy_core.control.explaining.past_rules import PastRules


class Explainer:
    """``recorder`` has what came, ``history`` the generations, ``folder`` is that of the site file."""

    def __init__(
        self, current: Current, history: History, recorder: Recorder, maps: MapStore, server: ProxyServer, folder: Path
    ) -> None:
        self._current, self._history, self._recorder = current, history, recorder
        self._maps, self._server, self._folder = maps, server, folder
        self._past: PastRules | None = None

    async def inspect(self, number: int) -> Inspection | None:
        """All that is known of a request; None when it is no longer kept."""
        from proxy_core.control.explaining.explain import inspection

        exchange = self._recorder.look_at(number)
        return inspection(exchange) if exchange else None

    async def explain(self, question: Question) -> Explanation:
        """What would become of a request. Under a generation that is past nobody is kept out or asked first: that is
        not known any more. Raises ValueError."""
        from proxy_core.control.explaining.explain import explain
        from proxy_core.control.explaining.past_rules import PastRules

        outside = Outside(self._maps.uncounted(), self._folder)
        if question.generation not in (0, self._current.rules.generation):
            self._past = self._past or PastRules(self._history.find)
            return await explain(await self._past.of(question.generation), outside, question)
        outside.services = self._server.services if question.ask else None
        return await explain(self._current.rules, outside, question, self._server.admission)

    async def tests(self) -> tuple[TestOutcome, ...]:
        """What comes of each row of [[tests]] now."""
        from proxy_core.control.explaining.rule_tests import tested

        return await tested(self._current.rules, Outside(self._maps.uncounted(), self._folder))
