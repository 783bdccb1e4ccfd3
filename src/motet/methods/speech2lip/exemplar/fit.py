"""Exemplars from a person's footage: which frames, their shapes, and the maps from curves to
shapes. Everything is in closed form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from motet.errors import InputError
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.model import MOUTH_CURVES, ExemplarModel, Retarget
from motet.methods.speech2lip.exemplar.shape import (
    DISTANCES,
    canonical_landmarks,
    controls,
    distances_of,
    smoothed,
)
from motet.methods.speech2lip.exemplar.teeth import teeth_of
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth

MEMORY_BYTES = 160_000_000
"""Most that the pictures of all exemplars take."""
RUN = 25
"""Exemplars are taken in runs of this many frames, for runs can be shown as they were filmed."""
RIDGE, BEND_RIDGE = 0.2, 0.01
"""Of the maps from curves to shapes and from shapes to landmarks. On the held-out clips of 33 s of
one man a ridge of 0.03 predicts the teeth with r 0.74, 0.3 with 0.79; of 53 s 0.857 and 0.833."""
FOLDS = 5
_LOOKS_STEP = 4
_QUIET_DB, _LEAST_QUIET = -45.0, 10


@dataclasses.dataclass(frozen=True)
class Observed:
    """The mouth over the whole footage."""

    landmarks: Float[Tensor, "frames points 2"]
    """Of `CONTROL`, canonical crop."""
    shapes: Float[Tensor, "frames shape"]
    level_db: Float[Tensor, " frames"]


def observe(person: Person, mouth: Mouth) -> Observed:
    """Landmarks and shapes of all frames.

    Raises:
        InputError: the person's track holds no landmarks.
    """
    from motet.methods.speech2lip.person.dataset import FRAME_SAMPLES, loudness_db

    if not person.track.landmarks.shape[1]:
        raise InputError(
            f"{person.folder} holds no landmarks of the face; fit the person from their video"
        )
    landmarks = smoothed(canonical_landmarks(person, mouth), person.shots())
    teeth = smoothed(teeth_of(person)[:, None], person.shots())
    samples = person.audio.expect(16_000, "mono").samples[0]
    missing = person.facts.frames * FRAME_SAMPLES - len(samples)
    level = loudness_db(F.pad(samples, (0, max(0, missing))))[: person.facts.frames]
    shapes = torch.cat([distances_of(landmarks), teeth], 1)
    return Observed(controls(landmarks), shapes, level)


def fit_exemplars(
    person: Person,
    config: Speech2LipConfig,
    curves: Mapping[str, Float[Tensor, "frames dim"]],
    frames: Int[Tensor, " some"],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ExemplarModel, Speech2LipConfig]:
    """The model of a person, and its configuration with the number of exemplars that it took.

    Args:
        curves: of the motion methods that the person is to be driven by, over the whole footage.
        frames: frames that may be learnt from.

    Raises:
        InputError: too few frames.
    """
    assert config.exemplar is not None
    mouth = Mouth(person, config)
    observed = observe(person, mouth)
    shapes = observed.shapes[frames]
    most = MEMORY_BYTES // (3 * mouth.size[0] * mouth.size[1])
    chosen = frames[selected(shapes / shapes.std(0), frames, min(config.exemplar.count, most))]
    own = dataclasses.replace(config.exemplar, count=len(chosen), motions=tuple(curves))
    config = dataclasses.replace(config, exemplar=own)
    model = ExemplarModel(own)
    model.frames = chosen.int()
    model.follows = torch.cat([torch.zeros(1, dtype=torch.bool), chosen.diff() == 1])
    for cut in person.facts.cuts:
        model.follows[chosen == cut] = False
    model.shapes, model.landmarks = observed.shapes[chosen], observed.landmarks[chosen]
    model.scale = shapes.std(0).clamp(min=1e-5)
    distances = shapes[:, : len(DISTANCES)]
    model.bend[: len(DISTANCES)] = bend_of(distances, observed.landmarks[frames])
    model.rest = _rest(observed, frames)
    model.looks = _looks(person, mouth, chosen, own.looks, progress)
    for name, values in curves.items():
        _fit_retarget(model.retarget[name], values, observed.shapes, frames, person.shots())
    return model, config


def selected(
    shapes: Float[Tensor, "some shape"], frames: Int[Tensor, " some"], count: int
) -> Int[Tensor, " chosen"]:
    """Rows of at most `count` frames, in whole runs, that cover the shapes of all: the next run is
    always the one whose frames are farthest from those chosen already.
    """
    if len(shapes) <= count:
        return torch.arange(len(shapes))
    runs = [
        torch.arange(start, min(start + RUN, len(shapes))) for start in range(0, len(shapes), RUN)
    ]
    # Distance of every frame to the nearest chosen one.
    far = torch.full((len(shapes),), float("inf"))
    left, chosen = set(range(len(runs))), []
    first = int(shapes.square().sum(1).argmax()) // RUN
    while left and sum(len(runs[k]) for k in chosen) + RUN <= count:
        best = (
            first if not chosen else max(left, key=lambda k: float(far[runs[k]].clamp(max=9).sum()))
        )
        chosen.append(best)
        left.discard(best)
        far = torch.minimum(far, torch.cdist(shapes, shapes[runs[best]]).amin(1))
    return torch.cat([runs[k] for k in sorted(chosen)])


def bend_of(
    shapes: Float[Tensor, "some shape"], landmarks: Float[Tensor, "some points 2"]
) -> Float[Tensor, "shape points 2"]:
    """Landmarks from shapes, linear (ridge regression)."""
    scale = shapes.std(0).clamp(min=1e-6)
    inputs = (shapes - shapes.mean(0)) / scale
    outputs = (landmarks - landmarks.mean(0)).flatten(1)
    gram = inputs.T @ inputs + BEND_RIDGE * len(inputs) * torch.eye(inputs.shape[1])
    bend = torch.linalg.solve(gram, inputs.T @ outputs) / scale[:, None]
    return bend.unflatten(1, landmarks.shape[1:])


def _rest(observed: Observed, frames: Tensor) -> Tensor:
    """Shape of the mouth in the quiet frames, or in the quietest."""
    level = observed.level_db[frames]
    count = max(_LEAST_QUIET, int((level < _QUIET_DB).sum()))
    return observed.shapes[frames[level.argsort()[:count]]].median(0).values


def _looks(
    person: Person,
    mouth: Mouth,
    frames: Tensor,
    dims: int,
    progress: Callable[[int, int], None] | None,
) -> Float[Tensor, "count looks"]:
    """Appearance of each exemplar: principal components of its small canonical picture in the
    canonical light; 1 is a usual difference of two exemplars.
    """
    crops, small = person.crops, []
    for start in range(0, len(frames), 32):
        some = frames[start : start + 32].tolist()
        whole = torch.from_numpy(np.stack([crops.frame(frame) for frame in some]))
        whole = whole.movedim(-1, 1).float() / 255
        seen = mouth.lips_seen(whole, some, _LOOKS_STEP) / mouth.tone(whole, some)[..., None, None]
        small.append((seen * mouth.mask[:, ::_LOOKS_STEP, ::_LOOKS_STEP]).flatten(1))
        if progress is not None:
            progress(min(start + 32, len(frames)), len(frames))
    pictures = torch.cat(small)
    pictures = pictures - pictures.mean(0)
    _, _, axes = torch.linalg.svd(pictures, full_matrices=False)
    looks = pictures @ axes[:dims].T
    looks = F.pad(looks, (0, dims - looks.shape[1]))
    order = torch.randperm(len(looks), generator=torch.Generator().manual_seed(0))
    return looks / (looks - looks[order]).norm(dim=1).median().clamp(min=1e-6)


def windows_of(
    curves: Float[Tensor, "frames dim"], shots: Sequence[range], window: int
) -> Float[Tensor, "frames window dim"]:
    """Curves around every frame; zeros (a mouth at rest) past the ends of a shot."""
    half = window // 2
    parts = [
        F.pad(curves[shot.start : shot.stop], (0, 0, half, half)).unfold(0, window, 1)
        for shot in shots
    ]
    return torch.cat(parts).transpose(1, 2)


def _fit_retarget(
    retarget: Retarget,
    curves: Float[Tensor, "frames dim"],
    shapes: Float[Tensor, "frames shape"],
    frames: Int[Tensor, " some"],
    shots: Sequence[range],
) -> None:
    window = retarget.weight.shape[0] // len(MOUTH_CURVES)
    inputs = windows_of(curves, shots, window)[..., list(MOUTH_CURVES)].flatten(1)[frames]
    outputs = shapes[frames]
    # What the map predicts of frames that it was not fitted on has the distribution of new speech.
    predicted = torch.empty_like(outputs)
    for fold in torch.arange(len(frames)).chunk(FOLDS):
        others = torch.ones(len(frames), dtype=torch.bool)
        others[fold] = False
        weight, bias = ridge(inputs[others], outputs[others])
        predicted[fold] = inputs[fold] @ weight + bias
    levels = torch.linspace(0.005, 0.995, len(retarget.source))
    retarget.weight, retarget.bias = ridge(inputs, outputs)
    retarget.source = torch.quantile(predicted, levels, 0)
    retarget.target = torch.quantile(outputs, levels, 0)
    one, two = predicted - predicted.mean(0), outputs - outputs.mean(0)
    correlation = (one * two).sum(0) / (one.norm(dim=0) * two.norm(dim=0)).clamp(min=1e-9)
    retarget.trust = correlation.clamp(0, 1)


def ridge(
    inputs: Float[Tensor, "some inputs"],
    outputs: Float[Tensor, "some outputs"],
    penalty: float = RIDGE,
) -> tuple[Float[Tensor, "inputs outputs"], Float[Tensor, " outputs"]]:
    """Weight and bias of a ridge regression on standardised inputs.

    Args:
        penalty: of squared weights, for each frame.
    """
    mean, scale = inputs.mean(0), inputs.std(0) + 1e-3
    scaled = (inputs - mean) / scale
    gram = scaled.T @ scaled + penalty * len(scaled) * torch.eye(scaled.shape[1])
    weight = torch.linalg.solve(gram, scaled.T @ (outputs - outputs.mean(0))) / scale[:, None]
    return weight, outputs.mean(0) - mean @ weight
