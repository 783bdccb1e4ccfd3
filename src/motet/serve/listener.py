"""The socket that a server listens on."""

from __future__ import annotations

import socket

from motet.errors import InputError


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound; port 0 takes any free one.

    Raises:
        InputError: the port cannot be listened on.
    """
    address = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"port {port} of {host} cannot be listened on: {error}; choose another with --port"
        ) from error
    return listener
