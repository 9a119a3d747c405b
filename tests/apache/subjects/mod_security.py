"""Rules of ModSecurity that set variables come in."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("SecRule REQUEST_HEADERS:User-Agent \"@pm curl wget\" \"id:1,phase:1,pass,setenv:BOT=1\"", "env",
     [{"name": "BOT", "from": "%{HTTP:User-Agent}", "capture": "(?i)(curl|wget)", "value": "1"}]),
]  # fmt: skip
