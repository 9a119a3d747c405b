"""Certificates that the real Apache httpd and the import of its configuration show to clients."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from proxy_core.apache.importer import import_file
from tests.conformance.apache import running
from tests.conformance.echo import DEADLINE
from tests.conformance.importing import serving
from tests.ports import free_port

pytestmark = pytest.mark.apache

HOST = """
SSLEngine on
SSLCertificateFile {0}/leaf.pem
SSLCertificateKeyFile {0}/leaf.key
SSLCertificateChainFile {0}/chain.pem
ProxyPass / http://127.0.0.1:1/
"""


def test_the_chain_of_a_file_of_its_own_is_sent(tmp_path: Path) -> None:
    authority = trustme.CA()
    middle = authority.create_child_ca()
    made = middle.issue_cert("a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    middle.cert_pem.write_to_path(tmp_path / "chain.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)  # the first authority alone
    text, port = HOST.format(tmp_path), free_port()
    (tmp_path / "httpd.conf").write_text(f"Listen 127.0.0.1:{port}\n{text}")
    (tmp_path / "site.toml").write_text(import_file(tmp_path / "httpd.conf", {}, True).text)
    modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "ssl"]
    with running(modules, lambda folder: [text]) as theirs, serving(tmp_path / "site.toml"):
        for each in (theirs, port):
            with (
                socket.create_connection(("127.0.0.1", each), DEADLINE) as peer,
                context.wrap_socket(peer, server_hostname="a.test") as secure,
            ):
                assert secure.getpeercert() is not None
