"""All live sessions of the server: how many fit, loading methods, coming back, the end."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from motet.errors import ConfigError
from motet.options import Postprocess
from motet.registry import specs_of
from motet.serve.folder import DataFolder
from motet.serve.limits import Limits
from motet.serve.live_models import Hello
from motet.serve.option_schema import checked_options, checked_postprocess
from motet.serve.problems import Refusal, required

if TYPE_CHECKING:
    from motet.live.delay import Dial
    from motet.serve.live_room import Room

USABLE = 0.5
"""Share of the cores that live sessions may take by their stated cost."""


class LiveRooms:
    """Live sessions by their ids.

    Args:
        folder: for avatars.
        limits: how many sessions there may be.
    """

    def __init__(self, folder: DataFolder, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._rooms: dict[str, Room] = {}
        self._opening = 0.0
        self._loading = asyncio.Lock()
        self.is_closing = False

    def find(self, identity: str) -> Room | None:
        """The room of an id that is still open."""
        room = self._rooms.get(identity)
        return None if room is None or room.is_closed else room

    async def open(self, hello: Hello) -> Room:
        """A new session.

        Raises:
            Refusal: no session fits any more (429), or the server is stopping (503).
            MotetError: something in the hello cannot be honoured.
        """
        dial = self._dial(hello)
        if hello.avatar not in ("house", "raw"):
            path = self._folder.path("avatars", hello.avatar)
            required(path if path.is_file() else None, "avatar")
        self._check_room_for(dial.cost)
        self._opening += dial.cost  # loading takes a while; the place is taken meanwhile
        try:
            async with self._loading:
                room = await asyncio.to_thread(self._make, hello, dial, asyncio.get_running_loop())
        finally:
            self._opening -= dial.cost
        self._rooms[room.id] = room
        return room

    def drop(self, room: Room, code: int = 1000, reason: str = "") -> None:
        """End a session."""
        room.close(code, reason)
        self._rooms.pop(room.id, None)

    async def close(self) -> None:
        """End all sessions because the server stops, and wait a moment until clients know it."""
        self.is_closing = True
        rooms = [*self._rooms.values()]
        for room in rooms:
            self.drop(room, 1001, "the server is stopping")
        for _ in range(50):
            if not any(room.sockets for room in rooms):
                return
            await asyncio.sleep(0.02)

    def _dial(self, hello: Hello) -> Dial:
        from motet.live.delay import AUTO_S, dial

        specs = specs_of(hello.method)
        if len(specs) > 1:
            raise ConfigError(f"live runs one method, not {hello.method}; choose one")
        if not specs[0].streams:
            raise ConfigError(
                f"{specs[0].name} cannot run live: {specs[0].whole_recording}; choose another"
            )
        options = checked_options(hello.method, hello.options)
        set_by_hand = bool(specs[0].delays) and bool({*specs[0].delays[0].options} & {*options})
        delay_s = hello.delay_s
        if delay_s == "auto":
            delay_s = AUTO_S if specs[0].delays and not set_by_hand else None
        return dial(specs[0], delay_s, options)

    def _check_room_for(self, cost: float) -> None:
        if self.is_closing:
            raise Refusal(503, "the server is stopping; try again when it has started")
        taken = sum(room.cost for room in self._rooms.values()) + self._opening
        fits = taken + cost <= USABLE * (os.cpu_count() or 1) or not taken
        if len(self._rooms) >= self._limits.max_live or not fits:
            text = f"{len(self._rooms)} live sessions are all that this machine carries"
            raise Refusal(429, f"{text}; try again when one has ended, or with a longer delay")

    def _make(self, hello: Hello, dial: Dial, loop: asyncio.AbstractEventLoop) -> Room:
        """Load the method (once for all sessions) and begin; runs in a thread."""
        from motet import config as settings
        from motet.live.session import LiveSession
        from motet.serve.live_room import Room
        from motet.serve.tasks.curves import curves_of
        from motet.serve.tasks.takes import resolved
        from motet.session import load

        options = {**checked_options(hello.method, hello.options), **dial.options}
        stored = {name: resolved(value, self._folder) for name, value in options.items()}
        finish = checked_postprocess(hello.method, hello.postprocess)
        session = LiveSession(
            load(hello.method),
            hello.rate,
            hello.channels,
            stored,
            settings.from_json(Postprocess, finish),
            hello.seed,
        )
        return Room(session, hello, dial, curves_of(hello.avatar, self._folder), loop)
