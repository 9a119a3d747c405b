"""What TLS says of a client, as the variables of mod_ssl and as header fields for members.

Worked out once for each connection. Text from a certificate is somebody's text: whatever a field line may not hold is
replaced, so a name in a certificate can never end a line. Distinguished names are written as RFC 4514 writes them,
the last part first, as ``%{SSL_CLIENT_S_DN}`` of httpd is.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final

from proxy_core.config.model import ListenerTls

VARIABLES: Final = (
    "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL",
    "SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_SAN_DNS_0", "SSL_CLIENT_FINGERPRINT", "SSL_PROTOCOL",
    "SSL_CIPHER", "SSL_TLS_SNI",
)  # fmt: skip
_SHORT: Final = {
    "commonName": "CN", "countryName": "C", "localityName": "L", "stateOrProvinceName": "ST",
    "organizationName": "O", "organizationalUnitName": "OU", "domainComponent": "DC", "emailAddress": "emailAddress",
    "userId": "UID", "serialNumber": "serialNumber", "givenName": "GN", "surname": "SN",
}  # fmt: skip
_SPECIAL = re.compile(r'([,+"\\<>;]|^[ #]| $)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def facts(connection: Any) -> dict[str, str]:
    """The variables of a connection, from its SSLObject. Absent ones are not there."""
    cipher = connection.cipher() or ("", "", 0)
    found = {
        "HTTPS": "on",
        "SSL_PROTOCOL": str(connection.version() or ""),
        "SSL_CIPHER": str(cipher[0]),
        "SSL_CIPHER_USEKEYSIZE": str(cipher[2]),
        "SSL_TLS_SNI": str(getattr(connection, "asked_name", "")),
        "SSL_SESSION_RESUMED": "Resumed" if connection.session_reused else "Initial",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    shown = connection.getpeercert() if connection.context.verify_mode != ssl.CERT_NONE else None
    if shown:
        der = connection.getpeercert(True)
        subject = shown.get("subject", ())
        found |= {
            "SSL_CLIENT_VERIFY": "SUCCESS",
            "SSL_CLIENT_S_DN": distinguished(subject),
            "SSL_CLIENT_I_DN": distinguished(shown.get("issuer", ())),
            "SSL_CLIENT_M_SERIAL": str(shown.get("serialNumber", "")),
            "SSL_CLIENT_V_START": str(shown.get("notBefore", "")),
            "SSL_CLIENT_V_END": str(shown.get("notAfter", "")),
            "SSL_CLIENT_FINGERPRINT": hashlib.sha256(der or b"").hexdigest(),
        }
        names = [value for part in subject for name, value in part if name == "commonName"]
        found |= {"SSL_CLIENT_S_DN_CN": names[0]} if names else {}
        hosts = [value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"]
        found |= {f"SSL_CLIENT_SAN_DNS_{number}": host for number, host in enumerate(hosts)}
    return {name: _CONTROL.sub("?", value) for name, value in found.items()}


def distinguished(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """``CN=client,O=Example``: RFC 4514 §2.1, from what ``getpeercert`` gives."""
    parts = ["+".join(f"{_SHORT.get(kind, kind)}={_SPECIAL.sub(_escaped, value)}" for kind, value in p) for p in name]
    return ",".join(reversed(parts))


def _escaped(special: re.Match[str]) -> str:
    return "\\" + special[0]


def client_lines(settings: ListenerTls, known: Mapping[str, str]) -> tuple[bytes, ...]:
    """The field lines that members get, of the variables that are known."""
    return tuple(
        f"{name}: {known[variable]}".encode()
        for name, variable in settings.client_headers.items()
        if known.get(variable)
    )
