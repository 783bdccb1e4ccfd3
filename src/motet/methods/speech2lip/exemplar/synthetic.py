"""The person drawn in code, with exemplars: for tests and for the method without weights."""

from __future__ import annotations

import numpy as np
import torch

from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.model import MOUTH_CURVES, ExemplarModel
from motet.methods.speech2lip.exemplar.shape import SHAPE
from motet.methods.speech2lip.exemplar.speaker import ExemplarSpeaker
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.types import ARKIT_SHAPES


def synthetic_speaker(config: Speech2LipConfig) -> ExemplarSpeaker:
    """A person of coloured discs who opens as far as the jaw of the curves does."""
    assert config.exemplar is not None
    count = config.exemplar.count
    person, model = SyntheticPerson(config, max(40, count)), ExemplarModel(config.exemplar)
    _fill(model, person, count)
    speaker = ExemplarSpeaker(person, config, model)
    cut = [speaker.mouth.cut(person.frame(k), k) for k in range(count)]
    speaker.hold(torch.from_numpy(np.stack(cut)).movedim(-1, 1).contiguous())
    return speaker


def _fill(model: ExemplarModel, person: SyntheticPerson, count: int) -> None:
    model.frames = torch.arange(count, dtype=torch.int32)
    model.follows = torch.arange(count) > 0
    opening = person.opening[:count]
    model.shapes = opening[:, None].expand(-1, len(SHAPE)).contiguous()
    model.looks[:, 0] = opening
    box = person.facts.lip
    middle = torch.tensor([box.left + box.width / 2, box.top + box.height / 2])
    model.landmarks = middle.expand_as(model.landmarks).clone()
    jaw = [ARKIT_SHAPES[index] for index in MOUTH_CURVES].index("jawOpen")
    for retarget in model.retarget.values():
        window = model.config.window
        retarget.weight[window // 2 * len(MOUTH_CURVES) + jaw] = 1.0
        # An open jaw of 0.5 opens the discs fully.
        steps = torch.linspace(0, 1, len(retarget.source)).unsqueeze(1)
        retarget.source, retarget.target = (
            0.5 * steps.repeat(1, len(SHAPE)),
            steps.repeat(1, len(SHAPE)),
        )
