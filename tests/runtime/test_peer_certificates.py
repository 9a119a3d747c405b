"""Certificates that nobody verifies are looked at for their name and their time."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from proxy_core.config.model import UpstreamTls
from proxy_core.runtime.peer_certificates import flaw

NOW = datetime.now(UTC)
CA = trustme.CA()
LOOKS = UpstreamTls(verify=False, check_name=True, check_expiry=True)


def shown(*names: str, common: str | None = None) -> bytes:
    made = CA.issue_cert(*names, common_name=common, not_before=NOW - timedelta(2), not_after=NOW + timedelta(2))
    return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


@pytest.mark.parametrize(
    ("certificate", "name", "fits"),
    [
        (shown("a.test", "b.test"), "b.test", True),
        (shown("a.test"), "A.Test", True),
        (shown("a.test"), "x.a.test", False),
        (shown("*.a.test"), "x.a.test", True),
        (shown("*.a.test"), "a.test", False),
        (shown("*.a.test"), "x.y.a.test", False),
        (shown("*.a.test"), ".a.test", False),
        (shown("127.0.0.1"), "127.0.0.1", True),
        (shown("::1"), "0:0:0:0:0:0:0:1", True),
        (shown("127.0.0.1"), "127.0.0.2", False),
        (shown("a.test", common="b.test"), "b.test", False),
        (shown("me@a.test", common="b.test"), "b.test", True),
    ],
)
def test_names_are_those_of_the_certificate(certificate: bytes, name: str, fits: bool) -> None:
    assert (flaw(LOOKS, name, certificate, NOW) == "") == fits
    assert flaw(UpstreamTls(verify=False, check_expiry=True), name, certificate, NOW) == ""


@pytest.mark.parametrize(("days", "words"), [(0, ""), (-3, "of no use before"), (3, "of no use since")])
def test_it_is_of_use_between_its_two_moments(days: int, words: str) -> None:
    found = flaw(LOOKS, "a.test", shown("a.test"), NOW + timedelta(days))
    assert found.startswith(words)
    assert bool(found) == bool(words)
    assert flaw(UpstreamTls(verify=False, check_name=True), "a.test", shown("a.test"), NOW + timedelta(days)) == ""


def test_what_is_no_certificate_is_said_to_be_none() -> None:
    assert flaw(LOOKS, "a.test", b"no", NOW) == "not readable"
