"""The fields of a request that is told from a recording, where some are masked and others were not recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxy_core.rules.facts import Lost, Unknown


class KnownFields(Mapping[str, str]):
    """The fields of a request of which some are lost: who reads one of these gets Unknown."""

    def __init__(self, found: Mapping[str, str], lost: Lost) -> None:
        self._found, self._lost = found, lost

    def __getitem__(self, name: str) -> str:
        if self._lost(name):
            raise Unknown(("field", name, ""))
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
