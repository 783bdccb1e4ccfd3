"""Packets to one receiver over UDP."""

from __future__ import annotations

import socket

from motet.errors import InputError


class UdpSender:
    """A socket with the address of its receiver.

    Args:
        host: name or address.
        port: of the receiver.

    Raises:
        InputError: no such host.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise InputError(f"there is no host {host!r}: {error}; check its name") from error
        family, kind, _, _, self._address = addresses[0]
        self._socket = socket.socket(family, kind)

    def send(self, packet: bytes) -> None:
        """Send one packet; nobody says whether it arrives."""
        self._socket.sendto(packet, self._address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
