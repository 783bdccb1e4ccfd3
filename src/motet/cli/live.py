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
from motet.request import Request
from motet.sinks import sink_of

if TYPE_CHECKING:
    from motet.cli.live_input import LiveInput
    from motet.config import JsonValue
    from motet.live.delay import Dial
    from motet.live.session import LivePiece, LiveSession
    from motet.live.sources import FileSource, MicrophoneSource
    from motet.method import MethodSpec
    from motet.types import Frames, Motion

    Source = LiveInput | FileSource | MicrophoneSource
    Piece = LivePiece[Motion] | LivePiece[Frames]
    Session = LiveSession[Motion] | LiveSession[Frames]

Send = Callable[[str], None]
DEFAULT_PORT = 8765
UDP_PORTS = {"vmc": 39_539, "livelink": 11_111}


@dataclasses.dataclass(frozen=True)
class Live:
    """Audio from a pipe, a microphone or a file to one JSON line a frame on stdout or to WebSocket
    clients, or to programs that animate a face: VMC receivers and Unreal's Live Link Face.

    Every line has the frame's index and the sample of the input it belongs to, so a player can keep
    both together: `arecord -q -t raw -f S16_LE -r 16000 -c 1 | motet live`. Motion comes as named
    numbers; methods that draw send `width`, `height` and `jpeg` (base64 of a JPEG file).
    """

    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method; it must be able to stream."""
    from_: Annotated[str, tyro.conf.arg(name="from")] = "stdin"
    """Where the sound comes from: `stdin` (a WAV stream, or raw signed 16-bit little endian), `mic`
    (the default microphone), or a sound file, read at the speed of speech."""
    to: Literal["stdout", "ws", "vmc", "livelink"] = "stdout"
    """Where the frames go: standard output; every client of a WebSocket on this machine (`ws`; the
    sound is taken from the moment the first client connects); a VMC receiver such as VSeeFace, or
    Live Link Face of Unreal Engine, each frame when its sound plays with the delay."""
    delay: str = ""
    """Largest time from a sound to its frame without computing, in seconds, or `auto` (0.35 s);
    methods without a dial have their own. Also the time by which `vmc` and `livelink` come later
    than the sound, plus 0.11 s."""
    port: int = DEFAULT_PORT
    """Port of the WebSocket; 0 takes any free one."""
    receiver: str = ""
    """HOST or HOST:PORT of the VMC or Live Link receiver; this machine when left out."""
    rate: int | None = None
    """Sample rate of stdin or the microphone in Hz; resampled where the method needs another. Of a
    WAV stream its own, of raw samples 16000, of a microphone 48000 when left out."""
    channels: int | None = None
    """Interleaved channels of stdin. Of a WAV stream its own, of raw samples 1 when left out."""
    channel: int | None = None
    """Channel with the speech, from 1; the mean of all when left out. (A pipe has one track.)"""
    style: str = ""
    """A named style, a take (.npz), or a video of a speaking face whose style is taken over."""
    source: str = ""
    """Binaural methods with one input channel: position of the sound source, AZ,EL,DIST (degrees to
    the left, degrees up, metres)."""
    genre: str = ""
    """Body methods: strength of the reaction (dull, neutral, sensitive)."""
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
        """Run until the sound ends."""
        spec = self._spec()
        own = method_options(self.method, self._options(), self.option)
        dial = self._dial(spec, own)
        request = Request(
            {**own, **dial.options},
            self.postprocess,
            (self.seed,),
            other_weights=self.weights is not None,
        )
        sink_of((spec,)).check(request, (), (spec,))
        check_conditions((spec,), request, self.weights)
        self._check_flags(spec)
        return self._stream(spec, request, dial)

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

    def _dial(self, spec: MethodSpec, options: dict[str, OptionValue]) -> Dial:
        from motet.live.delay import AUTO_S, dial

        try:
            delay_s = AUTO_S if self.delay == "auto" else float(self.delay) if self.delay else None
        except ValueError as error:
            raise ConfigError(f"--delay is seconds or auto, not {self.delay!r}") from error
        return dial(spec, delay_s, options)

    def _check_flags(self, spec: MethodSpec) -> None:
        """Flags that act on one input or output are refused with the others."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"a port lies between 0 and 65535, not {self.port}")
        if self.to != "ws" and self.port != DEFAULT_PORT:
            raise ConfigError("--port belongs to --to ws; leave it out")
        if self.receiver and self.to not in UDP_PORTS:
            raise ConfigError("--receiver belongs to --to vmc and livelink; leave it out")
        if self.to in UDP_PORTS and spec.space != "arkit" and self.weights is None:
            raise ConfigError(f"{self.to} takes a face, {spec.name} generates none; choose -m")
        if self.from_ != "stdin" and self.channels is not None:
            raise ConfigError("--channels belongs to --from stdin; leave it out")
        if self.from_ not in ("stdin", "mic") and self.rate is not None:
            raise ConfigError("a sound file has its own rate; leave --rate out")

    def _stream(self, spec: MethodSpec, request: Request, dial: Dial) -> int:
        from motet.live.session import LiveSession
        from motet.session import load, person_weights

        incoming = self._incoming(spec)
        loaded = load(spec.name, self.weights or person_weights(spec, request.options), self.device)
        if loaded.method.whole_recording:
            raise ConfigError(_whole(self.method, loaded.method.whole_recording))
        with ExitStack() as stack:
            send = self._sender(stack, dial, loaded.fps)
            _open(incoming)
            session: Session = LiveSession(
                loaded,  # type: ignore[arg-type]  # motion or pictures: every sender takes both
                incoming.rate,
                incoming.channels,
                request.options,
                self.postprocess,
                self.seed,
                self.channel,
            )
            for chunk in incoming.chunks():
                send(session, session.push(chunk))
            send(session, session.finish())
        return 0

    def _incoming(self, spec: MethodSpec) -> Source:
        from motet.cli.live_input import LiveInput
        from motet.live.sources import FileSource, MicrophoneSource

        if self.from_ == "mic":
            return MicrophoneSource(self.rate or 48_000)
        if self.from_ != "stdin":
            return FileSource(Path(self.from_), in_real_time=self.to != "stdout")
        incoming = LiveInput(
            sys.stdin.buffer, spec, self.rate, self.channels, self.source, self.channel
        )
        if self.to == "stdout":  # a WebSocket announces itself before anything is read
            incoming.open()
        return incoming

    def _sender(
        self, stack: ExitStack, dial: Dial, fps: float
    ) -> Callable[[Session, Iterator[Piece]], None]:
        """Where frames go; closed with the stack."""
        if self.to in UDP_PORTS:
            return self._paced(stack, dial, fps)
        if self.to == "stdout":
            return Lines(_print, fps).send
        from motet.serve.line_server import LineServer

        server = stack.enter_context(LineServer(self.port))
        print(
            f"frames at ws://127.0.0.1:{server.port}; waiting for a client",
            file=sys.stderr,
            flush=True,
        )
        server.wait()
        return Lines(server.send, fps).send

    def _paced(
        self, stack: ExitStack, dial: Dial, fps: float
    ) -> Callable[[Session, Iterator[Piece]], None]:
        from motet.live.live_link import LiveLinkSender
        from motet.live.pacing import Pacer
        from motet.live.vmc import VmcSender

        host, port = _address(self.receiver, UDP_PORTS[self.to])
        kind = VmcSender if self.to == "vmc" else LiveLinkSender
        sender = kind(host, port)
        stack.callback(sender.close)
        pacer = Pacer(sender.send, fps, dial.advice_s)
        stack.callback(pacer.close)
        print(
            f"frames to {host}:{port}, {dial.advice_s:.2f} s after their sound; Ctrl-C ends",
            file=sys.stderr,
            flush=True,
        )

        def send(session: Session, pieces: Iterator[Piece]) -> None:
            for piece in pieces:
                pacer.add(piece, session.rate)  # type: ignore[arg-type]  # a face: checked before
            pacer.sound_arrived(session.samples_received, session.rate)

        return send


class Lines:
    """Numbered JSON lines, one for each frame."""

    def __init__(self, send: Send, fps: float) -> None:
        self._send, self._fps = send, fps
        self._frame, self._began_s = 0, time.monotonic()

    def send(self, session: Session, pieces: Iterator[Piece]) -> None:
        """Send the frames of some pieces."""
        for piece in pieces:
            records = session.loaded.sink.records(piece.out)  # type: ignore[arg-type]  # its own
            for record in records:
                clock: dict[str, JsonValue] = {
                    "frame": self._frame,
                    "sample": round(self._frame / self._fps * session.rate),
                    "elapsed_s": round(time.monotonic() - self._began_s, 4),
                }
                self._send(json.dumps({**clock, **record}, separators=(",", ":")))
                self._frame += 1


def _open(incoming: Source) -> None:
    """Read the header of a pipe; files and microphones are open already."""
    from motet.cli.live_input import LiveInput

    if isinstance(incoming, LiveInput):
        incoming.open()


def _address(text: str, port: int) -> tuple[str, int]:
    """Host and port of a receiver.

    Raises:
        ConfigError: the port is no number.
    """
    host, _, port_text = text.partition(":") if text.count(":") == 1 else (text, "", "")
    if port_text and not (port_text.isdecimal() and 0 < int(port_text) <= 65535):
        raise ConfigError(f"--receiver is HOST or HOST:PORT, not {text!r}")
    return host or "127.0.0.1", int(port_text or port)


def _whole(method: str, reason: str) -> str:
    return f"{method} cannot run live: {reason}; use motet run, or -m {DEFAULT}"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


COMMAND = Live
