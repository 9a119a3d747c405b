"""How connections are kept private: certificates of listeners, trust in members.

It follows Apache httpd's mod_ssl (SSLCertificateFile, SSLVerifyClient, SSLProxy*), with two differences in its
defaults: members are verified, and TLS is at least 1.2. Files are relative to the site file.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy_core.config.model.site_table import SiteRow, SiteTable
from proxy_core.config.model.types import NonEmpty, example

TlsVersion = Literal["1.2", "1.3"]
File = Annotated[NonEmpty, example("tls/site.pem")]
OptionalFile = Annotated[str, example("tls/ca.pem")]
KeyFile = Annotated[str, example("tls/site.key")]


class Certificate(SiteRow, frozen=True, kw_only=True):
    """[[listeners.NAME.tls.certificates]]: a certificate and its key. The first row serves clients that name nobody,
    or somebody whom no row is for.

    [[listeners.https.tls.certificates]]
    cert = "tls/site.pem"
    key = "tls/site.key"

    [[listeners.https.tls.certificates]]
    names = ["shop.example", "*.shop.example"]
    cert = "tls/shop.pem"
    key = "tls/shop.key"
    """

    cert: File
    """PEM file of the certificate, with the intermediate ones behind it. Looked at every few seconds; a changed one
    serves new connections, a broken one is a problem that is shown and changes nothing. Apache: SSLCertificateFile."""

    key: KeyFile = ""
    """PEM file of its key, without a pass phrase; none when it stands in the same file. Apache:
    SSLCertificateKeyFile."""

    chain: Annotated[str, example("tls/intermediates.pem")] = ""
    """PEM file of the intermediate certificates, where they do not stand behind the certificate itself. Apache:
    SSLCertificateChainFile."""

    names: Annotated[tuple[str, ...], example(["shop.example", "*.shop.example"])] = ()
    """Names that it is for (SNI), instead of those in the certificate itself."""


class ListenerTls(SiteTable, frozen=True, kw_only=True):
    """[listeners.NAME.tls]: this listener speaks TLS. Apache: SSLEngine on.

    [listeners.https]
    address = ":443"

    [listeners.https.tls]
    min_version = "1.2"
    hsts = 31536000
    """

    certificates: tuple[Certificate, ...] = ()
    """Its certificates, chosen by name."""

    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that clients may speak. Apache: SSLProtocol."""

    client_ca: OptionalFile = ""
    """PEM file of the authorities whose client certificates are accepted. Apache: SSLCACertificateFile."""

    client_verify: Literal["off", "optional", "require"] = "off"
    """Whether clients are asked for a certificate, and must have one. Apache: SSLVerifyClient."""

    client_headers: Annotated[dict[str, str], example({"X-SSL-Client-S-DN": "SSL_CLIENT_S_DN"})] = {}
    """Header fields for members, by the variable whose value they get: SSL_CLIENT_VERIFY, SSL_CLIENT_S_DN,
    SSL_CLIENT_S_DN_CN, SSL_CLIENT_I_DN, SSL_CLIENT_M_SERIAL, SSL_CLIENT_V_START, SSL_CLIENT_V_END,
    SSL_CLIENT_SAN_DNS_0, SSL_CLIENT_CERT, SSL_CLIENT_FINGERPRINT, SSL_PROTOCOL, SSL_CIPHER, SSL_TLS_SNI, and what else
    mod_ssl knows. Fields of these names from clients are removed, on every listener."""

    hsts: Annotated[int, Meta(ge=0, le=315_360_000)] = 0
    """Seconds for which browsers are told to come back over TLS alone (Strict-Transport-Security, RFC 6797), in place
    of what members say; 0 says nothing."""


class UpstreamTls(SiteTable, frozen=True, kw_only=True):
    """[upstream_tls]: how https and wss members are spoken to. The most particular table takes the place of the others
    as a whole: that of the member, of its balancer, of the host that a request is for, of the site. A connection that
    was made by one is never used by another. Apache: SSLProxyEngine and the like, in a server, a <VirtualHost> and a
    <Proxy>.

    [upstream_tls]
    ca = "tls/authority.pem"

    [hosts.intranet]
    names = ["intranet.example"]

    [hosts.intranet.upstream_tls]
    verify = false
    check_name = true

    [balancers.shop.tls]
    ca = "tls/authority.pem"
    cert = "tls/proxy.pem"

    [balancers.shop.members.a]
    url = "https://10.0.0.1:8443"

    [balancers.shop.members.a.tls]
    ca = "tls/authority.pem"
    server_name = "app.internal"
    """

    verify: bool = True
    """Whether a member must show a certificate of an authority that is trusted. Apache: SSLProxyVerify."""

    check_name: bool | None = None
    """Whether the certificate must be for the member's name; without it, as verify says. It is no proof where verify is
    off: anybody can make a certificate for any name. Apache: SSLProxyCheckPeerName."""

    check_expiry: bool | None = None
    """Whether the certificate must be of today where verify is off; a verified one always must. Apache:
    SSLProxyCheckPeerExpire."""

    ca: OptionalFile = ""
    """PEM file of the authorities that are trusted, instead of the system's. Apache: SSLProxyCACertificateFile."""

    server_name: Annotated[str, example("app.internal")] = ""
    """Name to ask for (SNI) and to find in the certificate. Without it, it is the name that the member is told in Host:
    the client's with preserve_host, else the host of the URL."""

    cert: Annotated[str, example("tls/proxy.pem")] = ""
    """PEM file of the certificate that this proxy shows to members. Apache: SSLProxyMachineCertificateFile."""

    key: KeyFile = ""
    """PEM file of its key; none when it stands in the same file."""

    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken to members. Apache: SSLProxyProtocol."""
