"""Who asks at the door: the kernel says it of the other end of a unix socket, so nobody can claim to be another.

Linux tells user, group and process when the connection was made (SO_PEERCRED, unix(7)); macOS and the BSDs tell user
and groups (LOCAL_PEERCRED, struct xucred). The user that the service runs as and root may write; whoever else was let
in by the mode of the socket may read. Names are for people: two users with one number are one user.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys

from msgspec import Struct

_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
_XUCRED = "IIh2x16I"
"""struct xucred: version, user, number of groups, groups."""


class Peer(Struct, frozen=True, kw_only=True):
    """Somebody at the other end of a unix socket."""

    uid: int
    """Their user, by number."""
    gid: int
    """Their group, by number."""
    pid: int
    """Their process; 0 where the system does not tell."""
    name: str
    """Their user's name (``user_name``); its number until that is known, and where it has none."""
    may_write: bool
    """They may change the site and stop the service."""


def peer(connection: socket.socket) -> Peer:
    """Who is at the other end. Raises OSError where the system does not tell: then nobody is let in."""
    if sys.platform == "linux":
        pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    else:
        size = struct.calcsize(_XUCRED)
        found = struct.unpack(_XUCRED, connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, size))
        uid, gid = found[1], found[3]
        pid = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID) if sys.platform == "darwin" else 0
    return Peer(uid=uid, gid=gid, pid=pid, name=str(uid), may_write=uid in (0, os.geteuid()))


def user_name(uid: int) -> str:
    """The name of a user. A directory service that knows it may take its time: ask in a thread."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
