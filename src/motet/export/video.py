"""Videos with the original sound: MP4 (H.264, AAC), WebM (VP9, Opus), MOV (ProRes 4444, PCM).

WebM and MOV keep the opacity of pictures that have it.

Frame i is shown from i / fps to (i + 1) / fps; the sound may end half a frame later. Under a longer
sound the last picture is held. Every file states in
its metadata that it is synthetic, and carries signed content credentials that state the same
(`credentials.py`).
"""

from __future__ import annotations

import dataclasses
import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import Float
from torch import Tensor

from motet.atomic_write import appearing
from motet.audio.downmix import speech_mix, to_mono, with_mix
from motet.audio.resampling import resample_pieces, resampled_length
from motet.audio_types import AudioSource
from motet.errors import InputError
from motet.export.codecs import MP4, Codec
from motet.export.credentials import sign_video
from motet.export.yuv import yuv420
from motet.types import SURROUND, Audio

_AAC_LAYOUTS = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "hexagonal", 7: "7.0", 8: "octagonal",
    16: "hexadecagonal",
}  # fmt: skip
_QUEUE_SIZE = 8
"""Frames that may wait for the encoder."""


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    audio: AudioSource | None = None,
    provenance: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    credentials: bool = True,
    codec: Codec = MP4,
) -> Path:
    """Encode pictures as they arrive, with the sound, and return the path.

    Encoding runs in a thread of its own, a few frames behind the renderer.

    Args:
        frames: uint8 (height, width, 3) sRGB, or (height, width, 4) with opacity, all of one size;
            odd sizes get one more row or column.
        fps: frames per second; 25, 29.97, 30000 / 1001, ...
        audio: (channels, time). Every channel is kept as it is, up to sixteen; of more the one with
            speech.
        provenance: `method`, `weights` and `seed` are named in the file's metadata.
        progress: called with the number of frames encoded so far.
        credentials: sign the file as made by an algorithm, where the package `c2pa-python` is
            installed; mp4 and mov only.
        codec: how the file is encoded, see `CODECS`.

    Raises:
        InputError: no frames, frames of changing or impossible size, or the file cannot be written
            there.
    """
    with appearing(Path(path)) as beside:
        sound = _encodable(audio, codec)
        _Encoding(beside, _rate(fps), sound, provenance or {}, progress, codec).run(iter(frames))
        if credentials and codec.container != "webm":  # C2PA defines no place in WebM
            sign_video(beside, provenance or {}, Path(path).name)
    return Path(path)


def _rate(fps: float) -> Fraction:
    if not 0 < fps <= 1000:
        raise InputError(f"video has between 0 and 1000 frames per second, not {fps}")
    # 1001 covers the NTSC rates, 30000/1001 and its like.
    return Fraction(fps).limit_denominator(1001)


@dataclasses.dataclass
class _EncodableSound:
    """The sound of a file at a rate of its codec, read as it is encoded."""

    rate: int
    channels: int
    length: int
    layout: str
    pieces: Iterator[Audio]
    waiting: Float[Tensor, "channels time"]
    """Samples read and not taken yet."""

    def take(self, count: int) -> Float[Tensor, "channels time"]:
        """The next samples."""
        while self.waiting.shape[1] < count:
            self.waiting = torch.cat([self.waiting, next(self.pieces).samples], 1)
        samples, self.waiting = self.waiting[:, :count], self.waiting[:, count:]
        return samples


def _encodable(audio: AudioSource | None, codec: Codec) -> _EncodableSound | None:
    """The sound in a form that the codec can hold: its channels or one, at a rate it has."""
    if audio is None or not audio.length:
        return None
    if isinstance(audio, Audio) and audio.samples.ndim != 2:
        raise InputError(
            "a video has one sound (channels, time), this has the shape"
            f" {tuple(audio.samples.shape)}"
        )
    layout, channels = _aac_layout(audio), audio.channels
    if codec.sound != "aac" and channels > 2:
        layout = None  # the layouts of AAC are not those of the others
    if layout is None:
        layout, channels = "mono", 1
        audio = with_mix(audio, audio.mix or speech_mix(audio).weights)
    pieces = (to_mono(p) if channels < p.channels else p for p in audio.pieces())
    higher = (rate for rate in codec.rates if rate >= audio.sample_rate)
    rate = min(higher, default=codec.rates[-1])
    length = resampled_length(audio.length, audio.sample_rate, rate)
    resampled = resample_pieces(pieces, rate)
    return _EncodableSound(rate, channels, length, layout, resampled, torch.zeros(channels, 0))


def _aac_layout(audio: AudioSource) -> str | None:
    """FFmpeg's name of a layout in which AAC carries these channels in their order; None if it
    cannot.

    Channels that are no loudspeakers go into layouts without a bass channel, which would be cut off
    above 120 Hz.
    """
    if audio.layout in SURROUND:
        return audio.layout
    return _AAC_LAYOUTS.get(audio.channels)


class _Encoding:
    """Encoder of one file: the caller's thread makes pictures, another thread encodes them."""

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        audio: _EncodableSound | None,
        provenance: Mapping[str, Any],
        progress: Callable[[int], None] | None,
        codec: Codec,
    ) -> None:
        self._path, self._rate, self._audio, self._codec = path, rate, audio, codec
        self._provenance, self._progress = provenance, progress
        # Fine enough to end with the sound to a fraction of a millisecond.
        self._ticks = rate.denominator * max(1, 12_800 // rate.numerator)
        self._time_base = Fraction(1, 1) / (rate * self._ticks)
        self._waiting: queue.Queue[np.ndarray | None] = queue.Queue(_QUEUE_SIZE)
        self._failure: BaseException | None = None
        self._abandoned = threading.Event()

    def run(self, frames: Iterator[np.ndarray]) -> None:
        first = next(frames, None)
        if first is None:
            raise InputError("a video needs at least one frame")
        self._shape = _checked(first, None).shape
        if self._shape[2] == 4 and not self._codec.alpha:
            raise InputError(f"{self._codec.container} has no opacity; write .webm or .mov")
        worker = threading.Thread(target=self._work, name="encode", daemon=True)
        worker.start()
        try:
            self._put(first)
            for frame in frames:
                self._put(_checked(frame, self._shape))
            self._put(None)
        except BaseException:
            # The caller was interrupted: the encoder stops instead of waiting for pictures.
            self._abandoned.set()
            raise
        finally:
            worker.join()
        if self._failure is not None:
            raise self._failure

    def _put(self, frame: np.ndarray | None) -> None:
        while self._failure is None:
            try:
                return self._waiting.put(frame, timeout=0.2)
            # Waits in short turns: the encoder may have failed meanwhile.
            except queue.Full:
                continue
        raise self._failure

    def _queued(self) -> Iterator[np.ndarray]:
        while not self._abandoned.is_set():
            try:
                frame = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            if frame is None:
                return
            yield frame
        raise InterruptedError

    def _work(self) -> None:
        try:
            # Durations in units of the sound's samples: FFmpeg's default of 1 ms would round them.
            clock = self._audio.rate if self._audio is not None else 48_000
            options = {"movflags": "faststart", "movie_timescale": str(clock)}
            kind = self._codec.container
            settings = options if kind != "webm" else {}
            with av.open(str(self._path), "w", format=kind, options=settings) as container:
                container.metadata.update(_marks(self._provenance))
                self._fill(container)
        except InterruptedError:
            pass
        except av.FFmpegError as error:
            self._failure = InputError(f"the video cannot be encoded: {error.strerror or error}")
        except BaseException as error:
            self._failure = error

    def _fill(self, container: Any) -> None:
        video = self._video_stream(container)
        sound = _Sound(container, self._audio, self._codec) if self._audio is not None else None
        frames = self._queued()
        last, count = next(frames), 0
        for following in _and_none(frames):
            end = Fraction(count + 1) / self._rate
            if following is None and self._audio is not None:
                sound_end = Fraction(self._audio.length, self._audio.rate)
                # Of a longer recording the last picture is held to the end. Half a frame is no
                # matter: a longer last frame would change the file's average frame rate.
                end = sound_end if sound_end > end + 1 / self._rate else end
            container.mux(video.encode(self._picture(last, count)))
            if sound is not None:
                sound.until(float(end))
            count += 1
            if self._progress is not None:
                self._progress(count)
            last = following
        rest = video.encode(None)
        for packet in rest:
            # Players end with the last picture shown, the container with the last one in decoding
            # order.
            if packet is rest[-1] or packet.pts == (count - 1) * self._ticks:
                packet.duration = math.ceil(end / self._time_base) - (count - 1) * self._ticks
        container.mux(rest)
        if sound is not None:
            sound.finish()

    def _video_stream(self, container: Any) -> Any:
        stream = container.add_stream(
            self._codec.video, rate=self._rate, options=dict(self._codec.options)
        )
        stream.height, stream.width = (size + size % 2 for size in self._shape[:2])
        stream.pix_fmt = self._codec.alpha if self._shape[2] == 4 else self._codec.plain
        self._pixels = stream.pix_fmt
        stream.time_base = stream.codec_context.time_base = self._time_base
        context = stream.codec_context
        # BT.709 (code 1), limited range (code 1): the default of players, stated explicitly.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        return stream

    def _picture(self, rgb: np.ndarray, index: int) -> av.VideoFrame:
        height, width = rgb.shape[:2]
        if height % 2 or width % 2:
            # 4:2:0 needs even sizes; the last row or column is repeated.
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._pixels == "yuv420p":
            planes = yuv420(np.ascontiguousarray(rgb))
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        else:
            kind = "rgba" if rgb.shape[2] == 4 else "rgb24"
            source = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format=kind)
            picture = source.reformat(
                format=self._pixels,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
        picture.colorspace, picture.color_range = Colorspace.ITU709, ColorRange.MPEG
        picture.pts, picture.time_base = index * self._ticks, self._time_base
        return picture


class _Sound:
    """The sound of a file, encoded in step with the pictures so that both are interleaved."""

    def __init__(self, container: Any, audio: _EncodableSound, codec: Codec) -> None:
        self._container, self._audio, self._done = container, audio, 0
        self._stream = container.add_stream(codec.sound, rate=audio.rate)
        self._stream.layout = audio.layout
        if codec.sound != "pcm_s16le":
            self._stream.bit_rate = min(128_000, 5 * audio.rate) * audio.channels

    def until(self, seconds: float) -> None:
        """Encode up to this time."""
        audio = self._audio
        stop = min(round(seconds * audio.rate), audio.length)
        if stop <= self._done:
            return
        samples = audio.take(stop - self._done).detach().cpu().numpy()
        samples = np.clip(samples.astype(np.float32, copy=False), -1, 1)
        # Packed: PyAV writes beyond the planes of frames with eight planar channels or more.
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=audio.layout)
        frame.sample_rate, frame.pts = audio.rate, self._done
        frame.time_base = Fraction(1, audio.rate)
        self._container.mux(self._stream.encode(frame))
        self._done = stop

    def finish(self) -> None:
        """Encode the rest and flush the encoder."""
        self.until(self._audio.length / self._audio.rate)
        self._container.mux(self._stream.encode(None))


def _and_none(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray | None]:
    yield from frames
    yield None


def _checked(frame: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    frame = np.asarray(frame)
    is_picture = frame.ndim == 3 and frame.shape[2] in (3, 4) and frame.dtype == np.uint8
    if not is_picture or not 2 <= min(frame.shape[:2]) <= max(frame.shape[:2]) <= 8192:
        raise InputError(
            f"a video frame is uint8 (height, width, 3) of 2 to 8192 pixels, this is {frame.dtype}"
            f" {frame.shape}"
        )
    if shape is not None and frame.shape != shape:
        raise InputError(
            f"all frames of a video have one size; one of {frame.shape} came after {shape}"
        )
    return frame


def _marks(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Metadata that marks the file as synthetic."""
    from motet import __version__

    facts = ", ".join(
        f"{key} {provenance[key]}"
        for key in ("method", "weights", "seed")
        if provenance.get(key) not in (None, "")
    )
    return {
        "title": "Synthetic media made by an algorithm",
        "comment": (
            "Synthetic: the pictures were made by an algorithm, not recorded (motet"
            f" {__version__}{', ' + facts if facts else ''})"
        ),
        "artist": f"motet {__version__}",
    }
