"""Certificates of hosts become those of listeners, and go back."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.apache.conversions import PROXIED, exported, imported, site_of


def test_certificates_of_hosts_belong_to_their_listener(tmp_path: Path) -> None:
    host = "<VirtualHost *:443>\nServerName {0}.test\nSSLEngine on\nSSLCertificateFile {0}.pem\n</VirtualHost>\n"
    text = f"Listen 80\nListen 443\nSSLProtocol all -TLSv1.2\n{host.format('a')}{host.format('b')}"
    site = site_of(tmp_path, text + "ProxyPass / https://10.0.0.1/\n")
    assert site["listeners"]["https"]["tls"] == {
        "certificates": [{"cert": "a.pem"}, {"cert": "b.pem"}],
        "min_version": "1.3",
    }
    assert site["upstream_tls"] == {"verify": False, "check_name": True, "check_expiry": True}
    assert "tls" not in site["listeners"]["http"]


def test_a_listener_asks_clients_for_certificates_as_its_strictest_host_does(tmp_path: Path) -> None:
    host = "<VirtualHost *:443>\nServerName {0}\nSSLEngine on\nSSLCertificateFile {0}.pem\n{1}\n</VirtualHost>\n"
    hosts = host.format("a", "") + host.format("b", "SSLVerifyClient require\nSSLCACertificateFile ca.pem")
    found = imported(tmp_path, "Listen 443\n" + hosts + PROXIED)
    tls = tomllib.loads(found.text)["listeners"]["https"]["tls"]
    assert (tls["client_verify"], tls["client_ca"]) == ("require", "ca.pem")
    assert {loss.directive for loss in found.report.losses} == {"SSLVerifyClient", "SSLCACertificateFile"}


def test_a_host_may_have_a_certificate_for_each_kind_of_key(tmp_path: Path) -> None:
    files = "".join(f"SSLCertificateFile {kind}.pem\nSSLCertificateKeyFile {kind}.key\n" for kind in ("rsa", "ec"))
    site = site_of(tmp_path, f"Listen 443\n<VirtualHost *:443>\nSSLEngine on\n{files}</VirtualHost>\n{PROXIED}")
    rows = site["listeners"]["https"]["tls"]["certificates"]
    assert rows == [{"cert": "rsa.pem", "key": "rsa.key"}, {"cert": "ec.pem", "key": "ec.key"}]


def test_the_chain_of_a_server_is_that_of_each_of_its_certificates(tmp_path: Path) -> None:
    host = "<VirtualHost *:443>\nServerName {0}\nSSLCertificateFile {0}.pem\n{1}\n</VirtualHost>\n"
    hosts = host.format("a.test", "SSLCertificateChainFile a.chain") + host.format("b.test", "")
    site = site_of(tmp_path, f"Listen 443\nSSLEngine on\nSSLCertificateChainFile all.chain\n{hosts}{PROXIED}")
    assert site["listeners"]["https"]["tls"]["certificates"] == [
        {"cert": "a.test.pem", "chain": "a.chain"},
        {"cert": "b.test.pem", "chain": "all.chain"},
    ]


def test_a_host_has_one_chain_in_apache(tmp_path: Path) -> None:
    row = '[[listeners.https.tls.certificates]]\ncert = "{0}.pem"\nnames = ["a.test"]\nchain = "{0}.chain"\n'
    text = '[listeners.https]\naddress = ":443"\n[listeners.https.tls]\n'
    host = '[hosts.a]\nnames = ["a.test"]\n[[routes]]\npath = "/"\nproxy = "http://h/"\n'
    made, losses = exported(text + row.format("rsa") + host, tmp_path)
    assert "SSLCertificateChainFile rsa.chain" in made
    assert losses == []
    made, losses = exported(text + row.format("rsa") + row.format("ec") + host, tmp_path)
    assert made.count("SSLCertificateChainFile") == 1
    assert [loss.partition(":")[0] for loss in losses] == ["listeners.https.tls.certificates"]


SECURE = """
[listeners.http]
address = ":80"
[listeners.https]
address = ":443"
[listeners.https.tls]
hsts = 60
min_version = "1.3"
client_headers = { X-Client = "SSL_CLIENT_S_DN" }
[[listeners.https.tls.certificates]]
cert = "one.pem"
names = ["one.example"]
[[listeners.https.tls.certificates]]
cert = "two.pem"
key = "two.key"
names = ["*.two.example"]
"""


def test_listeners_with_tls_and_no_host_get_a_host_for_each_certificate(tmp_path: Path) -> None:
    made, losses = exported(SECURE, tmp_path)
    assert losses == []
    assert "Listen 443 https" in made
    assert "RequestHeader unset X-Client" in made.partition("<VirtualHost")[0]
    one, two = (each.partition("</VirtualHost>")[0] for each in made.split("<VirtualHost ")[1:])
    assert "ServerName one.example" in one
    assert "SSLCertificateFile one.pem" in one
    assert "ServerAlias *.two.example" in two
    assert "SSLCertificateFile two.pem\n    SSLCertificateKeyFile two.key" in two
    for host in (one, two):
        assert host.startswith("*:443>")
        assert "SSLProtocol -all +TLSv1.3" in host
        assert "Header always set Strict-Transport-Security max-age=60" in host
        assert "RequestHeader set X-Client %{SSL_CLIENT_S_DN}s" in host


def test_a_host_that_is_reached_with_tls_and_without_becomes_two_with_the_same_rows(tmp_path: Path) -> None:
    host = (
        '[hosts.shop]\nnames = ["a.two.example"]\n[[routes]]\nhost = "shop"\npath = "/"\nproxy = "http://h/"\n'
        '[[locations]]\nid = "in"\nhost = "shop"\npath = "/in"\nrequire = ["local"]\n'
        '[[headers]]\nlocation = "in"\nname = "X-In"\nvalue = "yes"\n'
    )
    made, losses = exported(SECURE + host, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == ["listeners.https.tls.certificates"]
    parts = [each.partition("</VirtualHost>")[0] for each in made.split("<VirtualHost ")[1:]]
    assert [each.partition(">")[0] for each in parts] == ["*:80", "*:443"]
    assert ["SSLCertificateFile two.pem" in each for each in parts] == [False, True]
    for each in parts:
        assert "ServerName a.two.example" in each
        assert "ProxyPass / http://h/" in each
        assert "<Location /in>\n        Require local\n        Header set X-In yes\n" in each
