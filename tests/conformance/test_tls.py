"""TLS towards clients: what the real Apache httpd shows and knows of it, and the import of its configuration."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from proxy_core.apache.importer import import_file
from tests.conformance.apache import running
from tests.conformance.echo import DEADLINE
from tests.conformance.importing import asked, members, serving
from tests.ports import free_port

pytestmark = pytest.mark.apache

MODULES = ["mpm_event", "authz_core", "proxy", "proxy_http", "headers", "rewrite", "ssl"]
SECURE = "SSLEngine on\nSSLCertificateFile {0}/leaf.pem\nSSLCertificateKeyFile {0}/leaf.key\n"


@contextmanager
def both(folder: Path, text: str) -> Iterator[tuple[int, int]]:
    """The ports of Apache and of ours on a configuration."""
    port = free_port()
    (folder / "httpd.conf").write_text(f"Listen 127.0.0.1:{port}\n{text}")
    made = import_file(folder / "httpd.conf", {}, True)
    assert not made.report.losses
    (folder / "site.toml").write_text(made.text)
    with running(MODULES, lambda own: [text]) as theirs, serving(folder / "site.toml"):
        yield theirs, port


def test_the_chain_of_a_file_of_its_own_is_sent(tmp_path: Path) -> None:
    authority = trustme.CA()
    middle = authority.create_child_ca()
    made = middle.issue_cert("a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    middle.cert_pem.write_to_path(tmp_path / "chain.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)  # the first authority alone
    text = SECURE.format(tmp_path) + f"SSLCertificateChainFile {tmp_path}/chain.pem\nProxyPass / http://127.0.0.1:1/\n"
    with both(tmp_path, text) as ports:
        for port in ports:
            with (
                socket.create_connection(("127.0.0.1", port), DEADLINE) as peer,
                context.wrap_socket(peer, server_hostname="a.test") as secure,
            ):
                assert secure.getpeercert() is not None


KNOWN = """
RequestHeader set X-Tls "%{SSL_PROTOCOL}s %{SSL_CIPHER}s %{SSL_TLS_SNI}s %{HTTPS}s %{SSL_CLIENT_VERIFY}s"
RequestHeader set X-Other "%{REMOTE_ADDR}s %{REQUEST_SCHEME}s %{REQUEST_METHOD}s"
RequestHeader set X-Expr "expr=%{SSL_PROTOCOL} %{HTTPS}"
RewriteEngine On
RewriteCond %{SSL:SSL_PROTOCOL} ^TLS
RewriteCond %{SSL:REMOTE_ADDR} ^127
RewriteCond %{SSL:SSL_CIPHER_USEKEYSIZE} -gt100
RewriteCond %{SSL:HTTPS} =on
RewriteRule ^/a$ /a-ok [PT]
"""


def test_rules_and_fields_know_what_mod_ssl_knows(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    with members() as ports:
        text = SECURE.format(tmp_path) + KNOWN + f"ProxyPass / http://127.0.0.1:{ports['one']}/\n"
        with both(tmp_path, text) as (theirs, ours):
            wanted = asked(theirs, "GET /a", "a.test")
            assert "GET /a-ok HTTP/1.1" in wanted
            assert asked(ours, "GET /a", "a.test") == wanted
