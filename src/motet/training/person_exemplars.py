"""Fitting a person whose mouth is drawn from exemplars: curves of the footage's sound by the
methods for curves, then everything else in closed form. Minutes, not hours; a fit that was killed
goes on with the curves that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.atomic_write import appearing
from motet.checkpoint import save_checkpoint
from motet.errors import InputError
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.exemplar.calibrate import calibrated
from motet.methods.speech2lip.exemplar.fit import fit_exemplars
from motet.methods.speech2lip.exemplar.model import ExemplarModel
from motet.methods.speech2lip.exemplar.speaker import MOUTHS
from motet.methods.speech2lip.person.folder import FPS, Person
from motet.methods.speech2lip.person.footage import write_footage
from motet.methods.speech2lip.person.mouth_region import Mouth
from motet.session import load
from motet.types import Audio, Motion

LEAST_FRAMES = 150  # six seconds at 25 frames a second
QUALITY = 8
Report = Callable[[str, int, int], None]
"""Called with the step, how much of it is done, and how much there is in all."""


def fit_exemplar_person(
    person: Person,
    config: Speech2LipConfig | None = None,
    motions: Sequence[str] | None = None,
    report: Report | None = None,
) -> str:
    """Fit a captured person; returns the digest of the weights.

    Args:
        motions: methods for curves that the person can be driven by; those of the preset when left
            out.

    Raises:
        InputError: too little footage with a face.
    """
    config, report = config or PRESETS["exemplar"], report or (lambda what, done, total: None)
    assert config.exemplar is not None
    names = tuple(motions or config.exemplar.motions)
    seen = torch.arange(person.facts.train_frames)
    # frames without a face have no mouth to draw from
    seen = seen[person.track.seen[seen]]
    if len(seen) < LEAST_FRAMES:
        raise InputError(
            f"{len(seen) / FPS:.0f} s with a face are too few to learn from; film at least ten"
            " seconds, better a minute"
        )
    curves = {}
    for number, name in enumerate(names):
        report("curves of the sound", number, len(names))
        curves[name] = footage_curves(person, name)
    report("curves of the sound", len(names), len(names))
    model, own = fit_exemplars(
        person, config, curves, seen, lambda done, total: report("exemplars", done, total)
    )
    _write_mouths(person, own, model)
    model = calibrated(person, own, model)
    facts = {"person": person.facts.name, "consent": person.facts.consent}
    return save_checkpoint(person.weights, model.state_dict(), own, facts)


def footage_curves(person: Person, name: str) -> Float[Tensor, "frames dim"]:
    """Curves of a method for the footage's sound, each shot by itself; kept beside the fit."""
    loaded = load(name)
    path = person.training / f"curves-{name}-{loaded.digest}.npz"
    if path.exists():
        return torch.from_numpy(read_arrays(path)["curves"]).float()
    samples, parts = person.audio.expect(16_000, "mono").samples[0], []
    for shot in person.shots():
        # 640 samples of 16 kHz a frame of 25 Hz
        sound = samples[shot.start * 640 : shot.stop * 640]
        out = cast(Motion, loaded.run(Audio.mono(sound, 16_000)))
        missing = max(0, len(shot) - out.values.shape[1])
        # A method may end a frame early; the shot's length counts. 52: ARKit's shapes without the
        # head.
        parts.append(torch.nn.functional.pad(out.values[0], (0, 0, 0, missing))[: len(shot), :52])
    made = torch.cat(parts)
    path.parent.mkdir(exist_ok=True)
    with appearing(path) as beside:
        import numpy as np

        np.savez(beside, curves=made.numpy())
    return made


def _write_mouths(person: Person, config: Speech2LipConfig, model: ExemplarModel) -> None:
    mouth, crops = Mouth(person, config), person.crops
    write_footage(
        person.folder / MOUTHS,
        (mouth.cut(crops.frame(frame), frame) for frame in model.frames.tolist()),
        QUALITY,
    )
