"""`motet live`: sound as it arrives, frames as they become certain."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import tyro

from motet.errors import ConfigError
from motet.registry import DEFAULT

if TYPE_CHECKING:
    from motet.types import Motion

CHUNK_SAMPLES = 320
"""20 ms at 16 kHz: what is read at a time."""


@dataclasses.dataclass(frozen=True)
class Live:
    """Raw sound on stdin (signed 16-bit little endian, mono) to one JSON line a frame on stdout, or
    to WebSocket clients.

    Every line carries the frame's number and the sample of the sound it belongs to, so a player can
    hold both together: `arecord -q -t raw -f S16_LE -r 16000 -c 1 | motet live`.
    """

    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method."""
    to: Literal["stdout", "ws"] = "stdout"
    """Where the frames go: standard output, or every client of a WebSocket on this machine (`ws`;
    listening to the sound begins when the first client is there)."""
    port: int = 8765
    """Port of the WebSocket; 0 takes any free one."""
    rate: int = 16000
    """Samples a second of the sound on stdin; must be the method's own rate."""
    style: str = ""
    """A named style, or a take (.npz) whose manner is taken over."""
    seed: int = 0
    """Everything random comes from it."""
    head: bool = True
    """Keep the head's movement."""
    blink: bool = True
    """Keep the blinks."""
    intensity: float = 1.0
    """Scale of the mouth's movement."""

    def execute(self) -> int:
        """Read until stdin ends."""
        import torch

        from motet.face.postprocess import Finish
        from motet.session import Stream, load
        from motet.types import Audio

        loaded = load(self.method)
        if self.rate != loaded.spec.sample_rate:
            raise ConfigError(
                f"{self.method} listens at {loaded.spec.sample_rate} Hz, not {self.rate}; let the"
                " recorder resample"
            )
        options = {"style": self.style} if self.style else {}
        stream = Stream(
            loaded, options, seed=self.seed, finish=Finish(self.intensity, self.head, self.blink)
        )
        with ExitStack() as stack:
            send, number, began = self._sink(stack), 0, time.monotonic()
            for data in _chunks(sys.stdin.buffer):
                samples = torch.frombuffer(bytearray(data), dtype=torch.int16).float() / 32768
                for motion in stream.push(Audio.mono(samples, self.rate)):
                    number = _send(motion, number, self.rate, began, send)
            for motion in stream.finish():
                number = _send(motion, number, self.rate, began, send)
        return 0

    def _sink(self, stack: ExitStack) -> Callable[[str], None]:
        """Where lines go; closed with the stack."""
        if self.to == "stdout":
            return _print
        from motet.serve.socket import LineSocket

        if not 0 <= self.port <= 65535:
            raise ConfigError(f"a port lies between 0 and 65535, not {self.port}")
        socket = stack.enter_context(LineSocket(self.port))
        print(
            f"frames at ws://127.0.0.1:{socket.port}; waiting for a client",
            file=sys.stderr,
            flush=True,
        )
        socket.wait()
        return socket.send


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """Whole samples as they arrive; an odd byte at the very end is dropped."""
    rest = b""
    while data := source.read1(2 * CHUNK_SAMPLES):  # type: ignore[attr-defined]
        data = rest + data
        whole = len(data) // 2 * 2
        rest = data[whole:]
        if whole:
            yield data[:whole]


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _send(motion: Motion, number: int, rate: int, began: float, send: Callable[[str], None]) -> int:
    """Every frame as a line; answers the number of the next."""
    names = motion.space.track("blendshapes").channels
    for frame in range(motion.frames):
        weights = dict(
            zip(names, (round(float(v), 4) for v in motion["blendshapes"][frame]), strict=True)
        )
        head = [round(float(v), 5) for v in motion["head"][frame]]
        line = {
            "frame": number,
            "sample": round(number / motion.space.fps * rate),
            "elapsed_s": round(time.monotonic() - began, 4),
            "blendshapes": weights,
            "head": head,
        }
        send(json.dumps(line, separators=(",", ":")))
        number += 1
    return number


COMMAND = Live
