"""The text below a field of the model is what the manual and the forms say of it."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

import pytest
from msgspec import Struct

from proxy_core.config import descriptions
from proxy_core.config.descriptions import NO_SOURCE, description
from proxy_core.config.model import Host, Location, Options, Route
from proxy_core.config.reading.document import parse


class Known(Struct):
    """A table."""

    one: int = 0
    """What stands below,
    over two lines."""
    two: int = 0
    three: int = 0
    # no text, but a comment


@pytest.mark.parametrize(
    ("struct", "attribute", "text"),
    [
        (Known, "one", "What stands below, over two lines."),
        (Known, "two", ""),
        (Known, "three", ""),
        (Route, "enabled", "false leaves the row in the file but takes it out of service."),
        (Options, "trace", "Pass the method TRACE on to upstreams instead of answering 405. Apache: TraceEnable."),
    ],
    ids=["its own", "none", "a comment is none", "of the row that it is", "in another module"],
)
def test_a_field_is_described_by_what_stands_below_it(struct: type[Struct], attribute: str, text: str) -> None:
    assert description(struct, attribute) == text


def test_a_kind_that_several_tables_share_is_described_once() -> None:
    assert description(Host, "require") == description(Location, "require") == description(Options, "require")
    assert description(Host, "require").startswith("Who may ask, one condition each")


def test_without_sources_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nowhere", ModuleType("nowhere"))
    monkeypatch.setattr(Known, "__module__", "nowhere")
    assert description(Known, "one") == NO_SOURCE


def test_reading_a_site_reads_no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> str:
        raise AssertionError("the source was read")

    descriptions._texts.cache_clear()
    monkeypatch.setattr(inspect, "getsource", read)
    assert parse("").site is not None
    assert parse("[site]\ntimeout = 'x'\nnone = 1\n[[routes]]\n").problems
