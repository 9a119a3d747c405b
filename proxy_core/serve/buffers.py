"""Sizes of buffers that no site has to change, in bytes: memory stays the same however large a body is."""

from __future__ import annotations

from typing import Final

WRITE_BUFFER: Final = 256 * 1024
"""Bytes that wait to be written to a slow peer before the other side is told to stop."""
HELD: Final = 64 * 1024
"""Pipelined bytes kept while a request is in flight; beyond it reading stops."""
DISCARD: Final = 64 * 1024
"""Upstream body thrown away behind one of our own pages; a longer one costs its connection."""
