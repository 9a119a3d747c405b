"""The page of what an import takes says what the importer does."""

from __future__ import annotations

from pathlib import Path

from proxy_core.apache.import_manual import page

PAGE = Path(__file__).parent.parent.parent / "docs" / "import.md"


def test_the_page_in_docs_is_what_the_importer_does() -> None:
    assert PAGE.read_text() == page(), "run: python -m proxy_core.apache.import_manual > docs/import.md"
