"""An engine at the far end of a wire: the proof that a screen needs nothing but plain data."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import msgspec

from proxy_core.control.editing.commands import Command
from proxy_core.control.view import EngineView


class Serialised:
    """Any EngineView, seen through a wire: every answer and every command is encoded and decoded on its way."""

    def __init__(self, engine: EngineView) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._engine, name)
        kind = get_type_hints(getattr(EngineView, name))["return"]

        def call(*arguments: Any, **named: Any) -> Any:
            return over_the_wire(ask(*map(_argument, arguments), **named), kind)

        async def awaited(*arguments: Any, **named: Any) -> Any:
            return over_the_wire(await ask(*map(_argument, arguments), **named), kind)

        return awaited if inspect.iscoroutinefunction(getattr(EngineView, name)) else call


def over_the_wire(value: Any, kind: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)


def _argument(argument: Any) -> Any:
    return over_the_wire(argument, Command) if isinstance(argument, Command) else argument
