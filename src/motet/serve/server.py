"""Running the application: the socket is bound first, then everything else is loaded."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from motet.errors import ConfigError
from motet.serve.app import create_app
from motet.serve.listener import listen
from motet.serve.security import LOOPBACK, Access
from motet.serve.studio import ServerOptions, Studio

SHUTDOWN_S = 8
"""Connections that are still open after this time are cut."""


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
    listener = listen(access.host, access.port)
    listener.set_inheritable(True)
    access = Access(access.host, listener.getsockname()[1], access.token, access.allowed_origins)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    studio = Studio(options)
    config = uvicorn.Config(
        create_app(studio, access),
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
    _Server(config, studio).run([listener])


class _Server(uvicorn.Server):
    """uvicorn that says goodbye to live sessions (1001) before it cuts their sockets (1012)."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End live sessions, then everything else."""
        await self._studio.rooms.close()
        await super().shutdown(sockets)
