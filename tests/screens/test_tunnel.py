"""Where ssh:// leads: what is said of the machine and the service, before any ssh is started."""

from __future__ import annotations

import pytest

from rproxy_tui.tunnel import NoTunnel, chosen, far


@pytest.mark.parametrize(
    ("said", "machine", "name"),
    [
        ("ssh://host", "ssh://host", ""),
        ("ssh://ops@host:2222/shop", "ssh://ops@host:2222", "shop"),
        ("ssh://host//run/rproxy/a%20b.sock", "ssh://host", "/run/rproxy/a b.sock"),
        ("ssh://[::1]:22/", "ssh://[::1]:22", ""),
    ],
)
def test_a_place_is_a_machine_and_a_name(said: str, machine: str, name: str) -> None:
    assert far(said) == (machine, name)


@pytest.mark.parametrize("said", ["ssh://", "ssh:///shop", "ssh://-oProxyCommand=x/", "ssh://-l@host", "ssh://h:99999"])
def test_what_names_no_machine_is_refused_before_ssh_sees_it(said: str) -> None:
    with pytest.raises(NoTunnel):
        far(said)


SOCKETS = ["/run/rproxy/shop.sock", "/run/user/7/rproxy/blog.sock"]


def test_of_the_sockets_there_the_named_one_is_taken_or_the_only_one() -> None:
    assert chosen(SOCKETS, "shop") == chosen(SOCKETS, "shop.sock") == SOCKETS[0]
    assert chosen(SOCKETS[1:], "") == SOCKETS[1]
    with pytest.raises(NoTunnel, match="several services run there"):
        chosen(SOCKETS, "")
    with pytest.raises(NoTunnel, match="no service is called wiki there; there are:"):
        chosen(SOCKETS, "wiki")
    with pytest.raises(NoTunnel, match="no service runs there"):
        chosen([], "")
