"""Recordings on disk: motion with its sound, from tracking or synthesis, read by training.

A file is a safetensors container of one recording or several. Recording number k has the tensors

    k/audio            int16 (samples,)        mono sound
    k/TRACK            float16 (frames, size)  one for each track of the motion space
    k/valid_frames     uint8 (frames,)         0 in gaps; absent when all frames count
    k/valid_channels   uint8 (dim,)            0 for channels never observed; absent when all were

and the metadata key `recordings` holds a JSON list with the facts of each (`RecordingFacts`).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from motet.config import from_json, parse_json, to_json
from motet.errors import AssetError, ConfigError, InputError
from motet.types import Audio, Clip, Motion, MotionSpace, Track

FORMAT = "motet-recordings"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Interval:
    """Something said, with its time."""

    start: float
    """Seconds on the recording's clock."""
    end: float
    """Seconds; not before `start`."""
    symbol: str
    """A phone (ARPAbet, `SIL` for silence) or a word."""


@dataclasses.dataclass(frozen=True)
class RecordingFacts:
    """What is known about a recording besides its numbers."""

    name: str
    """Unique within a corpus."""
    licence: str
    """SPDX name where there is one."""
    source: str
    """Where the recording came from."""
    credit: str = ""
    """Whom the licence asks to name."""
    split: Literal["train", "val", "test"] = "train"
    """What the recording may be used for."""
    speaker: str = ""
    """Who speaks, unique over all sources."""
    language: str = ""
    """ISO 639-1 code; empty when unknown."""
    style: str = "neutral"
    """Name of the speaking style."""
    maker: Literal["tracked", "solved", "synthesised"] = "tracked"
    """Tracked from video, solved elsewhere, or synthesised from sound."""
    seed: int | None = None
    """Seed of the synthesis."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What made it, as JSON values: style parameters, sound lag, quality."""
    phones: tuple[Interval, ...] = ()
    """Phones in time order."""
    words: tuple[Interval, ...] = ()
    """Words in time order."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a recording needs a name")
        for interval in (*self.phones, *self.words):
            if not interval.start <= interval.end:
                raise ConfigError(
                    f"{interval.symbol!r} in {self.name!r} ends at {interval.end} s, before it"
                    f" starts at {interval.start} s"
                )


@dataclasses.dataclass(frozen=True)
class Recording:
    """Motion with its sound and facts, and which of its numbers were observed.

    Raises:
        AssetError: masks that do not fit the motion.
    """

    facts: RecordingFacts
    motion: Motion
    audio: Audio | None = None
    valid_frames: Bool[Tensor, " frames"] | None = None
    """False in gaps; None when all frames count."""
    valid_channels: Bool[Tensor, " dim"] | None = None
    """False for channels never observed; None when all were."""

    def __post_init__(self) -> None:
        frames, dim = self.motion.values.shape
        for mask, size, what in (
            (self.valid_frames, frames, "frames"),
            (self.valid_channels, dim, "channels"),
        ):
            if mask is not None and tuple(mask.shape) != (size,):
                raise AssetError(
                    f"the mask of {what} of {self.facts.name!r} has the shape {tuple(mask.shape)},"
                    f" the motion has {size} {what}"
                )

    @property
    def valid(self) -> Bool[Tensor, "frames dim"]:
        """True where a number was observed."""
        frames, dim = self.motion.values.shape
        rows, columns = self.valid_frames, self.valid_channels
        seen = torch.ones(frames, dim, dtype=torch.bool)
        return (
            seen
            & (seen if rows is None else rows[:, None])
            & (seen if columns is None else columns)
        )

    @property
    def seconds(self) -> float:
        """Length of the motion."""
        return self.motion.seconds

    def clip(self) -> Clip:
        """As renderers and writers take it; the facts become its provenance."""
        return Clip(self.audio, self.motion, provenance=to_json(self.facts))


def save_clip(path: str | Path, recordings: Recording | Sequence[Recording]) -> Path:
    """Write one recording or several into one file; it appears only when it is complete.

    Motion is stored as float16 (a weight of 0..1 is exact to 0.0005), sound as int16.

    Raises:
        InputError: nothing to write, sound that is not mono, or values that are not finite.
    """
    pieces = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not pieces:
        raise InputError("no recordings to write")
    tensors = {
        f"{number}/{key}": value
        for number, piece in enumerate(pieces)
        for key, value in _tensors(piece).items()
    }
    heads = [_head(piece) for piece in pieces]
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "recordings": json.dumps(heads, separators=(",", ":")),
    }
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: `os.replace` is atomic only within one file system.
    partial = target.with_name(target.name + ".part")
    try:
        partial.write_bytes(_ordered(save(tensors, metadata)))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _ordered(data: bytes) -> bytes:
    """The same container with its metadata sorted: equal content, equal bytes."""
    # A safetensors file begins with the header's length, 8 bytes little endian.
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    # padded to 8 bytes, as the format demands of the data that follow
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _tensors(recording: Recording) -> dict[str, Tensor]:
    values = recording.motion.values
    if not bool(torch.isfinite(values).all()):
        raise InputError(
            f"the motion of {recording.facts.name!r} contains values that are not finite"
        )
    tensors = {
        # (frames, size): the axes of a track are joined
        t.name: recording.motion[t.name].flatten(1).to(torch.float16).contiguous()
        for t in recording.motion.space.tracks
    }
    if recording.audio is not None:
        sound = recording.audio.samples
        if sound.shape[:-1] != (1,):
            raise InputError(
                f"the sound of {recording.facts.name!r} must be mono, one channel, not of the shape"
                f" {tuple(sound.shape)}"
            )
        # 32768 so that -1 is exact; +1 is clipped by one step.
        tensors["audio"] = (sound[0] * 32768.0).round().clamp(-32768, 32767).to(torch.int16)
    if recording.valid_frames is not None:
        tensors["valid_frames"] = recording.valid_frames.to(torch.uint8)
    if recording.valid_channels is not None:
        tensors["valid_channels"] = recording.valid_channels.to(torch.uint8)
    return tensors


def _head(recording: Recording) -> dict[str, Any]:
    space = recording.motion.space
    return {
        "facts": to_json(recording.facts),
        "space": {
            "name": space.name,
            "fps": space.fps,
            "tracks": [to_json(t) for t in space.tracks],
        },
        "frames": recording.motion.frames,
        "sample_rate": recording.audio.sample_rate if recording.audio is not None else None,
        "samples": recording.audio.samples.shape[-1] if recording.audio is not None else 0,
    }


class RecordingFile:
    """An open file of recordings; tensors are read only when asked for.

    Raises:
        AssetError: the file is missing, damaged, or not of this format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise AssetError(f"no file of recordings at {self.path}")
        try:
            self._file = safe_open(str(self.path), framework="pt")
            metadata = self._file.metadata() or {}
        except (SafetensorError, OSError, ValueError) as error:
            raise AssetError(
                f"{self.path} is damaged or no safetensors file ({reason_of(error)}); write it"
                " again"
            ) from error
        if metadata.get("format") != FORMAT:
            raise AssetError(
                f"{self.path} holds {metadata.get('format', 'something else')!r}, not {FORMAT!r};"
                " make such files with 'motet data track' or 'motet data synth'"
            )
        if metadata.get("version") != str(VERSION):
            raise AssetError(
                f"{self.path} has version {metadata.get('version')!r} of the format, this program"
                f" reads {VERSION}; write it again with this one"
            )
        self._heads = self._read_heads(metadata.get("recordings", ""))
        self._keys = set(self._file.keys())

    def _read_heads(self, text: str) -> list[dict[str, Any]]:
        try:
            heads = parse_json(text)
        except ValueError as error:
            raise AssetError(
                f"the facts in {self.path} are no JSON ({reason_of(error)}); write the file again"
            ) from error
        if (
            not isinstance(heads, list)
            or not heads
            or not all(isinstance(head, dict) for head in heads)
        ):
            raise AssetError(f"{self.path} lists no recordings; write it again")
        return heads

    def __len__(self) -> int:
        return len(self._heads)

    def facts(self, number: int) -> RecordingFacts:
        """What is known about recording `number`."""
        return read_facts(self._head(number).get("facts"), self.path)

    def seconds(self, number: int) -> float:
        """Length of the motion of recording `number`."""
        head = self._head(number)
        return head["frames"] / _space(head.get("space"), self.path).fps

    def _head(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self._heads):
            raise AssetError(
                f"{self.path} has {len(self._heads)} recording(s), there is no number {number}"
            )
        return self._heads[number]

    def read(self, number: int = 0) -> Recording:
        """Recording `number`, checked.

        Raises:
            AssetError: tensors that are missing, of the wrong size, or not finite.
        """
        head = self._head(number)
        facts = self.facts(number)
        space = _space(head.get("space"), self.path)
        frames = head.get("frames")
        motion = torch.cat(
            [self._tensor(number, t.name, torch.float16, (frames, t.size)) for t in space.tracks],
            dim=-1,
        ).float()
        if not bool(torch.isfinite(motion).all()):
            raise AssetError(
                f"the motion of {facts.name!r} in {self.path} contains values that are not finite;"
                " write the file again"
            )
        masks = (
            self._mask(number, "valid_frames", (frames,)),
            self._mask(number, "valid_channels", (space.dim,)),
        )
        return Recording(facts, Motion(motion, space), self._audio(number, head), *masks)

    def _audio(self, number: int, head: dict[str, Any]) -> Audio | None:
        rate = head.get("sample_rate")
        if rate is None:
            return None
        if not isinstance(rate, int) or rate <= 0:
            raise AssetError(
                f"the sound in {self.path} has the sample rate {rate!r}; write the file again"
            )
        sound = self._tensor(number, "audio", torch.int16, (head.get("samples"),))
        return Audio.mono(sound.float() / 32768.0, rate)

    def _mask(self, number: int, name: str, shape: tuple[Any, ...]) -> Tensor | None:
        return (
            self._tensor(number, name, torch.uint8, shape).bool()
            if f"{number}/{name}" in self._keys
            else None
        )

    def _tensor(self, number: int, name: str, dtype: torch.dtype, shape: tuple[Any, ...]) -> Tensor:
        key = f"{number}/{name}"
        if key not in self._keys:
            raise AssetError(f"{self.path} lacks {key!r}; it is incomplete, write it again")
        try:
            tensor = self._file.get_tensor(key)
        except SafetensorError as error:
            raise AssetError(
                f"{key!r} in {self.path} cannot be read ({reason_of(error)}); write the file again"
            ) from error
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            raise AssetError(
                f"{key!r} in {self.path} is {tensor.dtype} {tuple(tensor.shape)}, expected {dtype}"
                f" {shape}; write the file again"
            )
        return tensor


def load_clip(path: str | Path, number: int = 0) -> Recording:
    """One recording of a file (the first when no number is given).

    Raises:
        AssetError: the file is missing, damaged, of another format, or has no such recording.
    """
    return RecordingFile(path).read(number)


def read_facts(values: Any, path: Path) -> RecordingFacts:
    """Facts from their JSON form; `path` is named in errors.

    Raises:
        AssetError: they are malformed.
    """
    if not isinstance(values, dict):
        raise AssetError(f"{path} has no facts for a recording; write it again")
    values = dict(values)
    settings = values.pop("settings", {})
    if not isinstance(settings, dict):
        raise AssetError(
            f"the settings of a recording in {path} are no object; write the file again"
        )
    try:
        return dataclasses.replace(from_json(RecordingFacts, values), settings=settings)
    except ConfigError as error:
        raise AssetError(f"the facts in {path} are malformed: {error}") from error


def _space(values: Any, path: Path) -> MotionSpace:
    try:
        tracks = tuple(from_json(Track, track) for track in values["tracks"])
        if not tracks or any(size <= 0 for track in tracks for size in track.shape):
            raise ConfigError("tracks without numbers")
        return MotionSpace(str(values["name"]), tracks, float(values["fps"]))
    except (ConfigError, InputError, KeyError, TypeError, ValueError) as error:
        raise AssetError(
            f"the motion space in {path} is malformed ({reason_of(error)}); write the file again"
        ) from error


def reason_of(error: Exception) -> str:
    """The first line of an error's text, for messages of one line."""
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
