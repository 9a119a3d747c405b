"""What a field means to a proxy does not depend on how it is spelled."""

from __future__ import annotations

import pytest

from proxy_core.http.hop_by_hop import ANSWER_KINDS, REQUEST_KINDS, Kind, Kinds

REQUESTS = [
    (b"Host", Kind.HOST),
    (b"hOST", Kind.HOST),
    (b"TE", Kind.DROP),
    (b"Proxy", Kind.DROP),
    (b"Accept", Kind.PASS),
    (b"Content_Length", Kind.DROP),
    (b"X_Forwarded_For", Kind.TWIN),
    (b"X-Real-IP", Kind.CLAIM),
    (b"X-Forwarded-Ssl", Kind.CLAIM),
    (b"X_Forwarded_Ssl", Kind.CLAIM),
]


@pytest.mark.parametrize(("name", "kind"), REQUESTS)
def test_fields_of_requests_have_their_kind_in_every_spelling(name: bytes, kind: int) -> None:
    assert REQUEST_KINDS[name] == kind


def test_fields_of_one_hop_do_not_come_back_either() -> None:
    assert {ANSWER_KINDS[name] for name in (b"Keep-Alive", b"Proxy-Connection", b"TE", b"Trailer")} == {Kind.DROP}
    assert ANSWER_KINDS[b"Location"] == Kind.ADDRESS


def test_no_peer_makes_the_table_grow_without_end() -> None:
    kinds = Kinds(lambda name: Kind.PASS)
    for number in range(3000):
        assert kinds[b"x-%d" % number] == Kind.PASS
    assert kinds[b"x" * 65] == Kind.PASS
    assert len(kinds) == 2048
