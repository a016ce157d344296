"""Who is at the other end of a Unix socket, as the kernel says."""

import os
import pwd
import socket
import struct
from typing import Final

import msgspec

_CREDENTIALS: Final = struct.Struct("3i")


class Peer(msgspec.Struct, frozen=True):
    pid: int
    uid: int
    gid: int

    @property
    def operator(self) -> str:
        """`alice (uid 1000)`, for the tape."""
        try:
            name = pwd.getpwuid(self.uid).pw_name
        except KeyError:
            name = "unknown"
        return f"{name} (uid {self.uid})"


def peer_of(connection: socket.socket) -> Peer:
    """Raises OSError where the socket is no Unix socket."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(data))


def allowed_uids() -> frozenset[int]:
    """Ourselves, and root, who can do anything anyway."""
    return frozenset((0, os.geteuid()))
