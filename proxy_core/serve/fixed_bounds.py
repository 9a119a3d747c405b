"""Bounds that no site has to change: every wait has an end and every buffer a size.

All in one place and frozen. Sizes are bytes, times are seconds. What sites differ in is ``[limits]`` of the site file
(``config.model.limits``).
"""

from __future__ import annotations

from typing import Final

HALF_CLOSED_SECONDS: Final = 0.5
"""Silence that is borne after the client closed its side: it may want its answer, or it may be gone for good."""
LINGER_SECONDS: Final = 2.0
"""How long input is read and thrown away after the last answer, so that a reset does not take that answer along."""
SEND_SECONDS: Final = 60.0
"""How long a client may take none of what is left of its last answer. httpd's Timeout."""

CHUNK_OVERHEAD: Final = 16 * 1024
"""Chunk sizes, extensions and trailers beyond what CHUNK_RATIO allows for."""
CHUNK_RATIO: Final = 16
"""Wire bytes for each byte of payload that a chunked body may take."""
SLICE: Final = 8 * 1024
"""Chunked bodies are parsed in slices of this size, so that the bounds above are exact."""
HELD: Final = 64 * 1024
"""Pipelined bytes kept while a request is in flight; beyond it reading stops."""
TURN: Final = 64
"""Requests of one connection that are answered at once before others have their turn."""
WRITE_BUFFER: Final = 256 * 1024
"""Bytes that wait to be written to a slow peer before the other side is told to stop."""
DISCARD: Final = 64 * 1024
"""Upstream body thrown away behind one of our own pages; a longer one costs its connection."""

FACTS: Final = 64
"""Answers of maps and files that the rules of one request may ask for."""

RETRIES: Final = 2
"""How often one request may be sent again because its connection closed before any byte of an answer."""
RETRY_RATIO: Final = 0.2
"""Part of a retry that each request earns for all of them, up to RETRY_CREDIT."""
RETRY_CREDIT: Final = 20.0

SWEEP_SECONDS: Final = 0.2
"""How often deadlines are looked at."""
