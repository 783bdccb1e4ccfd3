"""Reader of SAM, MOSPA's data set, and of everything in its file layout.

`motet data sam` makes an open substitute.

::

    audio/<id>_l.wav  <id>_r.wav     ear signals, any rate
    motion/<id>.npz                  poses (frames, 55, 3) axis-angle, trans (frames, 3),
    sound_source (frames, 3), 120 fps splits/crossmodal_<split>.txt    one id a line
    ignore_list.txt                  ids of doubtful quality; the released loader defines but never
    applies it, `apply_ignored` does audio.txt, reactions.jsonl       what sounds; what a scripted
    reaction set out to do (where there are such files)

The last character of an id is the genre. Places are computed on the house skeleton unless other
offsets are given: the released loader needs the licensed body model for the subjects' own shapes,
this one does not.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.array_files import read_arrays
from motet.atomic_write import appearing
from motet.audio.io.read import read_audio
from motet.audio.resampling import resample
from motet.body.feature_vector import encode_body
from motet.config import parse_json
from motet.data.training_set import SpatialItem, SpatialSet
from motet.encoders.binaural import RATE_HZ, binaural_features, ear_features
from motet.errors import AssetError, InputError, nearest
from motet.geometry.rotation import matrix_from_axis_angle
from motet.reaction_families import family_number
from motet.types import Audio, Motion, smplx25_space

MOTION_FPS, KEPT = 120, 4  # every fourth frame: 30 a second
Ears = Literal["binaural", "mono"]


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One sequence as recorded, 120 frames a second."""

    name: str
    root: Float[Tensor, "frames 3"]
    rotations: Float[Tensor, "frames joints 3 3"]
    """Local rotations of the first 25 joints."""
    source: Float[Tensor, "frames 3"]
    """Seen from the pelvis in each frame."""
    attended: Bool[np.ndarray, " frames"] | None = None
    """Whether the figure attends to the source; None where it always does."""

    @property
    def genre(self) -> int:
        """0 dull, 1 neutral, 2 sensitive: the paper's order, undocumented in the data."""
        return genre_of(self.name)  # the last character of the id

    def motion(self) -> Motion:
        """Every fourth frame as a motion in `smplx25` at 30 fps."""
        from motet.body.skeleton import body_motion

        return body_motion(self.root[::KEPT], self.rotations[::KEPT], smplx25_space().fps)


class Sam:
    """A folder in SAM's layout.

    Raises:
        AssetError: not such a folder.
    """

    def __init__(self, folder: Path, *, apply_ignored: bool = False) -> None:
        self.folder = Path(folder)
        result = sorted((self.folder / "splits").glob("crossmodal_*.txt"))
        if not result:
            raise AssetError(
                f"{folder} is not in SAM's layout: it has no splits/crossmodal_*.txt; make an open"
                f" substitute with 'motet data sam -o {folder}'"
            )
        self.splits = {
            path.stem.removeprefix("crossmodal_"): tuple(path.read_text(encoding="utf-8").split())
            for path in result
        }
        ignored = set(self._words("ignore_list.txt")) if apply_ignored else set()
        self.splits = {
            split: tuple(name for name in names if name not in ignored)
            for split, names in self.splits.items()
        }

    def names(self, split: str) -> tuple[str, ...]:
        """Ids of a split.

        Raises:
            InputError: no such split, or an empty one.
        """
        if split not in self.splits:
            raise InputError(f"{self.folder} has no split {split!r}; {nearest(split, self.splits)}")
        if not self.splits[split]:
            raise InputError(f"the split {split!r} of {self.folder} is empty")
        return self.splits[split]

    def audio(self, name: str) -> Audio:
        """What the two ears heard, at the rate of the files."""
        ears = [read_audio(self.folder / "audio" / f"{name}_{side}.wav") for side in "lr"]
        if ears[0].sample_rate != ears[1].sample_rate:
            raise AssetError(
                f"the two ears of {name} have {ears[0].sample_rate} and {ears[1].sample_rate} Hz;"
                " export them alike"
            )
        length = min(ear.samples.shape[-1] for ear in ears)
        return Audio(
            torch.cat([ear.samples[:1, :length] for ear in ears]),  # (2, time): left, right
            ears[0].sample_rate,
            "binaural",
        )

    def read(self, name: str) -> Recorded:
        """Motion and source of a sequence.

        Raises:
            AssetError: missing, damaged, or of other shapes.
        """
        path = self.folder / "motion" / f"{name}.npz"
        try:
            keys = ("poses", "trans", "sound_source")
            stored = read_arrays(path, (*keys, "attended"))
            poses, root, source = (
                torch.from_numpy(np.asarray(stored[key], np.float64)) for key in keys
            )
        except (KeyError, ValueError) as error:
            raise AssetError(f"{path} cannot be read as a SAM sequence: {error}") from error
        if (
            poses.ndim != 3
            or poses.shape[1] < 25
            or not len(poses) == len(root) == len(source)
            or not len(poses)
        ):
            raise AssetError(
                f"{path}: poses {tuple(poses.shape)}, trans {tuple(root.shape)} and sound_source"
                f" {tuple(source.shape)} do not belong together"
            )
        attended = stored.get("attended")
        if attended is not None and attended.shape != (len(root),):
            raise AssetError(f"{path}: attended has the shape {attended.shape}, not ({len(root)},)")
        return Recorded(name, root, matrix_from_axis_angle(poses[:, :25]), source, attended)

    def labels(self) -> Mapping[str, str]:
        """Class of the sound by sequence id, or by audio id in SAM's own file; may be empty."""
        words = self._words("audio.txt")  # pairs of an id and a class, by white space
        return dict(zip(words[0::2], words[1::2], strict=False))

    def reactions(self) -> Mapping[str, Mapping[str, Any]]:
        """What each scripted reaction set out to do, by id; empty for recorded people."""
        return self._reactions

    @functools.cached_property
    def _reactions(self) -> Mapping[str, Mapping[str, Any]]:
        path = self.folder / "reactions.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {entry["id"]: entry for entry in map(parse_json, lines)}

    def role(self, name: str) -> int:
        """1 where the figure itself speaks."""
        return int(self._roles.get(name, "listener") == "speaker")

    def event_frames(self, name: str) -> tuple[int, ...]:
        """Frames at 30 a second in which something begins to sound that the figure reacts to;
        empty where that is not known.
        """
        return self._events.get(name, ())

    def families(self, name: str, frames: int) -> Int[Tensor, " frames"]:
        """`SpatialItem.families` of a sequence, 30 frames a second."""
        families = torch.zeros(frames, dtype=torch.int8)
        entry = self.reactions().get(name, {})
        for event in entry.get("events", (entry,) if "onset_s" in entry else ()):
            onset = round(event["onset_s"] * MOTION_FPS / KEPT)
            families[onset:] = family_number(event.get("family", ""))
        return families

    @functools.cached_property
    def _roles(self) -> Mapping[str, str]:
        return {name: entry.get("role", "listener") for name, entry in self.reactions().items()}

    @functools.cached_property
    def _events(self) -> Mapping[str, tuple[int, ...]]:
        fps = MOTION_FPS // KEPT
        return {
            name: tuple(round(event["onset_s"] * fps) for event in entry.get("events", ()))
            for name, entry in self.reactions().items()
        }

    def _words(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8").split() if path.exists() else []


def genre_of(name: str) -> int:
    """The genre digit at the end of an id.

    Raises:
        AssetError: the last character is not 0, 1 or 2.
    """
    if name[-1:] not in ("0", "1", "2"):
        raise AssetError(f"the id {name!r} does not end in a genre digit (0, 1 or 2)")
    return int(name[-1])


def spatial_item(
    data: Sam, name: str, ears: Ears, cache: Path | None = None, velocity_fps: int = MOTION_FPS
) -> SpatialItem:
    """A sequence as training and evaluation read it, 30 frames a second."""
    recorded = data.read(name)
    # The published features take velocities at 120 fps; encoded first, thinned then.
    if velocity_fps == MOTION_FPS:
        motion = encode_body(recorded.root, recorded.rotations)[::KEPT]
    else:
        motion = encode_body(recorded.root[::KEPT], recorded.rotations[::KEPT])
    audio = cached_features(data, name, ears, cache)
    length = min(len(motion), len(audio))
    label = data.labels().get(name, "")
    return SpatialItem(
        name,
        motion[:length].float(),
        audio[:length],
        recorded.source[::KEPT][:length].float(),
        recorded.genre,
        label,
        2 if ears == "binaural" else 1,
        data.role(name),
        _attention(recorded)[:length],
        _events(data.event_frames(name), 0, length),
        data.families(name, length),
    )


EXCERPT, EXCERPT_HOP = 300, 200
"""Frames of an excerpt of a long sequence, and from one excerpt to the next. Features refer to the
loudest moment of what is analysed, so each excerpt is analysed by itself, as windows are."""


def spatial_excerpts(
    data: Sam, name: str, ears: Ears, cache: Path | None = None, velocity_fps: int = MOTION_FPS
) -> Iterator[SpatialItem]:
    """A long sequence as overlapping excerpts of 10 s; a short one as it is."""
    recorded = data.read(name)
    frames = len(recorded.root) // KEPT
    if frames < 1.2 * EXCERPT:
        yield spatial_item(data, name, ears, cache, velocity_fps)
        return
    if velocity_fps == MOTION_FPS:
        motion = encode_body(recorded.root, recorded.rotations)[::KEPT].float()
    else:
        motion = encode_body(recorded.root[::KEPT], recorded.rotations[::KEPT]).float()
    audio = resample(data.audio(name), RATE_HZ)
    attended, per_frame = _attention(recorded), RATE_HZ * KEPT // MOTION_FPS
    label, role = data.labels().get(name, ""), data.role(name)
    families = data.families(name, frames)
    for start in [*range(0, frames - EXCERPT, EXCERPT_HOP), frames - EXCERPT]:
        span = slice(start, start + EXCERPT)
        piece = audio.slice(start * per_frame, (start + EXCERPT) * per_frame)
        features = _cached_by_content(piece, ears, cache)[:EXCERPT]
        yield SpatialItem(
            f"{name}@{start:04d}",
            motion[span][: len(features)],
            features,
            recorded.source[::KEPT][span][: len(features)].float(),
            recorded.genre,
            label,
            2 if ears == "binaural" else 1,
            role,
            attended[span][: len(features)],
            _events(data.event_frames(name), start, len(features)),
            families[span][: len(features)],
        )


def _events(frames: Iterable[int], start: int, count: int) -> tuple[int, ...]:
    """Those of some frames that lie inside an excerpt, counted from its start."""
    return tuple(frame - start for frame in frames if start <= frame < start + count)


def _attention(recorded: Recorded) -> Int[Tensor, " frames"]:
    """`SpatialItem.attended` of a sequence, 30 frames a second."""
    frames = len(recorded.root[::KEPT])
    if recorded.attended is None:
        return torch.full((frames,), 2, dtype=torch.int8)
    attended = torch.from_numpy(np.asarray(recorded.attended, bool)[::KEPT].copy())
    if not bool(attended.any()):
        return torch.zeros(frames, dtype=torch.int8)
    return attended.to(torch.int8) + 1  # 0 and 1 become 1 (before) and 2 (attending).


def _cached_by_content(
    audio: Audio, ears: Ears, cache: Path | None
) -> Float[Tensor, "frames columns"]:
    """Features under a digest of the samples: the genres of a scene share one sound."""
    if cache is None:
        # Through float16, so that cached and fresh features are equal.
        return binaural_columns(audio, ears).half().float()
    digest = hashlib.sha256(audio.samples.contiguous().numpy().tobytes()).hexdigest()[:24]
    path = cache / f"{digest}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        features = binaural_columns(audio, ears).half().contiguous()
        with appearing(path) as beside:
            save_file({"features": features}, beside)
    return load_file(path)["features"].float()


def cached_features(
    data: Sam, name: str, ears: Ears, cache: Path | None
) -> Float[Tensor, "frames columns"]:
    """Binaural features of a sequence, cached as float16 until its sound is newer."""
    path = None if cache is None else cache / f"{name}.safetensors"
    if (
        path is not None
        and path.exists()
        and path.stat().st_mtime >= (data.folder / "audio" / f"{name}_r.wav").stat().st_mtime
    ):
        return load_file(path)["features"].float()
    result = binaural_columns(resample(data.audio(name), RATE_HZ), ears)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as beside:
            save_file({"features": result.half().contiguous()}, beside)
        return result.half().float()
    return result


def binaural_columns(audio: Audio, ears: Ears) -> Float[Tensor, "frames columns"]:
    """2,272 columns of both ears, or 68 of their mean."""
    return (
        binaural_features(audio)
        if ears == "binaural"
        else ear_features(audio.samples.mean(0), rhythm=False)
    )


def spatial_set(
    folder: Path,
    split: str,
    ears: Ears,
    *,
    velocity_fps: int = MOTION_FPS,
    report: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> SpatialSet:
    """All sequences of a split with their features, which are kept beside the data.

    Raises:
        AssetError: not in SAM's layout, or a damaged file.
        InputError: no such split.
    """
    data = Sam(folder)
    cache = Path(folder) / "features" / ears if keep else None
    return SpatialSet(tuple(_items(data, data.names(split), ears, cache, velocity_fps, report)))


def _items(
    data: Sam,
    names: tuple[str, ...],
    ears: Ears,
    cache: Path | None,
    velocity_fps: int,
    report: Callable[[int, int], None] | None,
) -> Iterator[SpatialItem]:
    for number, name in enumerate(names):
        yield from spatial_excerpts(data, name, ears, cache, velocity_fps)
        if report is not None:
            report(number + 1, len(names))


def read_feature_cache(path: Path) -> SpatialItem:
    """One of the feature files that the released program keeps (`data/sam_<split>/<id>.npz`).

    Raises:
        AssetError: missing, damaged, or without one of the arrays.
    """
    try:
        keys = ("audio_array", "motion_array", "ssl_array")
        stored = read_arrays(path, ("id", *keys))
        name = str(stored["id"])
        audio, motion, source = (
            torch.from_numpy(np.asarray(stored[key], np.float32)) for key in keys
        )
    except (KeyError, ValueError) as error:
        raise AssetError(f"{path} is not a feature file of MOSPA: {error}") from error
    return SpatialItem(name, motion, audio, source, genre_of(name))
