"""Events in the shape of OpenAI's Realtime API, for the face of a voice agent.

A proxy between an agent and its speech service passes the service's sound on as it comes and gets
frames back. Sound is base64 of PCM16, as `response.output_audio.delta` (or `response.audio.delta`)
carries it; `input_audio_buffer.append` does the same. Each frame is stamped in samples of its
item's own sound, so a client shows it when that sample plays, however far ahead the service sends.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections import deque
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.errors import ConfigError
from motet.live.packets import read_frames
from motet.live.session import EASE_S
from motet.serve.live_models import Hello
from motet.serve.models import Scalar

APPEND = ("input_audio_buffer.append", "response.output_audio.delta", "response.audio.delta")
DONE = ("input_audio_buffer.commit", "response.output_audio.done", "response.audio.done")
CANCEL = ("response.cancel", "input_audio_buffer.clear", "output_audio_buffer.clear")
TRUNCATE = "conversation.item.truncate"
KEPT_S = 120.0
"""Frames that are kept for a cut."""
MOST_AUDIO = 1 << 20
"""Characters of one piece of sound."""
Event = dict[str, Any]


class SessionSettings(BaseModel):
    """`session` of a `session.update` that comes first."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    input_audio_format: Literal["pcm16"] = "pcm16"
    input_audio_rate: int = Field(24_000, ge=8_000, le=192_000)
    """Hz; the services send 24,000."""
    method: str = Field("artalk", max_length=100)
    options: dict[str, Scalar] = Field(default_factory=dict)
    postprocess: dict[str, Scalar] = Field(default_factory=dict)
    delay_s: float | Literal["auto"] = "auto"
    avatar: str = Field("house", pattern=r"^(house|raw|[0-9a-f]{24})$")
    seed: int = Field(0, ge=0, lt=2**31)

    def hello(self) -> Hello:
        """The same as the first message of a live session."""
        own = self.model_dump(exclude={"input_audio_format", "input_audio_rate"})
        return Hello(type="hello", rate=self.input_audio_rate, **own)


@dataclasses.dataclass
class Item:
    """An utterance."""

    id: str
    start: int
    """Sample of the session with which it begins."""
    samples: int = 0


@dataclasses.dataclass(frozen=True)
class Asked:
    """What an event asks of the session."""

    sound: bytes = b""
    messages: tuple[Event, ...] = ()
    """For the room, in order."""
    answers: tuple[Event, ...] = ()
    """For the client."""


class Translator:
    """Between Realtime events and a live session; knows no sockets.

    Args:
        rate: sample rate of the sound, Hz.
        fps: frame rate.
        rest: the frame at rest.
    """

    def __init__(self, rate: int, fps: float, rest: list[float]) -> None:
        self._rate, self._fps = rate, fps
        self._rest = np.asarray(rest, np.float32)
        self._items: list[Item] = []
        self._received = 0
        self._marks = 0
        self._awaited = 0  # mark of a cut; frames before it are void
        self._kept: deque[tuple[int, np.ndarray]] = deque(maxlen=round(KEPT_S * fps))

    def ask(self, event: Event) -> Asked:
        """What a client's event asks of the session.

        Raises:
            ConfigError: an event that is not known, or not as it should be.
        """
        kind = event.get("type")
        if kind in APPEND:
            return self._append(event)
        if kind in DONE:
            done = {"type": "face.frames.done", "item_id": self._newest().id}
            return Asked(messages=({"type": "flush"}, self._mark(done, void=False)))
        if kind in CANCEL:
            return self._cut(self._newest(), self._received)
        if kind == TRUNCATE:
            return self._truncate(event)
        raise ConfigError(f"no event {str(kind)[:60]!r}; known: {', '.join(known_events())}")

    def tell(self, message: str | bytes) -> list[Event]:
        """Events of a message of the session."""
        if isinstance(message, bytes):
            _, sample, table = read_frames(message)
            return [] if self._awaited else self._frames(sample, table)
        content = json.loads(message)
        if content["type"] == "mark":
            return self._passed(content)
        if content["type"] == "error":
            problem = content["problem"]
            return [error_event(problem.get("title", ""), problem.get("detail", ""))]
        return [{**content, "type": f"face.{content['type']}"}]

    def _append(self, event: Event) -> Asked:
        text = event.get("audio", event.get("delta"))
        if not isinstance(text, str) or len(text) > MOST_AUDIO:
            raise ConfigError(f"sound is base64 of PCM16 in at most {MOST_AUDIO} characters")
        try:
            sound = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ConfigError("sound is base64 of PCM16; this is not base64") from error
        if len(sound) % 2:
            raise ConfigError("sound is PCM16: an even number of bytes")
        identity = str(event.get("item_id") or (self._items[-1].id if self._items else "item_0"))
        if not self._items or self._items[-1].id != identity:
            self._items = [*self._items[-7:], Item(identity[:100], self._received)]
        self._items[-1].samples += len(sound) // 2
        self._received += len(sound) // 2
        return Asked(sound)

    def _truncate(self, event: Event) -> Asked:
        item = next((i for i in self._items if i.id == event.get("item_id")), None)
        end_ms = event.get("audio_end_ms")
        if item is None or not isinstance(end_ms, int | float) or end_ms < 0:
            raise ConfigError("a truncation names an item_id that has sound, and audio_end_ms")
        end = min(item.start + round(end_ms / 1000 * self._rate), item.start + item.samples)
        truncated = {"type": "conversation.item.truncated", "item_id": item.id, "content_index": 0}
        cut = self._cut(item, end)
        events = ({**truncated, "audio_end_ms": end_ms}, *cut.answers)
        return dataclasses.replace(cut, answers=events)

    def _cut(self, item: Item, sample: int) -> Asked:
        """Forget what lies after a sample, and return to rest from the frame that it shows."""
        before = [frame for frame in self._kept if frame[0] <= sample]
        self._kept.clear()
        last = before[-1][1] if before else self._rest
        steps = max(2, round(EASE_S * self._fps))
        share = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, steps + 1)[1:, None])
        first = sample if not before else before[-1][0] + round(self._rate / self._fps)
        table = self._rest + share * (last - self._rest)
        mark = self._mark({}, void=True)
        events = (self._delta(item, first, table.astype(np.float32)),)
        return Asked(messages=({"type": "interrupt"}, mark), answers=events)

    def _mark(self, event: Event, *, void: bool) -> Event:
        self._marks += 1
        if void:
            self._awaited = self._marks
        return {"type": "mark", "number": self._marks, "event": event}

    def _passed(self, mark: Event) -> list[Event]:
        if mark["number"] == self._awaited:
            self._awaited = 0
        return [mark["event"]] if mark["event"] and not self._awaited else []

    def _frames(self, sample: int, table: Float[np.ndarray, "frames numbers"]) -> list[Event]:
        step = self._rate / self._fps
        self._kept.extend((sample + round(k * step), frame) for k, frame in enumerate(table))
        item = next((i for i in reversed(self._items) if i.start <= sample), None)
        return [] if item is None else [self._delta(item, sample, table)]

    def _delta(self, item: Item, sample: int, table: Float[np.ndarray, "frames numbers"]) -> Event:
        first = sample - item.start
        return {
            "type": "face.frames.delta",
            "item_id": item.id,
            "first_sample": first,
            "audio_start_ms": round(1000 * first / self._rate, 3),
            "frames": [[round(float(value), 4) for value in frame] for frame in table],
        }

    def _newest(self) -> Item:
        return self._items[-1] if self._items else Item("item_0", 0)


def known_events() -> tuple[str, ...]:
    """Events that a client may send."""
    return ("session.update", *APPEND, *DONE, *CANCEL, TRUNCATE)


def settings_of(text: str) -> SessionSettings:
    """The settings of the first event.

    Raises:
        ConfigError: it is no `session.update`, or has impossible settings.
    """
    event = parsed(text)
    if event.get("type") != "session.update":
        raise ConfigError("the first event is session.update with the settings of the face")
    try:
        return SessionSettings.model_validate(event.get("session") or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"session.{where}: {first['msg']}") from error


def parsed(text: str) -> Event:
    """An event.

    Raises:
        ConfigError: not a JSON object.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError("an event is a JSON object; this is not JSON") from error
    if not isinstance(event, dict):
        raise ConfigError("an event is a JSON object")
    return event


def error_event(title: str, detail: str) -> Event:
    """An error as the Realtime API tells it."""
    return {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": title or None, "message": detail},
    }
