"""https members: whom the real Apache httpd trusts, by what name it asks and what it shows, and ours on its import.

Members are real, with certificates of a made-up authority. What fails is 500 in Apache (its manual says 502), and 502
here; so what is compared is whether the member was reached, and what it saw.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import trustme

from proxy_core.apache.report import ReportLine
from tests.conformance.echo import DEADLINE, head_of
from tests.conformance.importing import Both, Case, both

pytestmark = pytest.mark.apache

NOW = datetime.now(UTC)
OURS, OTHERS = trustme.CA(), trustme.CA()
SHOWN = {
    "good": OURS.issue_cert("localhost"),
    "wrong": OURS.issue_cert("other.example"),
    "ended": OURS.issue_cert("localhost", not_before=NOW - timedelta(10), not_after=NOW - timedelta(1)),
    "early": OURS.issue_cert("localhost", not_before=NOW + timedelta(1), not_after=NOW + timedelta(10)),
    "unknown": OTHERS.issue_cert("localhost"),
    "client": OURS.issue_cert("shop.test"),
}
FILES = {
    "ca.pem": OURS.cert_pem.bytes().decode(),
    "others.pem": OTHERS.cert_pem.bytes().decode(),
    "own.pem": OURS.issue_cert("proxy.example").private_key_and_cert_chain_pem.bytes().decode(),
}


class _Secure(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext


class _Told(socketserver.BaseRequestHandler):
    """Answers with the name that it was asked for, and whether it was shown a certificate."""

    def handle(self) -> None:
        self.request.settimeout(DEADLINE)
        with suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as peer:  # type: ignore
            peer.do_handshake()
            head_of(peer)
            told = f"{getattr(peer, 'asked', None)} {'known' if peer.getpeercert() else 'unknown'}".encode()
            peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    found = {}
    with ExitStack() as stack:
        for name, shown in SHOWN.items():
            server = stack.enter_context(_Secure(("127.0.0.1", 0), _Told))
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.verify_mode = ssl.CERT_OPTIONAL
            OURS.configure_trust(server.context)
            shown.configure_cert(server.context)
            server.context.sni_callback = lambda peer, name, _: setattr(peer, "asked", name)
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            found[name] = server.server_address[1]
        yield found


CA = "SSLProxyCACertificateFile @folder@/ca.pem\n"
SETTINGS = {
    "default": "",
    "name-off": "SSLProxyCheckPeerName Off",
    "cn-off": "SSLProxyCheckPeerCN Off",
    "name-on-cn-off": "SSLProxyCheckPeerName On\nSSLProxyCheckPeerCN Off",
    "expire-off": "SSLProxyCheckPeerExpire Off",
    "all-off": "SSLProxyCheckPeerName Off\nSSLProxyCheckPeerExpire Off",
    "require": CA + "SSLProxyVerify require",
    "optional": CA + "SSLProxyVerify optional",
    "no-ca": CA + "SSLProxyVerify optional_no_ca",
    "no-ca-expire-off": CA + "SSLProxyVerify optional_no_ca\nSSLProxyCheckPeerExpire Off",
    "require-name-off": CA + "SSLProxyVerify require\nSSLProxyCheckPeerName Off",
    "require-expire-off": CA + "SSLProxyVerify require\nSSLProxyCheckPeerExpire Off",
    "none": CA + "SSLProxyVerify none",
    "shows": "SSLProxyMachineCertificateFile @folder@/own.pem",
    "preserve": "ProxyPreserveHost On",
    "preserve-name-off": "ProxyPreserveHost On\nSSLProxyCheckPeerName Off",
}


def hosts(settings: dict[str, str]) -> str:
    """A virtual host for each, that forwards to every member; the last path goes through a rule, one by a balancer."""
    routes = "".join(f"ProxyPass /{name} https://localhost:@{name}@\n" for name in SHOWN)
    rule = "RewriteEngine On\nRewriteRule ^/rule/(good|x) https://localhost:@good@/ [P]\n"
    return "SSLProxyEngine On\n" + "".join(
        f"<VirtualHost *>\nServerName {name}.test\nServerAlias shop.test\n{said}\n{rule}{routes}</VirtualHost>\n"
        for name, said in settings.items()
    )


def asked(port: int, host: str, path: str) -> str:
    """What the member saw, "" where it was not reached."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := peer.recv(65536):
            received += data
    head, _, body = received.decode().partition("\r\n\r\n")
    return body if head.startswith("HTTP/1.1 200") else ""


def seen(servers: Both, host: str, *paths: str) -> tuple[dict[str, str], dict[str, str]]:
    theirs, ours = ({path: asked(ports["http"], host, path) for path in paths} for ports in servers)
    return theirs, ours


@contextmanager
def served(conf: str, ports: dict[str, int], losses: list[ReportLine] | None = None) -> Iterator[Both]:
    with both(Case(conf, (), FILES, {}), ports, losses) as servers:
        yield servers


@pytest.fixture(scope="module")
def servers(ports: dict[str, int]) -> Iterator[Both]:
    losses: list[ReportLine] = []
    with served(hosts(SETTINGS), ports, losses) as found:
        assert losses == []
        yield found


@pytest.mark.parametrize("name", SETTINGS)
def test_members_are_trusted_as_apache_trusts_them(servers: Both, name: str) -> None:
    theirs, ours = seen(servers, f"{name}.test", *(f"/{each}" for each in SHOWN), "/rule/good")
    assert ours == theirs
    assert any(theirs.values()) == (name != "preserve")


def test_the_name_of_the_request_is_asked_for_where_it_goes_on(ports: dict[str, int]) -> None:
    only = {"first": "ProxyPreserveHost On"}
    with served(hosts(only), ports) as servers:
        theirs, ours = seen(servers, "shop.test:80", "/good", "/client")
        assert ours == theirs == {"/good": "", "/client": "shop.test unknown"}


MERGED = (
    CA
    + """
SSLProxyEngine On
SSLProxyVerify require
<Proxy balancer://lax>
BalancerMember https://localhost:@unknown@
SSLProxyVerify none
</Proxy>
<Proxy balancer://plain>
BalancerMember https://localhost:@unknown@
</Proxy>
<Proxy balancer://named>
BalancerMember https://localhost:@wrong@
SSLProxyCheckPeerName Off
</Proxy>
<Proxy "https://localhost:@unknown@/">
SSLProxyVerify none
SSLProxyCheckPeerExpire Off
</Proxy>
<Proxy "https://localhost:@good@*">
SSLProxyMachineCertificateFile @folder@/own.pem
</Proxy>
ProxyPass /lax balancer://lax
ProxyPass /plain balancer://plain
ProxyPass /named balancer://named
ProxyPass /url https://localhost:@unknown@
ProxyPass /deep https://localhost:@unknown@/deep
ProxyPass /good https://localhost:@good@
ProxyPass /wrong https://localhost:@wrong@
<VirtualHost *>
ServerName a.test
RewriteEngine On
RewriteRule ^/rule/(.*) https://localhost:@unknown@/$1 [P]
</VirtualHost>
<VirtualHost *>
ServerName b.test
SSLProxyCACertificateFile @folder@/others.pem
</VirtualHost>
<VirtualHost *>
ServerName c.test
SSLProxyVerify none
SSLProxyCheckPeerName Off
</VirtualHost>
<VirtualHost *>
ServerName d.test
<Proxy balancer://own>
BalancerMember https://localhost:@unknown@
SSLProxyVerify none
</Proxy>
ProxyPass /own balancer://own
ProxyPass /own-url https://localhost:@wrong@/x
<Proxy "https://localhost:@wrong@/">
SSLProxyCheckPeerName Off
</Proxy>
</VirtualHost>
"""
)


@pytest.mark.parametrize("host", ["a", "b", "c", "d"])
def test_what_sections_say_is_laid_over_the_server_as_apache_lays_it(ports: dict[str, int], host: str) -> None:
    losses: list[ReportLine] = []
    with served(MERGED, ports, losses) as servers:
        paths = ["lax", "plain", "named", "url/x", "deep", "good", "wrong", "rule/x", "own", "own-url"]
        theirs, ours = seen(servers, f"{host}.test", *(f"/{path}" for path in paths))
        assert ours == theirs
        assert any(theirs.values())
        assert losses == []
