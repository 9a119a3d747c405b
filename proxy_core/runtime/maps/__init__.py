"""Rewrite maps: tables, functions, programs and databases that rules look keys up in, one file a kind.

``MapStore`` (``store``) is all that the other modules use. A map answers one character for each byte (latin-1), as
paths are held; None is a miss, which makes the rule take its default. The meaning is that of ``lookup_map`` in httpd's
modules/mappers/mod_rewrite.c; docs/semantics.md says where ours differs.
"""

from __future__ import annotations
