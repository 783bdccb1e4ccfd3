"""`motet live`: audio as it arrives, frames as soon as they are final."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from motet.cli.requests import check_conditions, method_options
from motet.errors import ConfigError
from motet.options import Device, Guidance, OptionValue, Postprocess
from motet.registry import DEFAULT, specs_of
from motet.sinks import Request, sink_of

if TYPE_CHECKING:
    from motet.config import JsonValue
    from motet.method import MethodSpec

Send = Callable[[str], None]
DEFAULT_PORT = 8765


@dataclasses.dataclass(frozen=True)
class Live:
    """Audio on stdin (a WAV stream, or raw signed 16-bit little endian) to one JSON line a frame,
    on stdout or to WebSocket clients.

    Every line has the frame's index and the sample of the input it belongs to, so a player can keep
    both together: `arecord -q -t raw -f S16_LE -r 16000 -c 1 | motet live`. Motion comes as named
    numbers; methods that draw send `width`, `height` and `jpeg` (base64 of a JPEG file).
    """

    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method; it must be able to stream."""
    to: Literal["stdout", "ws"] = "stdout"
    """Where the frames go: standard output, or every client of a WebSocket on this machine (`ws`;
    stdin is read from the moment the first client connects)."""
    port: int = DEFAULT_PORT
    """Port of the WebSocket; 0 takes any free one."""
    rate: int | None = None
    """Sample rate of the input in Hz; resampled where the method needs another. Of a WAV stream its
    own, of raw samples 16000 when left out."""
    channels: int | None = None
    """Interleaved channels of the input. Of a WAV stream its own, of raw samples 1 when left
    out."""
    channel: int | None = None
    """Channel with the speech, from 1; the mean of all when left out. (A pipe has one track.)"""
    style: str = ""
    """A named style, a take (.npz), or a video of a speaking face whose style is taken over."""
    source: str = ""
    """Binaural methods with one input channel: position of the sound source, AZ,EL,DIST (degrees to
    the left, degrees up, metres)."""
    genre: str = ""
    """Body methods: how strongly the figure reacts (dull, neutral, sensitive)."""
    person: Path | None = None
    """Methods that draw a person: folder made by `motet fit`."""
    seed: int = 0
    """Random seed."""
    guidance: Guidance = dataclasses.field(default_factory=lambda: Guidance())
    """Classifier-free guidance."""
    postprocess: Annotated[Postprocess, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: Postprocess()
    )
    """Post-processing of a face."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    device: Device = "cpu"
    """Where the networks run; `auto` takes a GPU where there is one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method's own (`motet methods NAME` lists them); may be
    repeated."""

    def execute(self) -> int:
        """Read until stdin ends."""
        spec = self._spec()
        request = Request(
            method_options(self.method, self._options(), self.option),
            self.postprocess,
            (self.seed,),
            other_weights=self.weights is not None,
        )
        sink_of((spec,)).check(request, (), (spec,))
        check_conditions((spec,), request, self.weights)
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"a port lies between 0 and 65535, not {self.port}")
        if self.to == "stdout" and self.port != DEFAULT_PORT:
            raise ConfigError("--port belongs to --to ws; leave it out")
        return self._stream(spec, request)

    def _spec(self) -> MethodSpec:
        specs = specs_of(self.method)
        if len(specs) > 1:
            raise ConfigError(f"live runs one method, not {self.method}; choose one with -m")
        if not specs[0].streams and self.weights is None:
            raise ConfigError(_whole(self.method, specs[0].whole_recording))
        return specs[0]

    def _options(self) -> dict[str, OptionValue]:
        flags = {"style": self.style, "source": self.source, "genre": self.genre}
        flags["person"] = str(self.person or "")
        return {name: value for name, value in flags.items() if value} | self.guidance.options()

    def _stream(self, spec: MethodSpec, request: Request) -> int:
        from motet.cli.live_input import LiveInput
        from motet.session import load, person_weights

        incoming = LiveInput(
            sys.stdin.buffer, spec, self.rate, self.channels, self.source, self.channel
        )
        if self.to == "stdout":  # a WebSocket announces itself before anything is read
            incoming.open()
        loaded = load(spec.name, self.weights or person_weights(spec, request.options), self.device)
        if loaded.method.whole_recording:
            raise ConfigError(_whole(self.method, loaded.method.whole_recording))
        stream = loaded.stream(request.options, seed=self.seed, postprocess=self.postprocess)
        with ExitStack() as stack:
            lines = Lines(self._sender(stack), loaded.fps)
            incoming.open()
            for chunk in incoming.chunks():
                for piece in stream.push(chunk):
                    lines.send(loaded.sink.records(piece), incoming.rate)
            for piece in stream.finish():
                lines.send(loaded.sink.records(piece), incoming.rate)
        return 0

    def _sender(self, stack: ExitStack) -> Send:
        """Where lines go; closed with the stack."""
        if self.to == "stdout":
            return _print
        from motet.serve.socket import LineSocket

        socket = stack.enter_context(LineSocket(self.port))
        print(
            f"frames at ws://127.0.0.1:{socket.port}; waiting for a client",
            file=sys.stderr,
            flush=True,
        )
        socket.wait()
        return socket.send


class Lines:
    """Numbered JSON lines, one for each frame."""

    def __init__(self, send: Send, fps: float) -> None:
        self._send, self._fps = send, fps
        self._frame, self._began_s = 0, time.monotonic()

    def send(self, records: Iterator[dict[str, JsonValue]], rate: int) -> None:
        """Send the frames of one piece; `rate` is the sample rate of the input."""
        for record in records:
            clock: dict[str, JsonValue] = {
                "frame": self._frame,
                "sample": round(self._frame / self._fps * rate),
                "elapsed_s": round(time.monotonic() - self._began_s, 4),
            }
            self._send(json.dumps({**clock, **record}, separators=(",", ":")))
            self._frame += 1


def _whole(method: str, reason: str) -> str:
    return f"{method} cannot run live: {reason}; use motet run, or -m {DEFAULT}"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


COMMAND = Live
