"""Lines of text to any number of WebSocket clients, as they come; nobody is waited for.

The server listens on this machine alone unless told otherwise. What clients send is read and
forgotten; one that does not keep up is let go with code 1013, and pages of other sites are refused
with 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from motet.errors import require
from motet.serve.limits import Limits
from motet.serve.listener import listen

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

BACKLOG = 250
"""Lines that may wait for a slow client (ten seconds of frames) before it is let go."""
MOST_CLIENTS = 32
PATIENCE_S = 3.0
"""How long the end waits for clients that still read."""
NORMAL, GOING_AWAY, TRY_LATER = 1000, 1001, 1013
"""Codes with which sockets are closed."""


class LineServer:
    """A server that sends every line to all clients that are connected at that moment.

    Args:
        port: 0 takes any free one; see `port`.
        host: the address to listen on.

    Raises:
        MissingDependency: packages of the extra `serve` are not installed.
        InputError: the port cannot be listened on.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        for package in ("starlette", "uvicorn", "websockets"):
            require(package, "serve")
        import uvicorn
        from starlette.applications import Starlette
        from starlette.routing import WebSocketRoute

        from motet.serve.security import Access, Guard

        listener = listen(host, port)
        self.port: int = listener.getsockname()[1]
        self._clients: set[_Client] = set()
        self._somebody = threading.Event()
        app = Starlette(routes=[WebSocketRoute("/", self._serve)])
        config = uvicorn.Config(
            Guard(app, Access(host, self.port), Limits()),
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=1 << 16,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="frames", daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)

    def __enter__(self) -> LineServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopped = error is not None and not isinstance(error, Exception)
        self.close(GOING_AWAY if stopped else NORMAL)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until somebody has connected; whether somebody has."""
        return self._somebody.wait(seconds)

    def send(self, line: str) -> None:
        """Hand a line to every client; one with too many queued lines is disconnected."""
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._spread, line)

    def close(self, code: int = NORMAL) -> None:
        """Give every client what still waits for it, then end; this takes a few seconds at most,
        whatever clients do.
        """
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end, code)
        end = time.monotonic() + PATIENCE_S
        while self._clients and time.monotonic() < end:
            time.sleep(0.01)
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._server.force_exit = True
        self._thread.join(PATIENCE_S)

    def _run(self, listener: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._server.serve([listener]))
        finally:
            self._loop.close()

    def _spread(self, line: str) -> None:
        for client in self._clients:
            client.add(line)

    def _end(self, code: int) -> None:
        for client in self._clients:
            client.end(code)

    async def _serve(self, connection: WebSocket) -> None:
        await connection.accept()
        if len(self._clients) >= MOST_CLIENTS:
            reason = f"{MOST_CLIENTS} clients are connected already; try again later"
            await connection.close(TRY_LATER, reason)
            return
        client = _Client(connection)
        self._clients.add(client)
        self._somebody.set()
        try:
            await client.serve()
        finally:
            self._clients.discard(client)


class _Client:
    """A connection with the lines that wait for it."""

    def __init__(self, connection: WebSocket) -> None:
        self._socket = connection
        self._lines: asyncio.Queue[str | int] = asyncio.Queue()
        self._is_slow = asyncio.Event()

    def add(self, line: str) -> None:
        """Queue a line, or give up on a client that is too slow."""
        if self._lines.qsize() >= BACKLOG:
            self._is_slow.set()
        else:
            self._lines.put_nowait(line)

    def end(self, code: int) -> None:
        """Close after the lines that wait."""
        self._lines.put_nowait(code)

    async def serve(self) -> None:
        """Send and read until one of them ends."""
        sending, reading, slow = (
            asyncio.create_task(work()) for work in (self._send, self._read, self._is_slow.wait)
        )
        tasks = (sending, reading, slow)
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._is_slow.is_set():
            with contextlib.suppress(Exception):  # a client that does not read may be gone already
                closing = self._socket.close(TRY_LATER, "too slow: ten seconds of frames waited")
                await asyncio.wait_for(closing, PATIENCE_S)

    async def _send(self) -> None:
        while not isinstance(line := await self._lines.get(), int):
            await self._socket.send_text(line)
        await self._socket.close(line, "stopped" if line == GOING_AWAY else "the sound has ended")

    async def _read(self) -> None:
        """Drain what a client says, so that its close and its pings are seen."""
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass
