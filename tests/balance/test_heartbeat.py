"""Reports of load: what is one, and whom it is about (mod_heartmonitor's form)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.heartbeat import LoadReport, heard, report
from proxy_core.balance.member_state import Beat
from tests.balance.pools import pool


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"v=1&ready=5&busy=2", LoadReport(5, 2)),
        (b"v=1&ready=5&busy=2\n", LoadReport(5, 2)),
        (b"busy=2&ready=5&v=1&port=8001&more=x", LoadReport(5, 2, 8001)),
        (b"v=2&ready=5&busy=2", None),
        (b"ready=5&busy=2", None),
        (b"v=1&ready=5", None),
        (b"v=1&ready=-5&busy=2", None),
        (b"v=1&ready=5.5&busy=2", None),
        (b"v=1&ready=&busy=2", None),
        (b"v=1&ready=9999999999&busy=2", None),
        (b"", None),
    ],
)
def test_what_is_a_report(raw: bytes, said: LoadReport | None) -> None:
    assert report(raw) == said


@given(
    st.binary(max_size=200) | st.text("v=1&readybusport;%\xb2", max_size=60).map(lambda text: text.encode("latin-1"))
)
def test_nothing_that_is_sent_is_an_error(raw: bytes) -> None:
    report(raw)


def test_a_report_is_about_the_members_at_its_senders_address_and_port() -> None:
    members = pool(1, 1, 1).members
    assert heard(LoadReport(5, 2, 9001), "127.0.0.1", members, lambda host: (), 7.0) == 1
    assert [member.state.beat for member in members] == [None, Beat(5, 2, 7.0), None]
    assert heard(LoadReport(6, 1), "127.0.0.1", members, lambda host: (), 8.0) == 3
    assert heard(LoadReport(6, 1), "10.0.0.1", members, lambda host: (), 8.0) == 0
    assert heard(LoadReport(6, 1), "10.0.0.1", members, lambda host: ("10.0.0.1",), 8.0) == 3
