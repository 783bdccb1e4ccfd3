"""Lines of text to any number of WebSocket clients, as they come; nobody is waited for.

The server listens on this machine alone unless told otherwise, takes nothing from clients, and lets
go of one that does not keep up.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Any

from motet.errors import InputError, require

BACKLOG = 250
"""Lines that may wait for a slow client (ten seconds of frames) before it is let go."""
MOST_CLIENTS = 32
PATIENCE_S = 3.0
"""How long the end waits for clients that still read."""


class LineSocket:
    """A server that sends every line to all clients that are connected at that moment.

    Args:
        port: 0 takes any free one; see `port`.
        host: the address to listen on.

    Raises:
        MissingDependency: the package `websockets` is not installed.
        InputError: the port cannot be listened on.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        server = require("websockets.sync.server", "live")
        self._clients: dict[int, queue.Queue[str | None]] = {}
        self._lock, self._somebody = threading.Lock(), threading.Event()
        self._serving, self._ended = 0, threading.Condition()
        try:
            self._server: Any = server.serve(
                self._serve, host, port, max_size=1024, compression=None, close_timeout=PATIENCE_S
            )
        except (OSError, OverflowError) as error:
            raise InputError(
                f"port {port} of {host} cannot be listened on: {error}; choose another with --port"
            ) from error
        self.port: int = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, name="frames", daemon=True).start()

    def __enter__(self) -> LineSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until somebody has connected; whether somebody has."""
        return self._somebody.wait(seconds)

    def send(self, line: str) -> None:
        """Hand a line to every client; one with too many queued lines is disconnected."""
        with self._lock:
            for number, lines in list(self._clients.items()):
                try:
                    lines.put_nowait(line)
                except queue.Full:
                    del self._clients[number]
                    _disconnect(lines)

    def close(self) -> None:
        """Give every client what still waits for it, then end."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for lines in clients:
            lines.put(None)
        with self._ended:
            self._ended.wait_for(lambda: self._serving == 0, PATIENCE_S)
        self._server.shutdown()

    def _serve(self, connection: Any) -> None:
        lines: queue.Queue[str | None] = queue.Queue(BACKLOG + 1)
        with self._lock:
            if len(self._clients) >= MOST_CLIENTS:
                return
            self._clients[id(lines)] = lines
        with self._ended:
            self._serving += 1
        self._somebody.set()
        closed = require("websockets.exceptions", "live").ConnectionClosed
        try:
            while (line := lines.get()) is not None:
                connection.send(line)
        except closed:
            pass
        finally:
            with self._lock:
                self._clients.pop(id(lines), None)
            with self._ended:
                self._serving -= 1
                self._ended.notify_all()


def _disconnect(lines: queue.Queue[str | None]) -> None:
    """Empty a queue and end it."""
    while True:
        try:
            lines.get_nowait()
        except queue.Empty:
            break
    lines.put_nowait(None)
