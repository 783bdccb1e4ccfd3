"""How much warped pictures have to be sharpened to look as sharp as filmed ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.draw import canonical_positions, relit, sharpened
from motet.methods.speech2lip.exemplar.model import ExemplarModel
from motet.methods.speech2lip.exemplar.speaker import ExemplarSpeaker
from motet.methods.speech2lip.person.folder import Person

_FRAMES, _APART = 48, 12
_STRENGTHS = torch.linspace(0, 2.4, 25)


def calibrated(person: Person, config: Speech2LipConfig, model: ExemplarModel) -> ExemplarModel:
    """The model with the strength at which exemplars warped into other frames have the mean
    absolute Laplacian of the filmed ones.
    """
    speaker = ExemplarSpeaker(person, config, model)
    speaker.read(person.folder)
    filmed, drawn, share = _pairs(speaker, model)
    target, scale = laplacian(filmed, share), person.facts.crop.width / person.facts.size
    error = [
        abs(laplacian(stored(sharpened(drawn, float(s)), scale), share) - target)
        for s in _STRENGTHS
    ]
    model.sharpen = _STRENGTHS[int(torch.tensor(error).argmin())].clone()
    return model


@torch.no_grad()
def _pairs(speaker: ExemplarSpeaker, model: ExemplarModel) -> tuple[Tensor, Tensor, Tensor]:
    """Filmed regions, the same drawn from the nearest exemplar of another time, and how much of
    each pixel is drawn.
    """
    count = len(model.frames)
    rows = torch.linspace(0, count - 1, min(_FRAMES, count)).round().long()
    scaled = model.shapes / model.scale
    far = torch.cdist(scaled[rows], scaled)
    near = (model.frames[rows][:, None] - model.frames[None]).abs() < _APART
    others = far.masked_fill(near, float("inf")).argmin(1)
    frames = model.frames[rows].long()
    filmed = speaker.filmed_mouths(rows)
    mesh, share = speaker.placed(frames)
    positions = canonical_positions(speaker.mouth, mesh)
    drawn = speaker.warped(model.shapes[rows], others, positions)
    drawn = relit(drawn, filmed, speaker.skin(mesh))
    return filmed, drawn, share


def stored(pictures: Float[Tensor, "some 3 h w"], scale: float) -> Float[Tensor, "some 3 h w"]:
    """Regions after they went through the size that the whole picture shows them at."""
    height, width = pictures.shape[-2:]
    size = round(height * scale), round(width * scale)
    if size == (height, width):
        return pictures
    small = F.interpolate(pictures, size, mode="bicubic", align_corners=False)
    return F.interpolate(small, (height, width), mode="bicubic", align_corners=False)


def laplacian(pictures: Float[Tensor, "some 3 h w"], share: Float[Tensor, "some 1 h w"]) -> float:
    """Mean absolute Laplacian of the brightness where the mouth is drawn."""
    grey = pictures.mean(1)
    inner = grey[:, 1:-1, 1:-1]
    curvature = 4 * inner - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2]
    curvature = (curvature - grey[:, 1:-1, 2:]).abs()
    weight = (share[:, 0, 1:-1, 1:-1] > 0.5).float()
    return float((curvature * weight).sum() / weight.sum())
