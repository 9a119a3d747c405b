"""Answers questions about requests for a proxy that serves: about one that came, and about one that might come.

What is asked of the outside is the same that serving asks, uncounted. What makes the answers is loaded with the first
question, for most services are never asked one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy_core.control.editing.commands import Command
from proxy_core.control.editing.editor import Editor
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.process_limits import giving_way
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer

if TYPE_CHECKING:
    from proxy_core.control.explaining.past_rules import PastRules


class Explainer:
    """``recorder`` has what came, ``editor`` the generations, ``registry`` the states of members."""

    def __init__(
        self,
        current: Current,
        editor: Editor,
        recorder: Recorder,
        maps: MapStore,
        server: ProxyServer,
        registry: Registry,
    ) -> None:
        self._current, self._editor, self._recorder = current, editor, recorder
        self._maps, self._server, self._registry = maps, server, registry
        self._folder = editor.file.parent
        self._past: PastRules | None = None
        self._foreseeing = asyncio.Lock()
        """One change is tried out at a time."""

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
            self._past = self._past or PastRules(self._editor.history.find)
            return await explain(await self._past.of(question.generation), outside, question)
        outside.services = self._server.services if question.ask else None
        return await explain(self._current.rules, outside, question, self._server.admission)

    async def what_if(self, command: Command) -> Foreseen:
        """What a command would change for the requests that are kept. Raises ValueError."""
        from proxy_core.control.explaining.trying_out import try_out

        plan = await self._editor.outcome(command)
        async with self._foreseeing:
            with giving_way():
                return await try_out(plan, self._current.rules, self._maps, self._recorder, self._registry)

    async def tests(self) -> tuple[TestOutcome, ...]:
        """What comes of each row of [[tests]] now."""
        from proxy_core.control.explaining.rule_tests import tested

        return await tested(self._current.rules, Outside(self._maps.uncounted(), self._folder))
