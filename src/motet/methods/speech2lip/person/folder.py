"""One person on disk: what fitting a video learns, what training reads, what speaking needs. A
folder::

    person.json             PersonFacts: sizes, camera, lip box, split, cuts, sources, consent
    crops.mp4               the square face crops, 25 pictures a second (see `footage.py`)
    scene.mp4               the whole pictures, same frames; absent when the crops are all of it
    audio.flac              the sound, 16 kHz mono, beginning with frame 0
    track.safetensors       Track, a frame: pose of the head, landmarks, which were really seen
    geometry.safetensors    Geometry of the canonical frame: picture, depth, masks, mesh
    features.safetensors    acoustic features, 50 rows a second (PersonFacts.encoder names it)
    weights.safetensors     the trained model: a motet checkpoint, once it has learned something
    training/               state, log and previews of a running fit; may be deleted afterwards

Every file appears only when it is complete (written beside, renamed), so a fit that was killed goes
on with what is there.

Camera: x right, y down, z forward, metres. A point p of the head lies at q = R p + t before the
camera and is seen at column f q_x / q_z + size / 2 and row f q_y / q_z + size / 2 of the crop;
whole numbers are the centres of pixels (column 0 is the centre of the first). Head space: the pose
of the canonical frame may be any; x to the person's left, y up, z out of the face, metres.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from motet import config as settings
from motet.atomic_write import write_bytes
from motet.config import parse_json
from motet.errors import AssetError, ConfigError
from motet.methods.speech2lip.person.tensor_files import read_tensors, write_tensors

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
    from torch import Tensor

    from motet.methods.speech2lip.person.footage import Footage
    from motet.types import Audio

FACTS, CROPS, SCENE, SOUND, TRACK, GEOMETRY, FEATURES, WEIGHTS, TRAINING = (
    "person.json",
    "crops.mp4",
    "scene.mp4",
    "audio.flac",
    "track.safetensors",
    "geometry.safetensors",
    "features.safetensors",
    "weights.safetensors",
    "training",
)
FPS = 25.0


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ConfigError(f"a box has at least one pixel, not {self.width} x {self.height}")


@dataclasses.dataclass(frozen=True)
class Source:
    """A video that the person was trained on."""

    name: str
    """File name without its folder."""
    digest: str
    """Twelve hex digits of its SHA-256."""
    frames: int
    """Frames it gave, in the order of the sources."""


@dataclasses.dataclass(frozen=True)
class Skip:
    """Frames of the footage that cannot be used: nothing is learnt from them or drawn in them."""

    first: int
    stop: int
    """The frame after the last."""
    reason: str


@dataclasses.dataclass(frozen=True)
class PersonFacts:
    """What is known about a person besides pictures and numbers."""

    SCHEMA: ClassVar[int] = 1

    name: str
    consent: str
    """Who allowed this, in the words of the one who made the fit. Never empty."""
    frames: int
    """Frames of the footage, at 25 a second."""
    size: int
    """Height and width of the crops in pixels."""
    scene: tuple[int, int]
    """Width and height of the whole pictures."""
    crop: Box
    """Where the crop lies in the whole picture (resized to `size`); it stands still over the
    clip."""
    focal_px: float
    """Focal length in pixels of the crop."""
    canonical: int
    """Number of the frame that is the canonical view."""
    lip: Box
    """In pixels of the crop of the canonical frame: the part of the face that speech redraws
    (mouth, lower cheeks and chin)."""
    train_frames: int
    """Frames [0, train_frames) shape the weights; the rest is the held-out tail for evaluation."""
    cuts: tuple[int, ...] = ()
    """Frames at which a new shot begins (0 not counted): neither windows of sound nor head motion
    go across."""
    sources: tuple[Source, ...] = ()
    encoder: str = ""
    """Digest of the phonetic encoder that made the features."""
    residuals: dict[str, float] = dataclasses.field(default_factory=dict)
    """How well the fit explains the footage, by name with its unit, e.g. `landmarks_px`."""
    licence: str = ""
    """Licence of the footage, where it has one."""
    skipped: tuple[Skip, ...] = ()
    """Spans without the person's mouth, in order; each is a shot of its own."""

    def __post_init__(self) -> None:
        if not self.consent.strip():
            raise ConfigError(
                "state who consented to this likeness being spoken with: --consent 'TEXT'"
            )
        if not 0 < self.train_frames <= self.frames:
            raise ConfigError(
                f"between 1 and {self.frames} frames can train, not {self.train_frames}"
            )
        if not 0 <= self.canonical < self.frames:
            raise ConfigError(
                f"the canonical frame {self.canonical} is not among the {self.frames} frames"
            )
        box = self.lip
        if (
            box.left < 0
            or box.top < 0
            or box.left + box.width > self.size
            or box.top + box.height > self.size
        ):
            raise ConfigError(
                f"the lip box {box} does not lie inside the crop of {self.size} pixels"
            )

    def shots(self) -> list[range]:
        """Frames of each uninterrupted shot."""
        borders = [0, *self.cuts, self.frames]
        return [range(start, stop) for start, stop in itertools.pairwise(borders)]

    def is_skipped(self, frame: int) -> bool:
        """Whether a frame is shown as filmed."""
        return any(skip.first <= frame < skip.stop for skip in self.skipped)

    def usable_from(self, frame: int) -> int:
        """The next frame that is not skipped, from this one on; after the end from the start."""
        for other in (*range(frame, self.frames), *range(frame)):
            if not self.is_skipped(other):
                return other
        raise AssetError(f"all frames of {self.name} are skipped; fit the person again")

    def file_of(self, frame: int) -> range:
        """Frames of the video that a frame came from; all where sources are not stored."""
        first = 0
        for source in self.sources:
            if first <= frame < first + source.frames:
                return range(first, first + source.frames)
            first += source.frames
        return range(self.frames)


@dataclasses.dataclass(frozen=True)
class Track:
    """The head over time."""

    rotation: Float[Tensor, "frames 3 3"]
    """Head to camera."""
    translation: Float[Tensor, "frames 3"]
    """Metres."""
    landmarks: Float[Tensor, "frames points 2"]
    """Column and row in the crop; the landmarker's 478 points, or none (0 points)."""
    seen: Bool[Tensor, " frames"]
    """False where no face was detected and the pose is interpolated; such frames do not train."""

    def __post_init__(self) -> None:
        shapes = {"rotation": (len(self.seen), 3, 3), "translation": (len(self.seen), 3)}
        for name, shape in shapes.items():
            if tuple(getattr(self, name).shape) != shape:
                raise AssetError(
                    f"the track's {name} has the shape {tuple(getattr(self, name).shape)}, {shape}"
                    " is needed"
                )


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The canonical view and the head's shape."""

    picture: UInt8[Tensor, "size size 3"]
    """The canonical face: what is shown around the drawn lips. A mean of frames seen in the
    canonical view, or the frame itself."""
    depth: Float[Tensor, "size size"]
    """Metres along the camera's axis for every pixel of the canonical view, 0 where there is no
    face. Taken with the mouth at rest."""
    lip_mask: UInt8[Tensor, "size size"]
    """255 where speech redraws, falling softly to 0 inside the lip box."""
    face_mask: UInt8[Tensor, "size size"]
    """255 on the face (where depth is reliable)."""
    head_mask: UInt8[Tensor, "size size"]
    """255 on head, hair and neck."""
    vertices: Float[Tensor, "verts 3"]
    """The head's mesh in head space, metres."""
    faces: Int[Tensor, "faces 3"]


class Person:
    """Reads a person's folder; nothing is loaded before it is asked for.

    Raises:
        AssetError: not a person's folder, or a part is missing or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.facts = read_facts(self.folder)

    @cached_property
    def track(self) -> Track:
        """Pose and landmarks of all frames."""
        stored = read_tensors(self.folder / TRACK)
        return Track(
            stored["rotation"].float(),
            stored["translation"].float(),
            stored["landmarks"].float(),
            stored["seen"].bool(),
        )

    @cached_property
    def geometry(self) -> Geometry:
        """Canonical view, masks and mesh."""
        stored = read_tensors(self.folder / GEOMETRY)
        pictures = {
            name: stored[name] for name in ("picture", "lip_mask", "face_mask", "head_mask")
        }
        return Geometry(
            depth=stored["depth"].float(),
            vertices=stored["vertices"].float(),
            faces=stored["faces"].long(),
            **pictures,
        )

    @cached_property
    def features(self) -> Float[Tensor, "steps channels"]:
        """Acoustic features at 50 Hz."""
        return read_tensors(self.folder / FEATURES)["features"].float()

    @property
    def audio(self) -> Audio:
        """The footage's audio."""
        from motet.audio import read_audio

        return read_audio(self.folder / SOUND)

    @property
    def crops(self) -> Footage:
        """The face crops, for reading in any order."""
        from motet.methods.speech2lip.person.footage import Footage

        return Footage(self.folder / CROPS, self.facts.frames, (self.facts.size, self.facts.size))

    @property
    def scene(self) -> Footage:
        """The whole pictures; the crops themselves when they are the whole picture."""
        from motet.methods.speech2lip.person.footage import Footage

        path, (width, height) = self.folder / SCENE, self.facts.scene
        return Footage(path, self.facts.frames, (height, width)) if path.exists() else self.crops

    @property
    def weights(self) -> Path:
        """Where the trained model lies (or will lie)."""
        return self.folder / WEIGHTS

    @property
    def training(self) -> Path:
        """The folder of a running fit."""
        return self.folder / TRAINING

    def shots(self) -> list[range]:
        """Frames of each uninterrupted shot."""
        return self.facts.shots()


def read_facts(folder: Path) -> PersonFacts:
    """The facts of a person's folder.

    Raises:
        AssetError: there is no such folder or it holds no person.
    """
    path = Path(folder) / FACTS
    try:
        return settings.from_json(PersonFacts, parse_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise AssetError(
            f"{folder} is not a person ({FACTS} is missing); make one with 'motet fit VIDEO -o"
            f" {folder}'"
        ) from error
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read: {error}") from error


def trained_weights(folder: Path) -> Path:
    """Path of a person's weights.

    Raises:
        AssetError: not the folder of a person.
        ConfigError: the person has not been trained yet.
    """
    read_facts(folder)
    path = Path(folder) / WEIGHTS
    if not path.exists():
        raise ConfigError(
            f"{folder} has no trained model yet; go on with the fit that began it: motet fit VIDEO"
            f" -o {folder}"
        )
    return path


def write_facts(folder: Path, facts: PersonFacts) -> Path:
    """Write `person.json`; returns its path."""
    return write_bytes(
        Path(folder) / FACTS,
        (json.dumps(settings.to_json(facts), indent=1, ensure_ascii=False) + "\n").encode(),
    )


def write_track(folder: Path, track: Track) -> Path:
    """Write the head's motion."""
    return write_tensors(
        Path(folder) / TRACK,
        {field.name: getattr(track, field.name) for field in dataclasses.fields(track)},
    )


def write_geometry(folder: Path, geometry: Geometry) -> Path:
    """Write canonical view, masks and mesh."""
    return write_tensors(
        Path(folder) / GEOMETRY,
        {field.name: getattr(geometry, field.name) for field in dataclasses.fields(geometry)},
    )


def write_features(folder: Path, features: Float[Tensor, "steps channels"]) -> Path:
    """Write the acoustic features as half floats."""
    return write_tensors(Path(folder) / FEATURES, {"features": features.half()})
