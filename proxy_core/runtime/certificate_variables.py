"""The variables of mod_ssl that are about a certificate: SSL_CLIENT_… and SSL_SERVER_… (modules/ssl/ssl_engine_vars.c).

Text from a certificate is somebody's text: whatever a field line may not hold is replaced, so a name in a certificate
can never end a line; values have one character for each byte. Distinguished names are written as RFC 4514 writes them,
the last part first, as ``%{SSL_CLIENT_S_DN}`` of httpd is. Pure, and imported where a certificate is at hand: the
library is a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_SHORT: Final = {
    "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
    "2.5.4.12": "title", "2.5.4.43": "initials", "2.5.4.42": "GN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber",
    "2.5.4.13": "description", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "emailAddress",
}  # fmt: skip
"""Short names of OpenSSL, by object identifier."""
_PARTS: Final = {
    "C": ("C",), "ST": ("ST", "SP"), "L": ("L",), "O": ("O",), "OU": ("OU",), "CN": ("CN",), "title": ("T",),
    "initials": ("I",), "GN": ("G",), "SN": ("S",), "description": ("D",), "UID": ("UID",), "emailAddress": ("EMAIL",),
}  # fmt: skip
"""What mod_ssl calls the parts of a name, by their short names."""
_SIGNED: Final = {
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption", "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption", "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss", "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256", "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512", "1.3.101.112": "ED25519", "1.3.101.113": "ED448",
}  # fmt: skip
_KEYS: Final = {
    "1.2.840.113549.1.1.1": "rsaEncryption", "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.10045.2.1": "id-ecPublicKey", "1.2.840.10040.4.1": "dsaEncryption", "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}  # fmt: skip
"""Long names of OpenSSL, by object identifier."""
_SPECIAL = re.compile(r'([,+"\\<>;]|^[ #]| $)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def of(certificate: x509.Certificate, who: str) -> dict[str, str]:
    """The variables of ``who``: SSL_CLIENT or SSL_SERVER; absent ones are not there. SSL_…_CERT has blanks for its line
    ends, as header fields have."""
    found = {
        "M_VERSION": str(certificate.version.value + 1),
        "M_SERIAL": _hexadecimal(certificate.serial_number),
        "V_START": _moment(certificate.not_valid_before_utc),
        "V_END": _moment(certificate.not_valid_after_utc),
        "A_SIG": _SIGNED.get(oid := certificate.signature_algorithm_oid.dotted_string, oid),
        "A_KEY": _KEYS.get(oid := certificate.public_key_algorithm_oid.dotted_string, oid),
        "CERT": certificate.public_bytes(Encoding.PEM).decode().replace("\n", " "),
        **dict(_names("S_DN", certificate.subject)),
        **dict(_names("I_DN", certificate.issuer)),
        **dict(_alternatives(certificate)),
    }
    return {f"{who}_{name}": _CONTROL.sub("?", value).encode().decode("latin-1") for name, value in found.items()}


def _moment(at: datetime) -> str:
    """``ASN1_TIME_print``."""
    return f"{_MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S} {at.year} GMT"


def _hexadecimal(number: int) -> str:
    digits = f"{number:X}"
    return "0" * (len(digits) % 2) + digits


def _names(which: str, name: x509.Name) -> Iterator[tuple[str, str]]:
    """The whole name, and each of its parts: the first of a kind as NAME and NAME_0, the second as NAME_1."""
    yield which, distinguished(name)
    counts: dict[str, int] = {}
    for each in name:
        for kind in _PARTS.get(_SHORT.get(each.oid.dotted_string, ""), ()):
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            if not number:
                yield f"{which}_{kind}", str(each.value)
            yield f"{which}_{kind}_{number}", str(each.value)


def distinguished(name: x509.Name) -> str:
    """``CN=client,O=Example``: RFC 4514 §2.1."""
    parts = [
        "+".join(
            f"{_SHORT.get(oid := each.oid.dotted_string, oid)}={_SPECIAL.sub(_escaped, str(each.value))}"
            for each in part
        )
        for part in name.rdns
    ]
    return ",".join(reversed(parts))


def _escaped(special: re.Match[str]) -> str:
    return "\\" + special[0]


def _alternatives(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for kind, cls in (("DNS", x509.DNSName), ("EMAIL", x509.RFC822Name)):
        for number, value in enumerate(names.get_values_for_type(cls)):
            yield f"SAN_{kind}_{number}", value
