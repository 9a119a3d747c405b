"""Routes, compiled: an index that finds the first row in file order whose path matches."""

from __future__ import annotations

from typing import Protocol

from proxy_core.http.view import RequestView
from proxy_core.rules.decision import Decision, Trace


class Routes(Protocol):
    """A placeholder for the compiled route table."""

    def decide(self, view: RequestView, trace: Trace | None = None) -> Decision: ...
