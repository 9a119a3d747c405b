"""Rows without an id are called after what they say."""

from __future__ import annotations

from proxy_core.config.reading.document import parse


def test_rows_without_an_id_get_one_from_their_path() -> None:
    paths = ["/", "/service/index", "/service/index", "/é", "/a b/", "/x", "/x", "/x"]
    text = "".join(f'[[routes]]\npath = "{path}"\nproxy = "http://h:1"\n' for path in paths) + 'id = "x"\n'
    site = parse(text).site
    assert site is not None
    ids = ["root", "service-index", "service-index-2", "routes", "a-b", "x-2", "x-3", "x"]
    assert [route.id for route in site.routes] == ids


def test_rows_in_tables_get_ids_too() -> None:
    text = "[listeners.a]\naddress = ':1'\ntls.certificates = [{ cert = 'a.pem', names = ['x'] }, { cert = 'b.pem' }]\n"
    site = parse(text).site
    assert site is not None
    tls = site.listeners["a"].tls
    assert tls is not None
    assert [row.id for row in tls.certificates] == ["certificates", "certificates-2"]
