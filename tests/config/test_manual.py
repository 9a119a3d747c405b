"""The manual and the forms say what the model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.config.manual import configuration
from proxy_core.config.model import Site
from proxy_core.config.schema import fields

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def every_struct(struct=Site):
    yield struct
    for field in fields(struct):
        if field.struct is not None:
            yield from every_struct(field.struct)


def test_the_page_in_docs_is_what_the_model_says() -> None:
    assert PAGE.read_text() == configuration(), "run: python -m proxy_core.config.manual > docs/configuration.md"


@pytest.mark.parametrize("struct", list(every_struct()))
def test_every_key_has_its_manual(struct) -> None:
    for field in fields(struct):
        assert field.describe().endswith("."), f"{struct.__name__}.{field.name}"
        assert not field.pattern or field.wanted, f"{struct.__name__}.{field.name} says no good value in words"
