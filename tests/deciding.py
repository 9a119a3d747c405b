"""Asking a compiled site where a request goes: the host that it is for decides."""

from __future__ import annotations

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Decision, Trace
from proxy_core.rules.facts import Facts
from proxy_core.rules.program import Program


def decide(program: Program, view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
    return program.host_of(view, trace).decide(view, facts, trace)
