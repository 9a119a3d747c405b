"""What TLS says of a connection and of its client, as the variables of mod_ssl and as header fields for members.

Worked out once for each connection; what is about our own certificate, once for each certificate
(``runtime.certificates``). Absent variables are not there. Values have one character for each byte, as all that rules
know.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from proxy_core.config.model import ListenerTls
from proxy_core.runtime.certificates import ServerContext

_OF_ALL: Final = {
    "HTTPS": "on",
    "SSL_CIPHER_EXPORT": "false",
    "SSL_COMPRESS_METHOD": "NULL",
    "SSL_SECURE_RENEG": "true",
    "SSL_VERSION_INTERFACE": "rproxy",
    "SSL_VERSION_LIBRARY": "/".join(ssl.OPENSSL_VERSION.split()[:2]),
    "SSL_CLIENT_VERIFY": "NONE",
}
"""What is so of every connection: TLS 1.2 without export ciphers, compression and renegotiation, or newer."""


def facts(connection: Any) -> dict[str, str]:
    """The variables of a connection, from its SSLObject."""
    name, _, bits = connection.cipher() or ("", "", 0)
    context = connection.context
    session = connection.session
    found = {
        **_OF_ALL,
        **(context.own if isinstance(context, ServerContext) else {}),
        "SSL_PROTOCOL": str(connection.version() or ""),
        "SSL_CIPHER": str(name),
        "SSL_CIPHER_USEKEYSIZE": str(bits),
        "SSL_CIPHER_ALGKEYSIZE": str(bits),
        "SSL_TLS_SNI": str(getattr(connection, "asked_name", "")),
        "SSL_SESSION_ID": session.id.hex() if session is not None else "",
        "SSL_SESSION_RESUMED": "Resumed" if connection.session_reused else "Initial",
    }
    der = connection.getpeercert(True) if context.verify_mode != ssl.CERT_NONE else None
    return found | _of_client(der) if der else found


def _of_client(der: bytes) -> dict[str, str]:
    """The variables of a client whose certificate was found good."""
    from cryptography import x509  # only sites that ask for certificates pay for it

    from proxy_core.runtime import certificate_variables

    certificate = x509.load_der_x509_certificate(der)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return {
        **certificate_variables.of(certificate, "SSL_CLIENT"),
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_V_REMAIN": str(max(0, left.days)),
        "SSL_CLIENT_FINGERPRINT": hashlib.sha256(der).hexdigest(),
    }


def client_lines(settings: ListenerTls, known: Mapping[str, str]) -> tuple[bytes, ...]:
    """The field lines that members get, of the variables that are known."""
    return tuple(
        f"{name}: {known[variable]}".encode("latin-1")
        for name, variable in settings.client_headers.items()
        if known.get(variable)
    )
