"""Virtual hosts belong to the listeners that lead to them."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import exported, site_of


def test_hosts_belong_to_the_listeners_that_lead_to_them(tmp_path: Path) -> None:
    host = "<VirtualHost {}>\nServerName {}.test\nProxyPass / http://{}/\n</VirtualHost>\n"
    hosts = (("*:1", "a", "a"), ("*:2 *:1", "b", "b"), ("*:3", "c", "c"), ("*", "d", "d"))
    site = site_of(tmp_path, "Listen 1\nListen 127.0.0.1:2\n" + "".join(host.format(*each) for each in hosts))
    assert {name: row.get("listeners") for name, row in site["hosts"].items()} == {"a": ["http"], "b": None, "d": None}


def test_hosts_say_themselves_what_apache_does_not_give_them_of_the_server(tmp_path: Path) -> None:
    text = (
        'version = 1\n[site]\nencoded_slashes = "keep"\n[listeners.http]\naddress = ":8080"\n[hosts.a]\nnames = ["a"]\n'
    )
    made, losses = exported(text + '[[routes]]\npath = "/"\nproxy = "http://m/"\n', tmp_path)
    assert (made.count("AllowEncodedSlashes NoDecode"), losses) == (2, [])
