"""The part of the model that says how connections are kept private: certificates of listeners, trust in members.

Apache's mod_ssl (SSLCertificateFile, SSLVerifyClient, SSLProxy*), with two differences in its defaults: members are
verified, and TLS is at least 1.2. As in ``model``, every field carries its manual; files are relative to the site file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.types import RowId

_File = Annotated[str, Meta(min_length=1, extra={"example": "tls/site.pem"})]
_MaybeFile = Annotated[str, Meta(extra={"example": "tls/ca.pem"})]
TlsVersion = Literal["1.2", "1.3"]


class Certificate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[listeners.NAME.tls.certificates]]: a certificate and its key. The first row serves clients that name nobody,
    or somebody whom no row is for."""

    id: RowId = ""
    cert: Annotated[
        _File,
        Meta(
            description="PEM file of the certificate, with the intermediate ones behind it. Looked at every few "
            "seconds; a changed one serves new connections, a broken one is a problem that is shown and changes "
            "nothing. Apache: SSLCertificateFile.",
        ),
    ]
    key: Annotated[
        _MaybeFile,
        Meta(
            description="PEM file of its key, without a pass phrase; none when it stands in the same file. "
            "Apache: SSLCertificateKeyFile.",
        ),
    ] = ""
    names: Annotated[
        tuple[str, ...],
        Meta(
            extra={"example": ["shop.example", "*.shop.example"]},
            description="Names that it is for (SNI), instead of those in the certificate itself.",
        ),
    ] = ()


class ListenerTls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[listeners.NAME.tls]: this listener speaks TLS. Apache: SSLEngine on."""

    certificates: Annotated[tuple[Certificate, ...], Meta(description="Its certificates, chosen by name.")] = ()
    min_version: Annotated[
        TlsVersion, Meta(description="The oldest version of TLS that clients may speak. Apache: SSLProtocol.")
    ] = "1.2"
    client_ca: Annotated[
        _MaybeFile,
        Meta(
            description="PEM file of the authorities whose client certificates are accepted. "
            "Apache: SSLCACertificateFile.",
        ),
    ] = ""
    client_verify: Annotated[
        Literal["off", "optional", "require"],
        Meta(description="Whether clients are asked for a certificate, and must have one. Apache: SSLVerifyClient."),
    ] = "off"
    client_headers: Annotated[
        dict[str, str],
        Meta(
            extra={"example": {"X-SSL-Client-S-DN": "SSL_CLIENT_S_DN"}},
            description="Header fields for members, by the variable whose value they get: SSL_CLIENT_VERIFY, "
            "SSL_CLIENT_S_DN, SSL_CLIENT_S_DN_CN, SSL_CLIENT_I_DN, SSL_CLIENT_M_SERIAL, SSL_CLIENT_V_START, "
            "SSL_CLIENT_V_END, SSL_CLIENT_SAN_DNS_0, SSL_CLIENT_FINGERPRINT, SSL_PROTOCOL, SSL_CIPHER, SSL_TLS_SNI. "
            "Fields of these names from clients are removed, on every listener.",
        ),
    ] = {}
    hsts: Annotated[
        int,
        Meta(
            ge=0,
            le=315_360_000,
            description="Seconds for which browsers are told to come back over TLS alone "
            "(Strict-Transport-Security, RFC 6797); 0 says nothing.",
        ),
    ] = 0


class UpstreamTls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[upstream_tls]: how https and wss members are spoken to; a member's own ``tls`` table takes its place.
    Apache: SSLProxyEngine and the like."""

    verify: Annotated[
        bool,
        Meta(
            description="Whether a member must show a certificate for its name, of an authority that is trusted. "
            "Apache: SSLProxyVerify, SSLProxyCheckPeerName.",
        ),
    ] = True
    ca: Annotated[
        _MaybeFile,
        Meta(
            description="PEM file of the authorities that are trusted, instead of the system's. "
            "Apache: SSLProxyCACertificateFile.",
        ),
    ] = ""
    server_name: Annotated[
        str,
        Meta(
            extra={"example": "app.internal"},
            description="Name to ask for (SNI) and to find in the certificate, instead of the host of the URL.",
        ),
    ] = ""
    cert: Annotated[
        _MaybeFile,
        Meta(
            description="PEM file of the certificate that this proxy shows to members. "
            "Apache: SSLProxyMachineCertificateFile.",
        ),
    ] = ""
    key: Annotated[_MaybeFile, Meta(description="PEM file of its key; none when it stands in the same file.")] = ""
    min_version: Annotated[TlsVersion, Meta(description="The oldest version of TLS that is spoken to members.")] = "1.2"


MemberTls = Annotated[
    UpstreamTls | None, Meta(description="How an https or wss member is spoken to, instead of [upstream_tls].")
]
