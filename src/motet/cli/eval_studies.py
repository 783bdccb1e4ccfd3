"""`motet eval METHOD --study NAME`: measurements that only some methods need."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from motet.config import JsonValue
    from motet.evaluation.held_out import HeldOut
    from motet.loaded_method import LoadedMethod, Options
    from motet.metrics.lip_geometry import LipGeometry
    from motet.sinks import Picture
    from motet.types import Audio, Motion

CURVE = (
    *(("dpm++2m", steps) for steps in (2, 4, 6, 8, 12, 16, 25)),
    ("ddim", 8),
    ("ddim", 12),
    ("ddim", 25),
    ("ddim", 50),
    ("ancestral", 50),
)
"""What `--study steps` tries."""
BODY_CURVE = (
    *(("dpm++2m", steps) for steps in (2, 4, 8, 12, 16, 25)),
    ("ddim", 12),
    ("ddim", 25),
    ("ddim", 50),
    ("ancestral", 100),
)
STUDY_SOUNDS = 2


def study(
    name: str,
    loaded: LoadedMethod,
    material: HeldOut,
    lip_geometry: LipGeometry,
    options: Options,
    takes: int,
) -> tuple[dict[str, JsonValue], Table]:
    """One study as JSON and as table.

    Raises:
        ConfigError: no such study, or the method does not lend itself to it.
    """
    studies: dict[str, Callable[..., tuple[dict[str, JsonValue], Table]]] = {
        "steps": _steps,
        "style": _style,
    }
    if name not in studies:
        raise ConfigError(f"there is no study {name!r}; there are: {', '.join(studies)}")
    if loaded.spec.space != "arkit":
        raise ConfigError(
            f"studies look at faces in the house space, {loaded.spec.name} moves in"
            f" {loaded.spec.space!r}"
        )
    return studies[name](loaded, material, lip_geometry, options, takes)


def body_study(
    name: str,
    loaded: LoadedMethod,
    folder: Path,
    options: Options,
    takes: int,
    limit: int,
) -> tuple[dict[str, JsonValue], Table]:
    """The study of steps for a method that moves bodies, on held-out sounds of a corpus with known
    reactions.

    Raises:
        ConfigError: another study.
    """
    import dataclasses

    from motet.data.readers.sam import Sam
    from motet.evaluation.body import GENRES, BodyEvaluation, Case, cases, source_text
    from motet.evaluation.body_step_curve import body_curve_table, body_step_curve

    if name != "steps":
        raise ConfigError(f"bodies have no study {name!r}; there are: steps, takes, takes-seen")
    config = BodyEvaluation(limit=limit)

    def draw(case: Case, seeds: Sequence[int], how: Options) -> Motion:
        source = {"source": source_text(case.truth["source"]), "genre": GENRES[case.truth["genre"]]}
        motion = loaded.run(case.audio, {**options, **source, **how}, seeds=tuple(seeds))
        return motion.slice(0, round(config.seconds * motion.space.fps))

    rows = body_step_curve(draw, list(cases(Sam(folder), "test", config)), BODY_CURVE, takes)
    return {
        "study": "steps",
        "takes": takes,
        "rows": [dataclasses.asdict(row) for row in rows],
    }, body_curve_table(rows)


def body_takes(
    loaded: LoadedMethod, options: Options, seed: int, *, seen: bool, quiet: bool = False
) -> tuple[dict[str, JsonValue], tuple[Table, Table]]:
    """Whole takes of composed sounds, as a viewer sees them: read from BVH files.

    Args:
        seen: the scenes that are looked at while a method is developed, instead of held-out ones.
    """
    import dataclasses
    import json

    import numpy as np

    from motet.cli.progress import progress_bars
    from motet.evaluation.body_requirements import requirements, requirements_table
    from motet.evaluation.body_scenes import HELD_OUT, SCENES, TWO_EVENTS
    from motet.evaluation.body_takes import evaluate_takes, takes_table
    from motet.export import write_clip
    from motet.export.bvh import read
    from motet.types import Clip, Motion

    scenes = SCENES if seen else (*HELD_OUT, *TWO_EVENTS)
    with tempfile.TemporaryDirectory() as folder, progress_bars(quiet) as bars:
        task, path = bars.add_task(""), Path(folder) / "path.npy"

        def run(audio: Audio, how: Options) -> Motion:
            chosen = {**options, **how}
            if "source" in how:
                np.save(path, np.asarray(how["source"]), allow_pickle=False)
                chosen["source"] = str(path)
            motion = loaded.run(audio, chosen, seeds=(seed,))
            take = Clip(None, Motion(motion.values[0], motion.space))
            return read(write_clip(take, Path(folder) / "take.bvh")).motion

        scores = evaluate_takes(
            run,
            scenes,
            lambda what, done, total: bars.update(
                task, description=what, completed=done, total=total
            ),
        )
    lines = requirements(scenes, scores)
    takes = {
        name: json.loads(json.dumps([dataclasses.asdict(row) for row in rows]))
        for name, rows in (("rows", scores), ("requirements", lines))
    }
    tables = (takes_table(scores), requirements_table(lines))
    return {"study": "takes", "seed": seed, **takes}, tables


def _steps(
    loaded: LoadedMethod,
    material: HeldOut,
    lip_geometry: LipGeometry,
    options: Options,
    takes: int,
) -> tuple[dict[str, JsonValue], Table]:
    import dataclasses

    from motet.evaluation.step_curve import curve_table, step_curve

    loaded.condition(
        {"sampler": "ancestral", "steps": 1}
    )  # a method without samplers says so at once
    rows = step_curve(
        lambda audio, seeds, how: _raw(loaded, audio, seeds, {**options, **how}),
        _sounds(material),
        lip_geometry,
        CURVE,
        takes,
    )
    return {
        "study": "steps",
        "takes": takes,
        "rows": [dataclasses.asdict(row) for row in rows],
    }, curve_table(rows)


def _style(
    loaded: LoadedMethod,
    material: HeldOut,
    lip_geometry: LipGeometry,
    options: Options,
    takes: int,
) -> tuple[dict[str, JsonValue], Table]:
    from rich.table import Table

    from motet.evaluation.style_transfer import style_transfer
    from motet.export import write_clip
    from motet.types import Clip, Motion

    embed = getattr(loaded.method, "style_vector", None)
    if embed is None:
        raise ConfigError(f"{loaded.spec.name} has no style encoder; studies of style need one")
    clips, sounds = _style_clips(material), _sounds(material)
    with tempfile.TemporaryDirectory() as folder:

        def speak(clip: Motion) -> list[Motion]:
            path = write_clip(
                Clip(None, clip),
                Path(folder) / f"{zlib.crc32(clip.values.numpy().tobytes()):08x}.npz",
            )
            made = [
                _raw(loaded, audio, tuple(range(takes)), {**options, "style": str(path)})
                for audio in sounds
            ]
            return [Motion(values, motion.space) for motion in made for values in motion.values]

        scores = style_transfer(clips, speak, embed, lip_geometry)
    table = Table(title=f"style transfer, {scores.clips} clips of people never seen")
    table.add_column("measure")
    table.add_column("value", justify="right")
    facts = {
        "cosine to own clip": scores.own_cosine,
        "to others": scores.other_cosine,
        "own clip nearest": scores.first_place,
        "median rank": scores.median_rank,
    }
    for label, value in {
        **facts,
        **{f"correlation of {name}": value for name, value in scores.correlations.items()},
    }.items():
        table.add_row(label, f"{value:.2f}")
    return {"study": "style", "takes": takes, **scores.to_json()}, table


CURVES = ("artalk", "kmtalk")
"""Methods whose figure a person's drawn mouth is compared with."""


def voices(person: Path | None, recordings: Sequence[Path]) -> tuple[dict[str, JsonValue], Table]:
    """`motet eval speech2lip --study voices`: new speech of a fitted person (the shipped one when
    None) beside methods for curves.

    Args:
        recordings: sounds to say; those inside the package when there are none.

    Raises:
        AssetError, MissingDependency: the landmarker is missing.
    """
    from motet.audio import read_audio
    from motet.checkpoint import read_checkpoint
    from motet.evaluation.cross_method_sync import Recording, spoken_alike, to_json, voices_table
    from motet.evaluation.held_out import load_held_out
    from motet.methods.speech2lip.person.folder import Person
    from motet.metrics.lip_geometry import lip_geometry_of
    from motet.rigs.house import load_house
    from motet.session import load
    from motet.tracking.lip_landmarks import LipFinder

    sounds = [Recording(path.stem, read_audio(path)) for path in recordings] or [
        Recording(c.name, c.audio) for c in load_held_out().group("librivox")
    ]
    curves = {name: _curve(load(name)) for name in CURVES}
    with LipFinder() as finder:
        rows = spoken_alike(_said_by(person), sounds, curves, lip_geometry_of(load_house()), finder)
    digest = (
        read_checkpoint(Person(person).weights).digest
        if person is not None
        else load("speech2lip").digest
    )
    title = (
        f"new speech, {'the shipped person' if person is None else person.name}: correlation of the"
        " opening of the lips, best of -1, 0, 1 frames"
    )
    return {
        "study": "voices",
        "person": "shipped" if person is None else person.name,
        "weights": digest,
        **to_json(rows),
    }, voices_table(rows, title)


def _curve(loaded: LoadedMethod) -> Callable[[Audio], Motion]:
    def speak(audio: Audio) -> Motion:
        motion = loaded.run(audio)
        return type(motion)(motion.values[0], motion.space)

    return speak


def _said_by(folder: Path | None) -> Callable[[Audio], Iterator[Picture]]:
    """Face crops of a person who says a sound."""
    from motet.methods.speech2lip.person.folder import Person
    from motet.session import load
    from motet.tracking.capture.capture import cut, resized

    loaded = load("speech2lip")
    facts = Person(folder).facts if folder is not None else loaded.method.speaker.facts
    options = {"person": str(folder)} if folder is not None else {}

    def say(audio: Audio) -> Iterator[Picture]:
        return (
            resized(cut(picture, facts.crop), facts.size)
            for picture in loaded.pictures(audio, options)
        )

    return say


def _raw(loaded: LoadedMethod, audio: Audio, seeds: Sequence[int], options: Options) -> Motion:
    """Takes as the method gives them, without the blinks that finishing adds."""
    import dataclasses

    prepared = loaded.prepare(audio)
    prepared = dataclasses.replace(prepared, samples=prepared.samples.expand(len(seeds), -1, -1))
    return loaded.method.run(prepared, loaded.condition(options), seeds)


def _sounds(material: HeldOut) -> list[Audio]:
    """Free speech, the same for all."""
    return [clip.audio for clip in (material.group("librivox") or material.clips)[:STUDY_SOUNDS]]


def _style_clips(material: HeldOut) -> list[Motion]:
    """Tracked people where there are any, and performances by people whom no corpus holds, in every
    named style.
    """
    from motet.types import Motion

    tracked = [
        clip.tracked.motion.at(25.0)
        for clip in material.clips
        if clip.tracked is not None and clip.group != "grid s1"
    ]
    return [Motion(motion.values.float(), motion.space) for motion in tracked] + _performed(
        material
    )


def _performed(material: HeldOut) -> list[Motion]:
    import numpy as np
    import torch

    from motet.phonetics.phones import ARPABET, spans
    from motet.synthesis.performance.model import load_model
    from motet.synthesis.performance.perform import perform
    from motet.synthesis.performance.style import STYLES, personal
    from motet.types import Motion, arkit_space

    model, spoken = load_model(), (material.group("librivox") or material.clips)[-1]
    sound = np.asarray(spoken.audio.samples.reshape(-1), np.float32)
    phones = spans(((p.start_s, p.end_s, p.label) for p in spoken.phones), ARPABET)
    made = []
    for number, name in enumerate(sorted(STYLES)):
        values = perform(model, sound, phones, personal(STYLES[name], 900_000 + number), number)
        made.append(Motion(torch.from_numpy(values).float(), arkit_space()))
    return made
