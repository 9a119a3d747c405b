"""Routes keep their order where httpd has another one."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import exported


def test_a_redirect_above_what_forwards_keeps_its_paths(tmp_path: Path) -> None:
    text = (
        '[hosts.h]\nnames = ["h.example"]\n[[routes]]\npath = "/a"\nredirect = { to = "http://n/" }\n'
        '[[routes]]\nhost = "h"\npath = "/"\nproxy = "http://h/"\n'
    )
    made, _ = exported('[listeners.l]\naddress = ":80"\n' + text, tmp_path)
    main, _, host = made.partition("# h\n")
    assert "ProxyPass /a !" in main
    assert "Redirect" not in main
    assert "ProxyPass / http://h/" in host
    assert "Redirect 302 /a http://n/" in host
