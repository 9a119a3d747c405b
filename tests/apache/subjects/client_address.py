"""Who is believed to name the client goes out."""

from __future__ import annotations

OUT = [
    ('[site]\nclient_header = "X-Forwarded-For"\ntrusted_proxies = ["10.0.0.0/8"]',
     "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 10.0.0.0/8"),
]  # fmt: skip
