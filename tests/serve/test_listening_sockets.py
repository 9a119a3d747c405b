"""Sockets that this process was started with are used for the addresses that they have, and for no other."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy_core.config.model import Listener
from proxy_core.serve.listeners import problem_of
from proxy_core.serve.listening_sockets import Inherited, InheritedSockets, listening_sockets


@pytest.fixture
def opened() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def port_of(opened: socket.socket) -> int:
    return int(opened.getsockname()[1])


async def test_a_socket_with_the_address_is_used_whatever_its_name(opened: socket.socket) -> None:
    inherited = InheritedSockets([Inherited("rproxy.socket", opened)])
    assert await listening_sockets("127.0.0.1", port_of(opened), "http", inherited) == [opened]
    assert inherited.close_rest() == []


async def test_where_any_port_would_do_the_name_decides(opened: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        inherited = InheritedSockets([Inherited("a", other), Inherited("b", opened)])
        assert await listening_sockets("127.0.0.1", 0, "b", inherited) == [opened]
        (made,) = await listening_sockets("127.0.0.1", 0, "c", inherited)
        with made:
            assert port_of(made) not in (port_of(opened), port_of(other))


async def test_another_address_gets_a_socket_of_its_own_and_the_unused_one_is_closed(opened: socket.socket) -> None:
    inherited = InheritedSockets([Inherited("http", opened)])
    port = port_of(opened)
    (made,) = await listening_sockets("127.0.0.2", port, "http", inherited)
    made.close()
    assert inherited.close_rest() == [f"127.0.0.1:{port}"]
    assert opened.fileno() == -1


async def test_a_port_that_came_with_another_address_is_told_as_such(opened: socket.socket) -> None:
    inherited = InheritedSockets([Inherited("rproxy.socket", opened)], held=True)
    port = port_of(opened)
    with pytest.raises(OSError, match="in use") as failed:
        await listening_sockets("", port, "http", inherited)
    problem = problem_of("http", Listener(address=f":{port}"), failed.value, inherited)
    assert problem.what.endswith(f'has this port, for "127.0.0.1:{port}"')
    assert problem.todo == f'listen on "127.0.0.1:{port}", or give the socket the address :{port}'


async def test_a_datagram_socket_is_no_listener(opened: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(opened.getsockname())
        inherited = InheritedSockets([Inherited("http", datagrams)])
        assert inherited.take("http", socket.SOCK_STREAM, socket.AF_INET, "127.0.0.1", port_of(opened)) is None
        assert inherited.take("@heartbeat", socket.SOCK_DGRAM, socket.AF_INET, "127.0.0.1", port_of(opened))


async def test_a_socket_that_a_manager_holds_is_found_again_by_a_listener_that_comes_back(
    opened: socket.socket,
) -> None:
    inherited = InheritedSockets([Inherited("rproxy.socket", opened)], held=True)
    assert inherited.close_rest() == [f"127.0.0.1:{port_of(opened)}"]
    for _ in range(2):
        (made,) = await listening_sockets("127.0.0.1", port_of(opened), "http", inherited)
        with made:
            assert made.fileno() != opened.fileno()
            assert made.getsockname() == opened.getsockname()
    assert inherited.close_rest() == []
    assert opened.fileno() != -1
