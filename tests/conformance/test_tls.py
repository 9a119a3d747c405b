"""TLS towards clients: what the real Apache httpd shows and knows of it, and the import of its configuration."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme

from proxy_core.apache.importer import import_file
from tests.conformance.apache import running
from tests.conformance.echo import DEADLINE
from tests.conformance.importing import asked, members, serving
from tests.ports import free_port
from tests.waiting import until

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
RewriteCond %{SSL:SSL_CIPHER_USEKEYSIZE} >100
RewriteRule ^/b$ /b-ok [PT]
RewriteCond %{ENV:HTTPS} =on
RewriteRule ^/c$ /c-wrong [PT]
"""


def test_rules_and_fields_know_what_mod_ssl_knows(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    with members() as ports:
        text = SECURE.format(tmp_path) + KNOWN + f"ProxyPass / http://127.0.0.1:{ports['one']}/\n"
        with both(tmp_path, text) as (theirs, ours):
            for path, made_of_it in (("/a", "/a-ok"), ("/b", "/b-ok"), ("/c", "/c")):
                wanted = asked(theirs, f"GET {path}", "a.test")
                assert f"GET {made_of_it} HTTP/1.1" in wanted
                assert asked(ours, f"GET {path}", "a.test") == wanted


OF_CONNECTION = [
    "HTTPS", "SSL_PROTOCOL", "SSL_SESSION_RESUMED", "SSL_SECURE_RENEG", "SSL_CIPHER", "SSL_CIPHER_EXPORT",
    "SSL_CIPHER_USEKEYSIZE", "SSL_CIPHER_ALGKEYSIZE", "SSL_COMPRESS_METHOD", "SSL_VERSION_LIBRARY", "SSL_TLS_SNI",
    "SSL_CLIENT_VERIFY", "SSL_CLIENT_V_REMAIN", "SSL_SRP_USER",
    *(f"SSL_{who}_{name}" for who in ("CLIENT", "SERVER") for name in (
        "M_VERSION", "M_SERIAL", "V_START", "V_END", "S_DN", "S_DN_CN", "S_DN_O", "S_DN_OU", "S_DN_OU_0", "S_DN_OU_1",
        "S_DN_Email", "I_DN", "I_DN_O", "I_DN_CN", "A_SIG", "A_KEY", "SAN_DNS_0", "SAN_DNS_1", "SAN_Email_0", "CERT",
    )),
]  # fmt: skip
OF_REQUEST = [
    "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_USER", "REQUEST_METHOD", "REQUEST_SCHEME", "SERVER_NAME", "SERVER_PROTOCOL",
    "THE_REQUEST", "QUERY_STRING", "HTTP_HOST", "HTTP_USER_AGENT", "AUTH_TYPE", "IS_SUBREQ", "HTTP:X-A", "ENV:SEEN",
    "NO_SUCH_NAME",
]  # fmt: skip
SHOWN = """
SSLCACertificateFile {0}/ca.pem
SSLVerifyClient optional
SSLOptions +StdEnvVars +ExportCertData
SetEnvIf Request_URI . SEEN=yes
RequestHeader set X-Tls https env=HTTPS
RequestHeader set X-No-Tls none env=!HTTPS
"""


def secured(port: int, request: bytes, context: ssl.SSLContext, name: str) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE) as peer,
        context.wrap_socket(peer, server_hostname=name) as secure,
    ):
        secure.sendall(request)
        received = b""
        while data := secure.recv(65536):
            received += data
    return received.decode("latin-1").replace(str(port), "PORT")


@pytest.mark.parametrize("shown", [True, False], ids=["with a certificate", "without one"])
async def test_fields_variables_and_logs_have_all_that_mod_ssl_looks_up(tmp_path: Path, shown: bool) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made = authority.issue_cert("a.test", "b.test", organization_name="Örg", common_name="a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    client = authority.issue_cert("me@a.test", "me.test", organization_name='a, "b"', common_name="Ich ÄÖ <x>")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if shown:
        context.load_cert_chain(tmp_path / "client.pem")
    names = [*OF_CONNECTION, *OF_REQUEST]
    plain = [name for name in OF_CONNECTION if not name.endswith("_CERT")]  # httpd puts their line ends into the field
    rows = [
        f'RequestHeader set X-{kind}-{at} "{start}{" | ".join(spelled % name for name in asked_for[at : at + 8])}"'
        for kind, start, spelled, asked_for in (
            ("S", "", "%%{%s}s", names), ("E", "", "%%{%s}e", OF_CONNECTION), ("X", "expr=", "%%{%s}", plain),
        )
        for at in range(0, len(asked_for), 8)
    ]  # fmt: skip
    form = " ".join(f"%{{{name}}}x" for name in names if not name.endswith("_CERT"))
    form += " " + " ".join(f"%{{{name}}}c" for name in ("version", "cipher", "subjectdn", "issuerdn", "errcode"))
    with members() as ports:
        text = SECURE.format(tmp_path) + SHOWN.format(tmp_path) + "\n".join(rows)
        text += f'\nCustomLog @log@ "{form}"\nProxyPass / http://127.0.0.1:{ports["one"]}/\n'
        text = f"ServerName a.test\n{text}"
        port, logs = free_port(), [tmp_path / "theirs.log", tmp_path / "ours.log"]
        (tmp_path / "httpd.conf").write_text(f"Listen 127.0.0.1:{port}\n{text.replace('@log@', str(logs[1]))}")
        found = import_file(tmp_path / "httpd.conf", {}, True)
        assert not found.report.losses
        (tmp_path / "site.toml").write_text(found.text)
        with (
            running([*MODULES, "setenvif"], lambda _: [text.replace("@log@", str(logs[0]))]) as theirs,
            serving(tmp_path / "site.toml"),
        ):
            request = b"GET /x?y HTTP/1.1\r\nHost: a.test\r\nX-A: one\r\nConnection: close\r\n\r\n"
            said = []
            for each in (theirs, port):
                seen = secured(each, request, context, "a.test").partition("\r\n\r\n")[2].split("\r\n")
                fields = dict(line.partition(": ")[::2] for line in seen if line.startswith("X-"))
                said.append({name: value.strip() for name, value in fields.items() if "forwarded" not in name.lower()})
            await until(lambda: all(log.exists() and log.read_text() for log in logs))
    assert said[0]["X-Tls"] == "https"
    assert said[1] == said[0]
    assert logs[1].read_bytes() == logs[0].read_bytes()


NEEDED = """
SSLCACertificateFile {0}/ca.pem
ProxyPass /file !
ProxyPass / http://127.0.0.1:{1}/
DocumentRoot {2}
<Location /need>
SSLVerifyClient require
</Location>
<Location /need/open>
SSLVerifyClient none
</Location>
<Location /need/open/again>
SSLVerifyClient require
Require all granted
</Location>
<Location /need/optional>
SSLVerifyClient optional
</Location>
<LocationMatch "^/need/(?:either|or)$">
SSLVerifyClient none
Require all granted
</LocationMatch>
<If "%{{QUERY_STRING}} == 'open'">
SSLVerifyClient none
</If>
<Location /late/open>
SSLVerifyClient none
</Location>
<Location /late>
SSLVerifyClient require
</Location>
<Directory {2}/file>
SSLVerifyClient require
</Directory>
<Location /file/free>
SSLVerifyClient none
Require all granted
</Location>
<Location /asked>
SSLVerifyClient optional
Require ssl-verify-client
</Location>
<Location /tls>
SSLRequireSSL
</Location>
"""
PATHS = ["/", "/need", "/need/x", "/need/open", "/need/open/x", "/need/opening", "/need/open/again", "/need/optional",
         "/need/or", "/need/orx", "/need/x?open", "/need/open/again?open", "/late/open", "/late", "/late?open",
         "/file/x", "/file/free", "/file/x?open", "/asked", "/tls"]  # fmt: skip


@pytest.mark.parametrize("shown", [True, False], ids=["with a certificate", "without one"])
def test_certificates_are_needed_where_sections_say_so_until_others_take_it_back(tmp_path: Path, shown: bool) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made = authority.issue_cert("a.test")
    made.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    made.private_key_pem.write_to_path(tmp_path / "leaf.key")
    authority.issue_cert("me.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.post_handshake_auth = True
    if shown:
        context.load_cert_chain(tmp_path / "client.pem")
    with members() as ports, TemporaryDirectory() as name:  # not tmp_path: httpd itself must get to the files
        folder = Path(name)
        (folder / "file").mkdir()
        for each in (folder, folder / "file"):
            each.chmod(0o755)
        for each in (folder / "file/x", folder / "file/free"):
            each.write_text("")
        text = SECURE.format(tmp_path) + NEEDED.format(tmp_path, ports["one"], folder)
        with both(tmp_path, text) as (theirs, ours):
            found = []
            for path in PATHS:
                request = f"GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n".encode()
                try:
                    its = secured(theirs, request, context, "a.test")[9:12]
                except ssl.SSLError:  # httpd asks for a certificate now, and ends the connection without one
                    its = "403"
                mine = secured(ours, request, context, "a.test")[9:12]
                found += [f"{path}: {its} in Apache, {mine} here"] * (its != mine)
    assert not found, "\n".join(found)
