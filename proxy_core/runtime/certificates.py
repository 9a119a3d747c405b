"""Certificates and keys from files, and what TLS is spoken with: contexts for listeners and towards members.

A context is made once from what the files say at that moment, and never changed: who has a connection keeps the context
that it began with. Whether the files have changed since is told by their ``stamp``. Whatever is wrong with a file is
said in words (BadTls). Nothing here does network I/O. Names are chosen as RFC 6066 §3 and RFC 6125 §6.4.3 want it: a
wildcard stands for one leftmost label.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.config.model import Certificate, ListenerTls, UpstreamTls
from proxy_core.errors import Address, Problem, Severity

if TYPE_CHECKING:
    from cryptography import x509

SOON: Final = timedelta(days=14)
"""A certificate that ends within this time is a warning."""

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Path, mtime and ctime in ns, inode and size of each file; -1 for one that is not there."""


class BadTls(Exception):
    """A file that cannot be used. ``field`` is the address of the option that names it, below the table."""

    def __init__(self, field: Address, why: str) -> None:
        super().__init__(why)
        self.field = field

    def problem(self, table: Address, severity: Severity = "error") -> Problem:
        """It as a problem of the table at this address."""
        address = (*table, *self.field)
        return Problem(what=str(self), todo="mend the file, or name another", severity=severity, address=address)


class Secure(Struct, frozen=True, eq=False):
    """What a listener speaks TLS with. ``ends`` are the certificates' last moments, by the id of their row."""

    settings: ListenerTls
    context: ssl.SSLContext
    stamp: Stamp
    ends: tuple[tuple[str, datetime], ...]

    def warnings(self, listener: str, now: datetime) -> list[Problem]:
        """Certificates that have ended or will soon."""
        found = []
        for row, end in self.ends:
            if end - now < SOON:
                when = f"{end:%d %B %Y, %H:%M} UTC"
                what = f"certificate {row} of listener {listener} {'ended on' if end < now else 'ends on'} {when}"
                address = ("listeners", listener, "tls", "certificates", row, "cert")
                todo = "renew it: the new file is taken as soon as it is there"
                found.append(Problem(what=what, todo=todo, severity="warning", address=address))
        return found


class ServerContext(ssl.SSLContext):
    """A context of a listener, with what mod_ssl's variables say of its certificate (SSL_SERVER_…)."""

    own: Mapping[str, str] = MappingProxyType({})


def stamp(names: Iterable[str], folder: Path) -> Stamp:
    found = []
    for file in [folder / name for name in names if name]:
        try:
            status = file.stat()
            found.append((str(file), status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size))
        except (OSError, ValueError):
            found.append((str(file), -1, -1, -1, -1))
    return tuple(found)


def stamp_of(settings: ListenerTls, folder: Path) -> Stamp:
    named = [name for row in settings.certificates for name in (row.cert, row.key, row.chain)] + [settings.client_ca]
    return stamp(named, folder)


def server_side(settings: ListenerTls, folder: Path) -> Secure:
    """Read the files of a listener. Raises BadTls."""
    taken = stamp_of(settings, folder)
    contexts: dict[str, ssl.SSLContext] = {}
    first: ssl.SSLContext | None = None
    ends = []
    for row in settings.certificates:
        context = _server_context(settings, row, folder)
        names, end = _names_and_end(row, folder)
        context.own = _own_variables(row, folder)
        ends.append((row.id, end))
        first = first or context
        for name in row.names or names:
            contexts.setdefault(name.lower().rstrip("."), context)
    if first is None:
        raise BadTls(("certificates",), "there is no certificate")
    chosen_by_name(first, contexts)
    return Secure(settings, first, taken, tuple(ends))


def chosen_by_name(first: ssl.SSLContext, contexts: dict[str, ssl.SSLContext]) -> None:
    """Let ``first`` hand connections to the context of the name that the client asks for. It is left on the
    connection's object as ``asked_name``, for the variable SSL_TLS_SNI."""

    def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        connection.asked_name = name or ""
        if name:
            folded = name.lower().rstrip(".")
            context = contexts.get(folded) or contexts.get("*." + folded.partition(".")[2])
            if context is not None and context is not first:
                connection.context = context

    first.sni_callback = choose


def _server_context(settings: ListenerTls, row: Certificate, folder: Path) -> ServerContext:
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load_chain(context, row.cert, row.key, folder, ("certificates", row.id))
    if row.chain:
        _load_intermediates(context, row, folder)
    context.verify_mode = _VERIFY[settings.client_verify]
    if settings.client_ca:
        _load_authorities(context, settings.client_ca, folder, ("client_ca",))
    return context


def client_side(settings: UpstreamTls, folder: Path) -> ssl.SSLContext:
    """What members are spoken to with. Raises BadTls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = VERSIONS[settings.min_version]
    context.set_alpn_protocols(["http/1.1"])
    context.check_hostname = settings.verify and settings.check_name is not False
    if not settings.verify:
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca:
        _load_authorities(context, settings.ca, folder, ("ca",))
    else:
        context.load_default_certs()
    if settings.cert:
        _load_chain(context, settings.cert, settings.key, folder, ())
    return context


class ClientContexts:
    """Contexts towards members, made when first needed and anew when their files change. The name that is asked for
    makes no difference to one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[UpstreamTls, tuple[Stamp, ssl.SSLContext]] = {}

    def of(self, settings: UpstreamTls) -> ssl.SSLContext:
        """Raises BadTls."""
        settings = replace(settings, server_name="")
        now = stamp((settings.ca, settings.cert, settings.key), self.folder)
        made = self._known.get(settings)
        if made is None or made[0] != now:
            made = self._known[settings] = now, client_side(settings, self.folder)
        return made[1]


def _load_chain(context: ssl.SSLContext, cert: str, key: str, folder: Path, where: Address) -> None:
    _readable(cert, folder, (*where, "cert"))
    if key:
        _readable(key, folder, (*where, "key"))
    try:
        context.load_cert_chain(folder / cert, folder / key if key else None, password=_no_pass_phrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadTls((*where, "key"), f"{key or cert} is not the key of the certificate in {cert}") from error
        raise BadTls(
            (*where, "cert"), f"{cert} and {key or 'its key'} are not a certificate and a key in PEM"
        ) from error
    except ValueError as error:
        raise BadTls(
            (*where, "key"), f"{key or cert} is locked with a pass phrase, which nobody here can type"
        ) from error


_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _load_intermediates(context: ssl.SSLContext, row: Certificate, folder: Path) -> None:
    """Put those of ``chain`` behind the certificate. What stands behind it in its own file is what counts, as in httpd
    (``SSL_CTX_set0_chain`` before the extra ones). A library that takes files alone gets them in one."""
    where = ("certificates", row.id, "chain")
    _readable(row.chain, folder, where)
    own, more = (_CERTIFICATE.findall((folder / name).read_bytes()) for name in (row.cert, row.chain))
    if not more:
        raise BadTls(where, f"{row.chain} holds no certificate in PEM")
    if len(own) > 1:
        return
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile() as whole:
        whole.write(b"\n".join((*own, *more)))
        whole.flush()
        try:
            context.load_cert_chain(whole.name, folder / (row.key or row.cert))
        except ssl.SSLError as error:
            raise BadTls(where, f"{row.chain} cannot stand behind {row.cert}: {error.reason}") from error


def _no_pass_phrase() -> str:
    raise ValueError("a pass phrase is needed")


def _load_authorities(context: ssl.SSLContext, file: str, folder: Path, where: Address) -> None:
    _readable(file, folder, where)
    try:
        context.load_verify_locations(folder / file)
    except ssl.SSLError as error:
        raise BadTls(where, f"{file} holds no certificate in PEM") from error


def _readable(file: str, folder: Path, where: Address) -> None:
    try:
        os.close(regular_files.descriptor(folder / file))
    except OSError as error:
        raise BadTls(where, f"{file} cannot be read: {error.strerror}") from error


def names_in(row: Certificate, folder: Path) -> tuple[str, ...]:
    """The host names that a certificate is for, by its row or by itself. Raises BadTls."""
    return row.names or _names_and_end(row, folder)[0]


def _names_and_end(row: Certificate, folder: Path) -> tuple[tuple[str, ...], datetime]:
    """The host names of a certificate and its last moment."""
    from cryptography import x509  # only sites that speak TLS pay for it

    found = _read(row, folder)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(names.get_values_for_type(x509.DNSName)), found.not_valid_after_utc
    except x509.ExtensionNotFound:
        return (), found.not_valid_after_utc
    except ValueError as error:
        raise _unread(row, error) from error


def _own_variables(row: Certificate, folder: Path) -> Mapping[str, str]:
    from proxy_core.runtime import certificate_variables

    try:
        return certificate_variables.of(_read(row, folder), "SSL_SERVER")
    except ValueError as error:
        raise _unread(row, error) from error


def _read(row: Certificate, folder: Path) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate((folder / row.cert).read_bytes())
    except (OSError, ValueError) as error:
        raise _unread(row, error) from error


def _unread(row: Certificate, error: Exception) -> BadTls:
    return BadTls(("certificates", row.id, "cert"), f"{row.cert} cannot be read: {error}")
