"""Running the application: the socket is bound first, then everything else is loaded."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from motet.errors import ConfigError, InputError
from motet.serve.app import create_app
from motet.serve.security import LOOPBACK, Access
from motet.serve.studio import ServerOptions

SHUTDOWN_S = 8
"""Connections that are still open after this time are cut."""
LIVE_QUEUE = 32
"""Messages of a socket that may wait until they are read."""


def serve(options: ServerOptions, access: Access) -> None:
    """Serve until Ctrl-C or SIGTERM. Port 0 takes any free one.

    Raises:
        ConfigError: another address than this machine's without a token.
        InputError: the port cannot be listened on.
    """
    if access.host not in (*LOOPBACK, "::1") and not access.token:
        raise ConfigError(
            f"others can reach {access.host or 'every address'}: give --token as well, and they"
            " need it to use the studio"
        )
    listener = _bound(access)
    access = Access(access.host, listener.getsockname()[1], access.token, access.allowed_origins)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    config = uvicorn.Config(
        create_app(options, access),
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=1 << 16,
        timeout_graceful_shutdown=SHUTDOWN_S,
        server_header=False,
    )
    name = "127.0.0.1" if access.host in ("0.0.0.0", "") else access.host
    token = f"/?t={access.token}" if access.token else ""
    print(f"motet studio at http://{name}:{access.port}{token}", file=sys.stderr, flush=True)
    uvicorn.Server(config).run([listener])


def _bound(access: Access) -> socket.socket:
    family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((access.host.strip("[]"), access.port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"port {access.port} of {access.host} cannot be listened on: {error}; choose another"
            " with --port"
        ) from error
    listener.set_inheritable(True)
    return listener
