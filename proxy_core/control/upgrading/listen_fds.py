"""Descriptors that this process was started with, by the protocol of sd_listen_fds(3).

LISTEN_FDS says how many there are, from 3 on, LISTEN_PID for which process, LISTEN_FDNAMES under which names. systemd
gives the sockets of socket units so, and a process that lets this one take over gives its own, with three more whose
names no listener can have. What is no socket that we know how to use is left alone: where the count is wrong, it is
something of our own. The variables are taken out of the environment and the descriptors are not inherited further, so
that programs which are started get none of it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Final

from proxy_core.serve.listening_sockets import Inherited

FIRST: Final = 3
CHANNEL, LOCK, CONTROL = "@channel", "@lock", "@control"
"""The socket to the process before, its lock on the site file, the control socket."""


@dataclass(slots=True)
class Given:
    """What a process was started with."""

    sockets: list[Inherited] = field(default_factory=list)
    """Listen, or wait for datagrams."""
    control: socket.socket | None = None
    """Listens at the door."""
    channel: socket.socket | None = None
    """Leads to the process that lets this one take over."""
    lock: int | None = None
    """The descriptor of the lock on the site file."""


def given(environment: MutableMapping[str, str]) -> Given:
    """What this process was started with; nothing where it is meant for another one."""
    count, pid = environment.pop("LISTEN_FDS", ""), environment.pop("LISTEN_PID", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    found = Given()
    if not count.isdecimal() or pid not in ("", str(os.getpid())):
        return found
    for place in range(int(count)):
        number = FIRST + place
        try:
            os.set_inheritable(number, False)
            mode = os.fstat(number).st_mode
        except OSError:  # fewer than were promised
            break
        _sort(found, names[place] if place < len(names) else "", number, stat.S_ISSOCK(mode))
    return found


def _sort(found: Given, name: str, number: int, is_socket: bool) -> None:
    if name == LOCK:
        found.lock = number
        return
    if not is_socket:
        return
    each = socket.socket(fileno=number)
    waits = each.type == socket.SOCK_DGRAM or each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if name == CHANNEL:
        found.channel = each
    elif not waits:
        each.detach()
        return
    elif each.family == socket.AF_UNIX:
        found.control = each if name == CONTROL else found.control
    else:
        found.sockets.append(Inherited(name, each))
    each.setblocking(False)
