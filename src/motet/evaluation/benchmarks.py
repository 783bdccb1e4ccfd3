"""The tables of face papers: a method, or a folder of predictions, on the test split of VOCASET,
BIWI or HDTF-TFHP.

Every score is that of one released program (`motet.metrics.face_benchmarks`, `motet.metrics.mesh`),
so numbers compare only with numbers of the same program on the same vertex regions: the report
names both. The data and the regions are the user's files.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.config import JsonValue
from motet.data.readers import biwi, vocaset
from motet.data.readers.hdtf_tfhp import TfhpDatabase
from motet.errors import AssetError, ConfigError, InputError, nearest
from motet.evaluation.benchmark_units import UNITS
from motet.evaluation.report import Report, Score
from motet.loaded_method import LoadedMethod, Options
from motet.metrics import face_benchmarks as scores
from motet.metrics.regions import Region
from motet.metrics.synchrony import beat_alignment, motion_beats
from motet.rigs.flame import Flame, flame_space
from motet.rigs.flame_figure import FlameFigure, in_flame
from motet.rigs.template_figure import in_vertices
from motet.types import Audio, Motion

MOST_MISSING = 2
"""Frames that a prediction may be shorter than the truth: programs round in different ways."""
Vertices = Float[Tensor, "frames verts 3"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One test clip."""

    name: str
    subject: str
    audio: Audio
    truth: Vertices
    """Without the rotation of the head."""
    template: Float[Tensor, "verts 3"]
    fps: float
    head: Float[Tensor, "frames 3"] | None = None
    """The head's rotation, where the data set has it."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What was predicted for a clip under one condition."""

    vertices: Vertices
    head: Float[Tensor, "frames 3"] | None = None


Predictor = Callable[[Case], Mapping[str, Prediction]]
"""Predictions of a clip by condition (a speaking style); one of the name "" where there is none."""


def test_cases(
    benchmark: str, folder: Path, split: str, flame: Flame | None = None
) -> Iterator[Case]:
    """The clips of a split.

    Raises:
        ConfigError: no such benchmark, or a FLAME file that is needed is missing.
        AssetError: the data set is not there.
    """
    if benchmark not in UNITS:
        raise ConfigError(f"no benchmark {benchmark!r}; {nearest(benchmark, UNITS)}")
    if benchmark == "tfhp":
        if flame is None:
            raise ConfigError("tfhp holds FLAME coefficients: give your FLAME file with --flame")
        yield from _tfhp_cases(folder, split, flame)
        return
    read = vocaset.read_vocaset if benchmark == "vocaset" else biwi.read_biwi
    for sequence in read(folder, split):
        yield Case(
            sequence.name,
            sequence.subject,
            sequence.audio,
            torch.from_numpy(np.ascontiguousarray(sequence.vertices)).float(),
            torch.from_numpy(np.ascontiguousarray(sequence.template)).float(),
            sequence.fps,
        )


def _tfhp_cases(folder: Path, split: str, flame: Flame) -> Iterator[Case]:
    data = TfhpDatabase(folder, split)
    space = flame_space()
    for name in data.names:
        clip = data.clip(name, 0, data.frames[name])
        shaped = FlameFigure(flame, space).shaped(clip.shape)
        motion = Motion(clip.motion, space)
        # The truth has its head at rest, as the published programs compare it.
        still = motion.with_track("head", torch.zeros_like(motion["head"]))
        yield Case(
            name,
            clip.speaker,
            Audio.mono(clip.samples, 16_000),
            shaped.posed(still).vertices,
            shaped.rest,
            space.fps,
            motion["head"],
        )


def method_predictor(
    loaded: LoadedMethod[Motion], options: Options, flame: Flame | None, seeds: Sequence[int] = (0,)
) -> Predictor:
    """A method's predictions, one for each seed.

    FLAME motion moves the clip's own neutral face by the displacements of FLAME's mean head.

    Raises:
        ConfigError: the method generates neither vertices nor FLAME coefficients, or FLAME is
            missing.
    """
    space = loaded.method.space
    if in_flame(space) and flame is None:
        # a method in vertices needs a template, one in FLAME the model file
        raise ConfigError(
            f"{loaded.name} generates FLAME coefficients: give your FLAME file with --flame"
        )
    if not in_flame(space) and not in_vertices(space):
        raise ConfigError(
            f"{loaded.name} with these weights generates {space.name!r}; published face benchmarks"
            " need vertices or FLAME coefficients, from weights of such a model (--weights)"
        )

    def predict(case: Case) -> dict[str, Prediction]:
        with tempfile.TemporaryDirectory() as folder:
            own = dict(options)
            if in_vertices(space):
                np.save(f"{folder}/template.npy", case.template.numpy())
                own["template"] = f"{folder}/template.npy"
            motion = loaded.run(case.audio, own, seeds=tuple(seeds)).at(case.fps)
        # an option that names a file: vertices do not fit a command line
        return {
            f"seed {seed}": _of_motion(motion.item(index), case, flame)
            for index, seed in enumerate(seeds)
        }

    return predict


def _of_motion(motion: Motion, case: Case, flame: Flame | None) -> Prediction:
    if flame is None or in_vertices(motion.space):
        return Prediction(motion["vertices"])
    shaped = FlameFigure(flame, motion.space).shaped()
    still = motion.with_track("head", torch.zeros_like(motion["head"]))
    # displacement from the mean head, added to the clip's own neutral face
    moved = shaped.posed(still).vertices - shaped.rest
    if moved.shape[1:] != case.template.shape:
        raise InputError(
            f"FLAME has {moved.shape[1]} vertices, the clips of this benchmark have"
            f" {len(case.template)}; a FLAME model is scored on vocaset or tfhp"
        )
    return Prediction(case.template + moved, motion["head"])


def folder_predictor(folder: Path) -> Predictor:
    """Predictions from files, as the published programs write them.

    `NAME.npy` with (frames, 3 verts) or (frames, verts, 3), `NAME_condition_SUBJECT.npy` for each
    speaking style, or `NAME.npz` with `vertices`. `/` in a clip's name is `_` in a file's.

    Raises:
        AssetError: not a folder.
    """
    if not folder.is_dir():
        raise AssetError(f"{folder} is not a folder of predictions (NAME.npy, one a test clip)")

    def predict(case: Case) -> dict[str, Prediction]:
        stem = case.name.replace("/", "_")
        predictions = {}
        for path in sorted(folder.glob(f"{stem}*.np[yz]")):
            name, _, condition = path.stem.removesuffix(".vertices").partition("_condition_")
            if name == stem:
                predictions[condition] = Prediction(_vertices(path, len(case.template)))
        if not predictions:
            raise AssetError(f"{folder} has no prediction of {case.name}: no file {stem}.npy")
        # Of a speaker of the training set, who has a style, that style alone is scored.
        own = predictions.get(case.subject)
        return {case.subject: own} if own is not None else predictions

    return predict


def _vertices(path: Path, verts: int) -> Vertices:
    if path.suffix == ".npz":
        values = read_arrays(path, ("vertices",)).get("vertices", np.zeros(0))
    else:
        values = read_array(path)
    # A file of no whole frames is another topology.
    if values.dtype.kind != "f" or values.size == 0 or values.size % (3 * verts):
        raise AssetError(
            f"{path} has the shape {values.shape}; predictions are (frames, {verts}, 3) or"
            f" (frames, {3 * verts}) numbers"
        )
    return torch.from_numpy(np.asarray(values, np.float32).reshape(-1, verts, 3))


@dataclasses.dataclass
class _Pool:
    """Scores that are gathered clip by clip, so that only one clip is in memory."""

    # (frames,) of each clip: mean over all frames, not over clips
    lip: list[Tensor] = dataclasses.field(default_factory=list)
    vertex: list[Tensor] = dataclasses.field(default_factory=list)
    opening: list[Tensor] = dataclasses.field(default_factory=list)
    dynamics: list[float] = dataclasses.field(default_factory=list)
    beats: list[float] = dataclasses.field(default_factory=list)
    diversity: list[float] = dataclasses.field(default_factory=list)


def evaluate_benchmark(
    benchmark: str,
    cases: Iterator[Case],
    subjects: Mapping[str, Predictor],
    regions: Mapping[str, Region],
    report: Callable[[str, int], None] | None = None,
) -> Report:
    """The table of a benchmark.

    Args:
        regions: `lips` (LVE, LVD, MOD) and `upper` (FDD); scores of a region that is not given are
            left out.
        report: called with the name of each clip and how many are done.

    Raises:
        InputError: no clip in the split, or predictions of another topology or length.
        AssetError: a region has numbers that are no vertices of the data set.
    """
    pools = {name: _Pool() for name in subjects}
    count, frames = 0, 0
    for case in cases:
        _check_regions(regions, case)
        for name, predictor in subjects.items():
            _score(pools[name], case, predictor(case), regions)
        count, frames = count + 1, frames + len(case.truth)
        if report is not None:
            report(case.name, count)
    if not count:
        raise InputError("the split has no clips; check that the files have the data set's names")
    facts: dict[str, JsonValue] = {
        "benchmark": benchmark,
        "clips": count,
        "frames": frames,
        "unit": UNITS[benchmark],
        **{f"region {name}": region.label for name, region in regions.items()},
    }
    return Report({name: tuple(_rows(pool, benchmark)) for name, pool in pools.items()}, facts)


def _check_regions(regions: Mapping[str, Region], case: Case) -> None:
    """Vertex numbers only fit the mesh that they were counted on."""
    vertices = len(case.template)
    for name, region in regions.items():
        if max(region.indices) >= vertices:
            raise AssetError(
                f"region {name} has the vertex {max(region.indices)}, the mesh of {case.name} has"
                f" {vertices} vertices; give the set of that mesh with --region {name}=FILE"
            )


def _score(
    pool: _Pool, case: Case, predictions: Mapping[str, Prediction], regions: Mapping[str, Region]
) -> None:
    cut = []
    for condition, prediction in predictions.items():
        predicted, truth = _aligned(prediction.vertices, case, condition)
        cut.append(predicted)
        # mean over vertices of the Euclidean distance: (frames,)
        pool.vertex.append((predicted - truth).double().norm(dim=-1).mean(-1))
        if "lips" in regions:
            lips = regions["lips"].indices
            pool.lip.append(scores.lip_frames(predicted, truth, lips))
            pool.opening.append(
                # mean of squares over the lips: (frames,), MOD's root follows at the end
                (predicted - truth)[:, list(lips)].double().square().sum(-1).mean(-1)
            )
        if "upper" in regions:
            upper = regions["upper"].indices
            spread = scores.dynamics_deviations([(predicted, truth)], [case.template], upper)
            pool.dynamics.append(float(spread))
        if case.head is not None and prediction.head is not None:
            beats = head_beats(case.head)
            if len(beats):
                pool.beats.append(beat_alignment(beats, head_beats(prediction.head)))
    if len(cut) > 1:
        # Conditions may differ by a frame; the comparison needs one length.
        shortest = min(map(len, cut))
        outputs = {str(index): values[:shortest] for index, values in enumerate(cut)}
        pool.diversity.append(scores.condition_diversity([outputs]))


def _aligned(predicted: Vertices, case: Case, condition: str) -> tuple[Vertices, Vertices]:
    """Both cut to one length."""
    truth = case.truth
    missing = len(truth) - len(predicted)
    if missing > MOST_MISSING or predicted.shape[1:] != truth.shape[1:]:
        raise InputError(
            f"{case.name} {condition}: predicted {tuple(predicted.shape)}, the truth is"
            f" {tuple(truth.shape)}; at most {MOST_MISSING} frames may be missing"
        )
    frames = min(len(truth), len(predicted))
    return predicted[:frames], truth[:frames]


def head_beats(head: Float[Tensor, "frames 3"]) -> Int[np.ndarray, " beats"]:
    """Frames at which a head's motion pauses."""
    return motion_beats(head.unsqueeze(1)) if len(head) > 3 else np.zeros(0, np.int64)


def _rows(pool: _Pool, benchmark: str) -> Iterator[Score]:
    def row(metric: str, value: float, clips: int) -> Score:
        return Score(metric, benchmark, value, clips)

    metres = UNITS[benchmark] == "m"
    if pool.lip:
        lip = torch.cat(pool.lip)
        yield row("LVE_squared", float(lip.mean()), len(pool.lip))
        yield row("LVD", float(lip.sqrt().mean()), len(pool.lip))
        # metres to millimetres
        if metres:
            yield row("LVE", 1000 * float(lip.mean().sqrt()), len(pool.lip))
            opening = torch.cat(pool.opening)
            yield row("MOD", 1000 * float(opening.mean().sqrt()), len(pool.opening))
    yield row("MVE", float(torch.cat(pool.vertex).mean()), len(pool.vertex))
    if pool.dynamics:
        signed = torch.tensor(pool.dynamics)
        yield row("FDD_signed", float(signed.mean()), len(signed))
        yield row("FDD_absolute", float(signed.abs().mean()), len(signed))
    if pool.diversity:
        mean = sum(pool.diversity) / len(pool.diversity)
        yield row("diversity_conditions", mean, len(pool.diversity))
    if pool.beats:
        yield row("beat_alignment", sum(pool.beats) / len(pool.beats), len(pool.beats))
