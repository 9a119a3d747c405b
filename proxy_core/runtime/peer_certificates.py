"""What is wrong with the certificate of a member whose authority nobody asks about: its name, its time.

OpenSSL looks at both where it verifies, and at neither where it does not. httpd looks at them in any case
(``ssl_io_filter_handshake`` in ssl_engine_io.c), so they are looked at here, once for each connection. Names are those
of RFC 6125 §6.4: a wildcard stands for the leftmost label, and the common name counts where no other name is given.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from proxy_core.config.model import UpstreamTls

if TYPE_CHECKING:
    from cryptography import x509


def flaw_of(settings: UpstreamTls, name: str, connection: ssl.SSLObject) -> str:
    """Why the certificate that was shown over this connection is not to be taken, in words; "" where it is."""
    if settings.verify or not (settings.check_name or settings.check_expiry):
        return ""
    shown = connection.getpeercert(binary_form=True)
    return "missing" if shown is None else flaw(settings, name, shown, datetime.now(UTC))


def flaw(settings: UpstreamTls, name: str, shown: bytes, now: datetime) -> str:
    """``shown`` is the certificate in DER."""
    from cryptography import x509  # only sites that look pay for it

    try:
        certificate = x509.load_der_x509_certificate(shown)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        names = _names(certificate)
    except ValueError:
        return "not readable"
    if settings.check_expiry and now < begins:
        return f"of no use before {begins:%d %B %Y, %H:%M} UTC"
    if settings.check_expiry and now > ends:
        return f"of no use since {ends:%d %B %Y, %H:%M} UTC"
    if settings.check_name and not any(_fits(each, name.lower()) for each in names):
        return f"not for {name}, but for {', '.join(names[:3]) or 'nobody'}"
    return ""


def _names(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that it is for, in lower case."""
    from cryptography import x509

    found, named = list[str](), list[str]()
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        named = others.get_values_for_type(x509.DNSName)
        found = [*named, *map(str, others.get_values_for_type(x509.IPAddress))]
    except x509.ExtensionNotFound:
        pass
    if not named:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        found += [each.value if isinstance(each.value, str) else each.value.decode("latin-1") for each in common]
    return [each.lower() for each in found]


def _fits(given: str, name: str) -> bool:
    if given == name:
        return True
    if given.startswith("*."):
        first, _, rest = name.partition(".")
        return bool(first) and rest == given[2:]
    try:
        return ip_address(given) == ip_address(name)
    except ValueError:
        return False
