"""What must hold of a running server, and of its member, whenever nobody asks it for anything."""

from __future__ import annotations

from typing import Any

from tests.e2e.harness import Running, Upstream


def left(proxy: Running, member: Upstream) -> dict[str, Any]:
    """What is not at rest, by what it is. Connections to the member are open where they are idle, and nowhere else."""
    state = proxy.server._state
    stacks = state.upstreams.idle
    idle = sum(not each.closed for key, stack in stacks.items() if key.port == member.port for each in stack)
    things = {
        "requests": proxy.recorder.live,
        "busy": [state.key for state in proxy.registry.members.values() if state.busy],
        "clients": proxy.server._clients,
        "connections": [state.connections for state in proxy.server.listeners if state.connections],
        "in line": state.lines,
        "counted connections": state.admission._connections,
        "connections that are not idle": member.open - idle,
    }
    return {name: thing for name, thing in things.items() if thing}
