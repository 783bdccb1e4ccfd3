"""A live session behind sockets: one thread computes, any number of sockets take what comes out.

The socket of the speaker may be lost: the room waits for its return for `RESUME_S`, and what became
final meanwhile is sent then.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import queue
import secrets
import struct
import threading
from collections.abc import Iterator
from typing import Any

import torch

from motet.config import JsonValue, from_json
from motet.errors import AudioError, MotetError
from motet.export.jpeg import encode_jpeg
from motet.live.delay import Dial
from motet.live.packets import HEADER, frames_message, samples_of
from motet.live.session import LivePiece, LiveSession
from motet.options import Postprocess
from motet.serve.live_models import Hello
from motet.serve.problems import Problem, internal_problem, problem_of
from motet.serve.tasks.curves import Curves, still

log = logging.getLogger("motet.serve")
Message = str | bytes
Json = dict[str, JsonValue]
RESUME_S = 15.0
"""How long a room waits for a speaker whose connection was lost."""
MOST_UNSENT_S = 10.0
"""Frames that may wait for a slow client."""
BEHIND_S = 0.5
"""Sound that waits for the method before the client is warned."""


@dataclasses.dataclass(frozen=True)
class Close:
    """The end of a socket."""

    code: int
    reason: str


class Outbox:
    """What waits to be sent to one socket."""

    def __init__(self, fps: float) -> None:
        self._fps, self._frames = fps, 0
        self._messages: asyncio.Queue[tuple[Message | Close, int]] = asyncio.Queue()

    def put(self, message: Message | Close, frames: int = 0) -> None:
        """Queue a message; a client that is ten seconds behind is let go."""
        self._frames += frames
        if self._frames > MOST_UNSENT_S * self._fps:
            message = Close(1013, f"too slow: {MOST_UNSENT_S:g} seconds of frames waited")
        self._messages.put_nowait((message, frames))

    async def get(self) -> Message | Close:
        """The next message."""
        message, frames = await self._messages.get()
        self._frames -= frames
        return message


class Room:
    """A session, its thread, and those who listen.

    Args:
        session: the session; used by the room's thread only.
        hello: what the client asked for.
        dial: its delay.
        curves: from motion to the numbers that the client wants.
        loop: of the sockets.
    """

    def __init__(
        self,
        session: LiveSession[Any],
        hello: Hello,
        dial: Dial,
        curves: Curves,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.id, self.hello, self.dial, self.cost = secrets.token_hex(12), hello, dial, dial.cost
        self._session, self._curves, self._loop = session, curves, loop
        self._work: queue.SimpleQueue[Json | torch.Tensor | None] = queue.SimpleQueue()
        self._queued = 0  # samples that wait for the method
        self._repeated = 0  # samples that a returning speaker sends again
        self.received = 0
        """Samples that have come in, those that wait included."""
        self.outboxes: set[Outbox] = set()
        self.speaker = Outbox(session.fps)
        self.outboxes.add(self.speaker)
        self.is_closed = False
        self.is_attended = False
        """Whether the speaker is connected."""
        self.sockets = 0
        """Connections at present, listeners included."""
        self.leavings = 0
        """How often it was lost."""
        self.ready = self._ready()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    @property
    def queued_s(self) -> float:
        """Sound that waits for the method, seconds."""
        return self._queued / self._session.rate

    def push(self, data: bytes) -> None:
        """More sound, as a client sent it.

        Raises:
            AudioError: no whole samples.
        """
        samples = samples_of(data, self.hello.format, self.hello.channels)
        known = min(self._repeated, samples.shape[-1])
        self._repeated -= known
        samples = samples[:, known:]
        if not samples.shape[-1]:
            return
        self._queued += samples.shape[-1]
        self.received += samples.shape[-1]
        self._work.put(samples)

    def attend(self, from_sample: int) -> None:
        """The speaker is back, and continues with that sample: what is missing is skipped, what
        comes twice is forgotten.
        """
        self.is_attended = True
        missing = from_sample - self.received
        self._repeated = max(0, -missing)
        if missing > 0:
            self.received += missing
            self._work.put({"type": "skip", "samples": missing})

    def ask(self, message: Json) -> None:
        """`flush`, `interrupt`, `set`, `skip` or `mark`, after the sound that came before."""
        if message["type"] == "interrupt":
            self._work.put({"type": "skip", "samples": self._drop()})
        self._work.put(message)

    def stats(self) -> Json:
        """What clients are told every second."""
        return {
            "type": "stats",
            "rtf": round(self._session.real_time_factor, 4),
            "queue_s": round(self.queued_s, 3),
            "frames": self._session.frames_emitted,
        }

    def refuse(self, problem: Problem) -> None:
        """Tell the speaker that a message could not be obeyed."""
        self.speaker.put(error_message(problem))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the session and the sockets. Returns at once; the thread ends after its window."""
        if self.is_closed:
            return
        self.is_closed = True
        self._drop()
        self._work.put(None)
        for outbox in self.outboxes:
            outbox.put(Close(code, reason))

    def _drop(self) -> int:
        """Forget the sound that waits; how many samples it was."""
        dropped = 0
        remaining: list[Json] = []
        while True:
            try:
                item = self._work.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, torch.Tensor):
                dropped += item.shape[-1]
            elif item is not None:
                remaining.append(item)
        for item in remaining:
            self._work.put(item)
        self._queued -= dropped
        return dropped

    def _ready(self) -> Json:
        loaded = self._session.loaded
        space = getattr(loaded.method, "space", None)
        channels: list[JsonValue] = []
        rest: list[JsonValue] = []
        if space is not None:
            named, values = self._curves(still(space))
            channels = [channel.to_json() for channel in named]
            rest = [float(number) for one in values for number in one[0]]
        return {
            "type": "ready",
            "session": self.id,
            "method": loaded.name,
            "fps": self._session.fps,
            "channels": channels,
            "rest": rest,
            "delay_s": {"algorithm": self.dial.algorithm_s, "advice": self.dial.advice_s},
        }

    def _run(self) -> None:
        try:
            while (item := self._work.get()) is not None:
                for piece in self._handle(item):
                    self._emit(*self._packed(piece))
        except MotetError as error:
            self._fail(problem_of(error), 1008)
        except Exception as error:
            self._fail(internal_problem(error), 1011)

    def _handle(self, item: Json | torch.Tensor) -> Iterator[LivePiece[Any]]:
        if isinstance(item, torch.Tensor):
            yield from self._push(item)
            return
        match item["type"]:
            case "flush":
                yield from self._session.flush()
            case "interrupt":
                yield from self._session.interrupt()
            case "skip":
                samples = item["samples"]
                self._session.skip(samples if isinstance(samples, int) else 0)
            case "set":
                yield from self._set(item)
            case "mark":  # comes back when everything before it has been answered
                self._emit(_text(item))

    def _push(self, samples: torch.Tensor) -> Iterator[LivePiece[Any]]:
        """Sound; what cannot be used is refused and skipped, so that the clock stays right."""
        before = self._session.samples_received
        try:
            yield from self._session.push(samples)
        except AudioError as error:
            self._emit(error_message(problem_of(error)))
            self._session.skip(before + samples.shape[-1] - self._session.samples_received)
        self._queued -= samples.shape[-1]

    def _set(self, item: Json) -> Iterator[LivePiece[Any]]:
        """Other options; impossible ones are reported, and the session goes on as before."""
        options, postprocess = item.get("options"), item.get("postprocess")
        try:
            settings = (
                from_json(Postprocess, postprocess) if isinstance(postprocess, dict) else None
            )
            assert isinstance(options, dict)
            yield from self._session.set(options, settings)  # type: ignore[arg-type]  # checked
        except MotetError as error:
            problem = problem_of(error).model_dump()
            self._emit(_text({"type": "warning", "code": "refused", "problem": problem}))

    def _packed(self, piece: LivePiece[Any]) -> tuple[bytes, int]:
        first, out = (piece.first_frame, piece.first_sample), piece.out
        if self._session.loaded.spec.output == "motion":
            _, values = self._curves(out)
            return frames_message(*first, values), out.frames
        pictures = [encode_jpeg(picture) for picture in out.rgb.numpy()]
        head = HEADER.pack(first[0] & 0xFFFFFFFF, first[1], out.frames, 0)
        body = b"".join(struct.pack("<I", len(jpeg)) + jpeg for jpeg in pictures)
        return head + body, out.frames

    def _emit(self, message: Message, frames: int = 0) -> None:
        def hand_out() -> None:
            for outbox in self.outboxes:
                outbox.put(message, frames)

        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(hand_out)

    def _fail(self, problem: Problem, code: int) -> None:
        self._emit(error_message(problem))
        reason = problem.detail[:100]
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.close, code, reason)


def error_message(problem: Problem) -> str:
    """A problem as a message of the socket."""
    return _text({"type": "error", "problem": problem.model_dump(exclude_defaults=True)})


def _text(message: Json) -> str:
    return json.dumps(message)
