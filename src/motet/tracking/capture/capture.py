"""From videos of a person to the person's folder, without training.

Every part is written when it is complete and not made again, so a run that was killed goes on where
it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from motet.atomic_write import write_bytes
from motet.errors import ConfigError, InputError
from motet.methods.speech2lip.person.folder import (  # fmt: skip
    CROPS,
    FACTS,
    FEATURES,
    SCENE,
    SOUND,
    TRAINING,
    Box,
    Geometry,
    Person,
    PersonFacts,
    Source,
    Track,
    write_facts,
    write_features,
    write_geometry,
    write_track,
)
from motet.methods.speech2lip.person.footage import write_footage
from motet.tracking.audio_lag import loudness_course, measure_lag
from motet.tracking.capture.describe import skipped_in_words
from motet.tracking.capture.face_mesh import OVAL, FaceMesh, read_face_mesh
from motet.tracking.capture.faces import Faces, watch
from motet.tracking.capture.head_fit import HeadFit, fit_head
from motet.tracking.capture.shots import FPS, RATE_HZ, SHORTEST_S, Shot, open_shots
from motet.tracking.capture.view import canonical_frame, depth_map, head_mask, lip_box, lip_mask
from motet.tracking.landmarker import find_model
from motet.types import Audio

_CROP_FACES = 1.62
"""Side of the crop in heights of the face."""
SMALLEST, LARGEST = 256, 512
"""Least and greatest size of crops that follows from the footage."""
_PLAN = "plan.json"
Report = Callable[[str, int, int], None]
"""Called with the step, how much of it is done, and how much there is in all."""


@dataclasses.dataclass(frozen=True)
class CaptureOptions:
    """How a person is captured."""

    consent: str
    """Who allowed this likeness to speak, in words."""
    name: str = ""
    """The person's name; the folder's when left out."""
    size: int = 0
    """Height and width of the face crops; 0: as in the footage, between 256 and 512."""
    held_out: float = 0.2
    """Share of the footage at its end that is kept for evaluation."""
    shortest_s: float = SHORTEST_S
    """Footage shorter than this is refused."""
    quality: int = 8  # smaller is better
    """x264's constant rate factor of the stored pictures."""
    licence: str = ""
    """Licence of the footage."""
    model: Path | None = None
    """The file face_landmarker.task; found inside installed packages when left out."""
    track: int | None = None
    """Sound track of the videos, from 1; see `read_audio`."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out."""

    def __post_init__(self) -> None:
        if not self.consent.strip():
            raise ConfigError(
                "state who consented to this likeness being spoken with: --consent 'TEXT'"
            )
        if self.size and (not 96 <= self.size <= 1024 or self.size % 4):
            raise ConfigError(
                f"size must be a multiple of 4 between 96 and 1024 pixels, not {self.size}"
            )
        if not 0 <= self.held_out <= 0.5:
            raise ConfigError(f"held-out must lie between 0 and 0.5, not {self.held_out}")


def capture(
    videos: Sequence[Path], folder: Path, options: CaptureOptions, report: Report | None = None
) -> Person:
    """Make a person's folder from videos, all but the trained weights.

    Raises:
        InputError: footage that cannot be used, or too little of it; says what and where.
        ConfigError: the folder holds the fit of other footage.
        AssetError, MissingDependency: the landmarker or its model is missing.
    """
    report = report or (lambda what, done, total: None)
    model = find_model(options.model)
    shots = open_shots(videos, options.shortest_s)
    _claim(folder, shots, options)
    if (folder / FACTS).exists():  # written last: everything is there
        return _renamed(Person(folder), options)
    sound = np.concatenate([shot.sound(options.track, options.channel) for shot in shots])
    total = sum(shot.frames for shot in shots)
    faces = watch(
        shots,
        model,
        folder / TRAINING / "faces",
        lambda done: report("watching the face", done, total),
    )
    _check_length(faces, options)
    crop = _crop(faces, shots[0])
    options = dataclasses.replace(options, size=options.size or own_size(crop))
    _write_pictures(folder, shots, crop, options, report)
    if not (folder / SOUND).exists():
        from motet.audio import write_audio

        write_audio(Audio.mono(torch.from_numpy(sound).float(), RATE_HZ), folder / SOUND)
    report("fitting the head", 0, 1)
    in_crop = _in_crop(faces, crop, options.size)
    head = fit_head(
        in_crop,
        mesh := read_face_mesh(model),
        np.full(2, options.size / 2),
        shots[0].height * options.size / crop.width,
    )
    report("hearing", 0, 1)
    encoder = _write_features(folder, sound, total)
    # by loudness: it needs no lips predicted from sound
    lag = measure_lag(faces.opening, loudness_course(sound, RATE_HZ, total, FPS), FPS, "loudness")
    residuals = {**head.residuals, "sound_lag_s": lag.seconds if lag.certain else 0.0}
    return _write_rest(folder, shots, crop, in_crop, head, mesh, encoder, residuals, options)


def _check_length(faces: Faces, options: CaptureOptions) -> None:
    """Refuse footage of which too little is left.

    Raises:
        InputError: says what was skipped, and where.
    """
    frames = len(faces.found)
    left = (frames - sum(skip.stop - skip.first for skip in faces.skipped)) / FPS
    if left < options.shortest_s:
        raise InputError(
            f"{left:.1f} s of {frames / FPS:.1f} can be used, {options.shortest_s:g} at least are"
            f" needed; film again without these: {skipped_in_words(faces.skipped)}"
        )


def _renamed(person: Person, options: CaptureOptions) -> Person:
    """A finished capture with the name, consent and licence of this call."""
    named = {
        "consent": options.consent.strip(),
        "name": options.name or person.facts.name,
        "licence": options.licence or person.facts.licence,
    }
    facts = dataclasses.replace(person.facts, **named)
    if facts != person.facts:
        write_facts(person.folder, facts)
    return Person(person.folder)


def _claim(folder: Path, shots: Sequence[Shot], options: CaptureOptions) -> None:
    """A folder belongs to one set of videos and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRAINING).mkdir(exist_ok=True)
    settings = {
        k: v
        for k, v in dataclasses.asdict(options).items()
        if k not in ("consent", "name", "model", "licence", "held_out", "shortest_s")
        and v is not None
    }
    # Only what changes the pictures or the sound claims a folder; names may change.
    requested = {"videos": [shot.digest for shot in shots], **settings}
    path = folder / TRAINING / _PLAN
    if path.exists() and json.loads(path.read_text()) != requested:
        raise ConfigError(
            f"{folder} holds the fit of other footage or another size; choose another folder or"
            " remove it"
        )
    write_bytes(path, json.dumps(requested, indent=1).encode())


def _crop(faces: Faces, shot: Shot) -> Box:
    """A square around the face in all frames; the whole picture's shorter side at most."""
    oval = faces.points[:, list(OVAL)]
    # 1st and 99th percentile: single wrong landmarks do not widen the crop
    low, high = (
        np.percentile(oval.min(axis=1), 1, axis=0),
        np.percentile(oval.max(axis=1), 99, axis=0),
    )
    requested = max(_CROP_FACES * faces.height_px, float((high - low).max()) * 1.15)
    # even, as video codecs with subsampled colour demand
    side = int(min(requested, shot.width, shot.height)) // 2 * 2
    # The chin and what is below it matter more than the hair.
    middle = (low + high) / 2 + np.array([0, 0.06 * faces.height_px])
    left, top = np.round(middle - side / 2).astype(int)
    return Box(
        int(np.clip(left, 0, shot.width - side)),
        int(np.clip(top, 0, shot.height - side)),
        side,
        side,
    )


def own_size(crop: Box) -> int:
    """Size of crops that keeps the footage's resolution, as far as it is of use."""
    return min(LARGEST, max(SMALLEST, crop.width // 4 * 4))


def _in_crop(faces: Faces, crop: Box, size: int) -> Faces:
    """Landmarks in pixels of the crops."""
    # whole numbers are pixel centres: half a pixel to the edge, scaled, and back
    scale = size / crop.width
    points = (faces.points + 0.5 - np.array([crop.left, crop.top])) * scale - 0.5
    return dataclasses.replace(faces, points=points, relief=faces.relief * scale)


def _write_pictures(
    folder: Path, shots: Sequence[Shot], crop: Box, options: CaptureOptions, report: Report
) -> None:
    # A crop that is the whole picture needs no second copy of it.
    total, whole = (
        sum(shot.frames for shot in shots),
        crop.width == shots[0].width == shots[0].height == options.size,
    )
    for name, box in ((CROPS, crop), (SCENE, None)):
        if (folder / name).exists() or (box is None and whole):
            continue
        pictures = _pictures(
            shots, box, options.size, lambda done, what=name: report(f"storing {what}", done, total)
        )
        write_footage(folder / name, pictures, options.quality)


def _pictures(
    shots: Sequence[Shot], crop: Box | None, size: int, progress: Callable[[int], None]
) -> Iterator[UInt8[ndarray, "height width 3"]]:
    done = 0
    for shot in shots:
        for picture in shot.pictures():
            yield (
                # even sides
                picture[: shot.height // 2 * 2, : shot.width // 2 * 2]
                if crop is None
                else resized(cut(picture, crop), size)
            )
            progress(done := done + 1)


def cut(picture: UInt8[ndarray, "height width 3"], box: Box) -> UInt8[ndarray, "rows columns 3"]:
    """The part of a picture that a box names."""
    return picture[box.top : box.top + box.height, box.left : box.left + box.width]


def resized(picture: UInt8[ndarray, "side side 3"], size: int) -> UInt8[ndarray, "size size 3"]:
    """A square picture at another size, edges on edges; averaged when made smaller."""
    if len(picture) == size:
        return np.ascontiguousarray(picture)
    channels = torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0)[None].float()
    made = torch.nn.functional.interpolate(
        channels, (size, size), mode="bicubic", align_corners=False, antialias=len(picture) > size
    )
    return made[0].movedim(0, -1).clamp(0, 255).round().byte().numpy()


def _write_features(folder: Path, sound: Float[ndarray, " time"], frames: int) -> str:
    """Extract phonetic features; returns the digest of the encoder."""
    from motet.encoders.phonetic.encoder import load_phonetic

    front = load_phonetic()
    if not (folder / FEATURES).exists():
        # two features of 50 Hz a frame; the encoder's count may differ by one
        first, state = front.step(front.begin(1), torch.from_numpy(sound).float()[None])
        features = torch.cat([first, front.finish(state)], dim=1)[0, : 2 * frames]
        write_features(
            folder, torch.nn.functional.pad(features, (0, 0, 0, 2 * frames - len(features)))
        )
    return str(getattr(front, "digest", ""))


def _write_rest(
    folder: Path,
    shots: Sequence[Shot],
    crop: Box,
    faces: Faces,
    head: HeadFit,
    mesh: FaceMesh,
    encoder: str,
    residuals: dict[str, float],
    options: CaptureOptions,
) -> Person:
    """Track, geometry and facts, in this order: with the facts the folder is a person."""
    size, count = options.size, len(faces.found)
    write_track(
        folder,
        Track(
            *(
                torch.from_numpy(a)
                for a in (
                    head.poses.rotation,
                    head.poses.translation,
                    faces.points.astype(np.float32),
                    faces.found,
                )
            )
        ),
    )
    chosen = canonical_frame(head.poses, faces, _sharpness(folder, count, size, faces))
    box = lip_box(faces.points, chosen, size)
    facts = PersonFacts(
        name=options.name or folder.name,
        consent=options.consent.strip(),
        frames=count,
        size=size,
        scene=(shots[0].width // 2 * 2, shots[0].height // 2 * 2),
        crop=crop,
        focal_px=float(head.focal_px),
        canonical=chosen,
        lip=box,
        train_frames=_train_frames(faces.cuts, count, options.held_out),
        cuts=faces.cuts,
        sources=tuple(Source(shot.path.name, shot.digest, shot.frames) for shot in shots),
        encoder=encoder,
        residuals={name: round(value, 4) for name, value in residuals.items()},
        licence=options.licence,
        skipped=faces.skipped,
    )
    write_geometry(folder, _geometry(folder, facts, head, mesh, faces.points[chosen]))
    write_facts(folder, facts)
    return Person(folder)


def _train_frames(cuts: Sequence[int], frames: int, held_out: float) -> int:
    """The held-out tail begins at a cut where one is near."""
    requested = round(frames * (1 - held_out))
    near = min(cuts, key=lambda cut: abs(cut - requested), default=requested)
    # within 3 % of the footage
    return near if abs(near - requested) <= 0.03 * frames else requested


def _sharpness(folder: Path, frames: int, size: int, faces: Faces) -> Float[ndarray, " frames"]:
    """Strength of fine detail in the face of every 5th frame, held in between."""
    from motet.methods.speech2lip.person.footage import Footage

    crops, values = Footage(folder / CROPS, frames, (size, size)), np.zeros(frames)
    low = np.clip(np.percentile(faces.points.min(axis=1), 50, axis=0).astype(int), 0, size - 8)
    high = np.clip(np.percentile(faces.points.max(axis=1), 50, axis=0).astype(int), low + 8, size)
    for frame in range(0, frames, 5):
        grey = (
            crops.frame(frame)[low[1] : high[1], low[0] : high[0]].astype(np.float32).mean(axis=2)
        )
        # Laplacian: strong where edges are sharp
        detail = (
            4 * grey[1:-1, 1:-1]
            - grey[:-2, 1:-1]
            - grey[2:, 1:-1]
            - grey[1:-1, :-2]
            - grey[1:-1, 2:]
        )
        values[frame : frame + 5] = detail.std()
    return values


def _geometry(
    folder: Path,
    facts: PersonFacts,
    head: HeadFit,
    mesh: FaceMesh,
    points: Float[ndarray, "points 2"],
) -> Geometry:
    from motet.methods.speech2lip.person.footage import Footage

    picture = Footage(folder / CROPS, facts.frames, (facts.size, facts.size)).frame(facts.canonical)
    rotation, translation = (
        head.poses.rotation[facts.canonical],
        head.poses.translation[facts.canonical],
    )
    depth = depth_map(head.vertices, mesh.faces, rotation, translation, head.focal_px, facts.size)
    return Geometry(
        picture=torch.from_numpy(picture.copy()),
        depth=torch.from_numpy(depth).float(),
        lip_mask=torch.from_numpy(lip_mask(facts.lip, facts.size)),
        # wherever the head's surface is seen
        face_mask=torch.from_numpy(np.where(depth > 0, 255, 0).astype(np.uint8)),
        head_mask=torch.from_numpy(head_mask(picture, points)),
        vertices=torch.from_numpy(head.vertices).float(),
        faces=torch.from_numpy(mesh.faces),
    )
