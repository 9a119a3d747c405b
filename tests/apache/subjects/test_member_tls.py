"""How https members are spoken to: what comes in, for whom, and what goes out and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy_core.apache.export import sayable
from proxy_core.apache.importer import import_file
from proxy_core.config.model import UpstreamTls
from proxy_core.config.reading.document import parse
from tests.apache.conversions import exported, imported, site_of

URL = "ProxyPass / https://h/\n"
MEMBER = '[balancers.b.members.m]\nurl = "https://h"\n[[routes]]\npath = "/"\nproxy = "balancer://b/"\n'
OUT = [
    ("[upstream_tls]\nverify = false\n" + MEMBER, "SSLProxyVerify none\nSSLProxyCheckPeerName Off\n"),
    (
        '[upstream_tls]\nca = "ca.pem"\ncheck_name = false\n' + MEMBER,
        "SSLProxyVerify require\nSSLProxyCheckPeerName Off\nSSLProxyCheckPeerExpire On\n",
    ),
    (
        '[upstream_tls]\nca = "ca.pem"\n[balancers.b.tls]\nverify = false\ncheck_expiry = true\n' + MEMBER,
        "    SSLProxyVerify none\n    SSLProxyCheckPeerName Off\n    SSLProxyCheckPeerExpire On\n</Proxy>",
    ),
    ("[balancers.b.members.m.tls]\nverify = false\n" + MEMBER, "    SSLProxyVerify none\n"),
]
LOST = [
    ('[upstream_tls]\ncert = "own.pem"\n[balancers.b.tls]\nverify = false\n' + MEMBER, "balancers.b.tls.cert"),
    ('[upstream_tls]\nserver_name = "x"\n' + MEMBER, "upstream_tls.server_name"),
    ('[balancers.b.tls]\ncert = "a.pem"\nkey = "a.key"\n' + MEMBER, "balancers.b.tls.key"),
    (
        '[balancers.b.members.n]\nurl = "https://n"\n[balancers.b.members.n.tls]\nverify = false\n' + MEMBER,
        "balancers.b.members.n.tls",
    ),
]
OFF = {"verify": False, "check_name": False, "check_expiry": False}
LOOKS = {"check_name": True, "check_expiry": True}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"verify": False, **LOOKS}),
        ("SSLProxyVerify none\nSSLProxyCheckPeerName off", {**OFF, "check_expiry": True}),
        ("SSLProxyCheckPeerCN off", {**OFF, "check_expiry": True}),
        ("SSLProxyCheckPeerCN off\nSSLProxyCheckPeerName on", {"verify": False, **LOOKS}),
        ("SSLProxyCheckPeerExpire off", {**OFF, "check_name": True}),
        ("SSLProxyVerify optional_no_ca\nSSLProxyCheckPeerExpire off", {"verify": False, **LOOKS}),
        ("SSLProxyVerify require\nSSLProxyCACertificateFile ca.pem", {"ca": "ca.pem"}),
        (
            "SSLProxyVerify optional\nSSLProxyCACertificateFile ca.pem\nSSLProxyCheckPeerName off",
            {"ca": "ca.pem", "check_name": False},
        ),
        ("SSLProxyVerify none\nSSLProxyCACertificateFile ca.pem", {"verify": False, **LOOKS}),
        ("SSLProxyProtocol -all +TLSv1.3", {"verify": False, **LOOKS, "min_version": "1.3"}),
        ("SSLProxyMachineCertificateFile own.pem", {"verify": False, **LOOKS, "cert": "own.pem"}),
    ],
)
def test_what_apache_looks_at_is_looked_at(tmp_path: Path, text: str, found: dict[str, Any]) -> None:
    made = imported(tmp_path, f"Listen 80\nSSLProxyEngine on\n{text}\n{URL}")
    assert made.report.losses == []
    assert site_of(tmp_path, f"Listen 80\nSSLProxyEngine on\n{text}\n{URL}")["upstream_tls"] == found


@pytest.mark.parametrize(
    ("text", "lost", "closed"),
    [
        ("SSLProxyVerify require\n" + URL, ["SSLProxyVerify"], False),
        ("SSLProxyCheckPeerName off\nSSLProxyCheckPeerCN on\n" + URL, ["SSLProxyCheckPeerCN"], False),
        ("SSLProxyCACertificatePath certs\n" + URL, ["SSLProxyCACertificatePath"], False),
        ("<ProxyMatch ^https>\nSSLProxyVerify require\n</ProxyMatch>\n" + URL, ["SSLProxyVerify"], True),
        ("<ProxyMatch ^https>\nSSLProxyVerify none\n</ProxyMatch>\n" + URL, ["SSLProxyVerify"], False),
        ("<Proxy https://h/deep>\nSSLProxyCheckPeerName on\n</Proxy>\n" + URL, ["SSLProxyCheckPeerName"], True),
        (
            "<Proxy balancer://b>\nBalancerMember https://h\n</Proxy>\nProxyPass / balancer://b/\n<VirtualHost *>\n"
            "<Proxy balancer://b>\nSSLProxyCheckPeerName off\n</Proxy>\n</VirtualHost>\n",
            ["SSLProxyCheckPeerName"],
            True,
        ),
    ],
)
def test_what_cannot_be_said_is_told_and_what_it_guarded_is_closed(
    tmp_path: Path, text: str, lost: list[str], closed: bool
) -> None:
    found = imported(tmp_path, f"Listen 80\nSSLProxyEngine on\n{text}")
    assert [each.directive for each in found.report.losses] == lost
    assert ("all denied" in found.text) == closed


def test_a_url_that_no_route_names_as_it_stands_is_not_lost(tmp_path: Path) -> None:
    text = (
        "<Proxy https://h/>\nSSLProxyCheckPeerName off\n</Proxy>\nProxyPass /a https://h/a\nProxyPass /b https://h/b\n"
    )
    found = imported(tmp_path, "Listen 80\n" + text)
    assert found.report.losses == []
    groups = site_of(tmp_path, "Listen 80\n" + text)["balancers"].values()
    assert [member["tls"] for group in groups for member in group["members"].values()] == [
        {**OFF, "check_expiry": True}
    ] * 2


TABLES = """
[upstream_tls]
ca = "ca.pem"
cert = "own.pem"
[hosts.a]
names = ["a.test"]
[hosts.a.upstream_tls]
verify = false
check_name = true
cert = "other.pem"
[hosts.b]
names = ["b.test"]
[balancers.b.tls]
ca = "second.pem"
check_name = false
cert = "own.pem"
min_version = "1.3"
"""


def test_tables_come_back_as_they_went_out(tmp_path: Path) -> None:
    site = parse("[listeners.http]\naddress = ':80'\n" + TABLES + MEMBER).site
    assert site is not None
    wanted, losses, _ = sayable(site, tmp_path, tmp_path)
    assert losses == ()
    text, _ = exported("[listeners.http]\naddress = ':80'\n" + TABLES + MEMBER, tmp_path)
    (tmp_path / "httpd.conf").write_text(text)
    back = parse(import_file(tmp_path / "httpd.conf", {}, True).text).site
    assert back is not None
    assert back.upstream_tls == wanted.upstream_tls == site.upstream_tls
    assert back.hosts["a"].upstream_tls == wanted.hosts["a"].upstream_tls
    assert back.hosts["a"].upstream_tls == UpstreamTls(
        verify=False, check_name=True, check_expiry=False, cert="other.pem"
    )
    assert back.hosts["b"].upstream_tls is None
    assert back.balancers["b"].tls == site.balancers["b"].tls
