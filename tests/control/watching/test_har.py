"""Requests as a HAR file: what the format wants is there, and what is secret is not."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from proxy_core.control.watching.har import har_text
from tests.control.watching.test_record_filter import ROW


def entry(**known: object) -> Any:
    text = har_text([replace(ROW, **known)], "https")
    return msgspec.json.decode(text)["log"]["entries"][0]


def test_an_entry_has_what_the_format_requires() -> None:
    log = msgspec.json.decode(har_text([ROW, ROW]))["log"]
    assert (log["version"], log["creator"]["name"], len(log["entries"])) == ("1.2", "rproxy", 2)
    one = entry()
    assert one["startedDateTime"].startswith(("1970-01-01T", "1969-12-31T"))
    assert one["request"]["url"] == "https://shop.example/api/checkout?x=1"
    assert one["request"]["queryString"] == [{"name": "x", "value": "1"}]
    assert one["request"]["headers"][0] == {"name": "Host", "value": "shop.example"}
    assert (one["response"]["status"], one["response"]["statusText"]) == (502, "Bad Gateway")
    assert {"cookies", "headersSize", "bodySize", "httpVersion"} <= one["request"].keys() & one["response"].keys()
    assert (one["_member"], one["_cause"]) == ("c", "the member reset the connection")


def test_the_timings_add_up_to_the_whole() -> None:
    for known in ({}, {"first": -1.0}, {"first": -1.0, "waited": -1.0}):
        one = entry(**known)
        timings = one["timings"]
        assert round(sum(timings.values()), 3) == one["time"] == 251.0
        assert min(timings.values()) >= 0


def test_secrets_in_addresses_are_masked_wherever_they_stand() -> None:
    target = "/a;sid=hunter2?access_token=hunter2&page=3&p%61ssword=hunter2&sig=hunter2"
    referer = "https://u:hunter2@x.example/?code=hunter2"
    text = har_text(
        [replace(ROW, target=target, referer=referer, cause="token=hunter2", user_agent="a secret:hunter2")]
    )
    assert "hunter2" not in text
    assert "page=3" in text


def test_what_is_no_path_and_what_no_status_is_called_are_taken_as_they_are() -> None:
    one = entry(target="http://other.example/x", status=499, host="")
    assert one["request"]["url"] == "http://other.example/x"
    assert one["response"]["statusText"] == ""


def test_what_a_client_sent_stays_text() -> None:
    assert "\x1b" not in har_text([replace(ROW, target="/\x1b[2J\x9b", cause="\x1b")])
