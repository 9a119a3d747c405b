"""A site that is asked about is moved: nothing of it listens, writes or forwards where the site itself does."""

from __future__ import annotations

from pathlib import Path

import msgspec

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.control.conform.moving import Stubs, compared, in_maps, moved, stubs

TEXT = r"""
[site]
server_name = "proxy.test"
request_id = "X-Request-ID"
[listeners.http]
address = "192.0.2.1:80"
proxy_protocol = true
[metrics]
address = "127.0.0.1:9090"
[access_log]
file = "access.log"
[limits]
client_rate = 5
[[routes]]
path = "/a"
proxy = "https://app.internal:8443/x"
[[routes]]
path = "/b"
redirect = { to = "https://app.internal:8443/b" }
[[routes]]
path = "/c"
proxy = "balancer://pool/"
[[rewrites]]
pattern = '^/d/(.*)$'
substitution = 'http://${where:$1|app.two:8001}/d'
flags = ["P"]
[[rewrites]]
pattern = '^/e$'
substitution = 'https://www.example/e'
flags = ["R"]
[[reverse]]
internal = "https://app.internal:8443/x"
public = "/a"
[maps.where]
type = "txt"
file = "where.txt"
[balancers.pool.members.one]
url = "http://app.one"
[balancers.pool.members.two]
url = "unix:/run/app.sock|http://app.one"
[balancers.pool]
sticky = { cookie = "SID" }
"""


def moved_site(folder: Path) -> tuple[Site, Stubs]:
    (folder / "where.txt").write_text("x app.three:8002\n")
    data = in_maps(parse(TEXT), folder)
    with stubs(data, folder) as stand_in:
        made = moved(data, stand_in, folder, {"http": 1234})
        return msgspec.convert(made, Site), stand_in


def test_each_member_has_a_stub_wherever_it_is_named(tmp_path: Path) -> None:
    site, stand_in = moved_site(tmp_path)
    app, one = stand_in.names["app.internal:8443"], stand_in.names["app.one"]
    assert site.routes[0].proxy == f"http://{app}/x"
    assert site.reverse[0].internal == f"http://{app}/x"
    members = site.balancers["pool"].members
    assert members["one"].url == f"http://{one}"
    assert members["two"].url == f"unix:{stand_in.names['/run/app.sock']}|http://app.one"
    assert site.rewrites[0].substitution == f"http://${{where:$1|{stand_in.names['app.two:8001']}}}/d"
    assert site.maps["where"].entries == {"x": stand_in.names["app.three:8002"]}


def test_where_clients_are_sent_stays_as_it_is(tmp_path: Path) -> None:
    site, _ = moved_site(tmp_path)
    assert site.routes[1].redirect is not None
    assert site.routes[1].redirect.to == "https://app.internal:8443/b"
    assert site.rewrites[1].substitution == "https://www.example/e"


def test_it_listens_on_the_port_that_it_is_given_and_writes_nothing(tmp_path: Path) -> None:
    site, _ = moved_site(tmp_path)
    assert (site.listeners["http"].address, site.listeners["http"].proxy_protocol) == ("127.0.0.1:1234", False)
    assert (site.metrics, site.access_log) == (None, None)
    assert site.limits.client_rate > 1e5  # said, as before, and never met


def test_it_does_not_count_which_member_was_chosen_but_for_a_session(tmp_path: Path) -> None:
    site, stand_in = moved_site(tmp_path)
    one = stand_in.names["app.one"]
    lines = ["200", "x-upstream: pool/1", "x-request-id: abc", "set-cookie: SID=.a; Path=/", f"host: {one}"]
    chosen = compared(lines, stand_in, site, tmp_path, "GET /c")
    assert chosen == ["200", "x-upstream: pool", "set-cookie: SID=*; Path=/", "host: pool"]
    kept = compared(lines, stand_in, site, tmp_path, "GET /c | Cookie: SID=x.a")
    assert kept[1:3] == ["x-upstream: pool/1", "set-cookie: SID=.a; Path=/"]
