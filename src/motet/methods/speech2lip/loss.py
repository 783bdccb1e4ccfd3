"""Loss terms of Speech2Lip. The published sum over one frame is `published_losses`; the fast stages
in `stages.py` use the same terms.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from motet.methods.speech2lip.composition import Scene, Swap, blend_input, paste
from motet.methods.speech2lip.geometry import map_pixels, relative_pose, sample
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.sync.model import SyncExpert, agreement_loss, resized_faces


def depth_loss(
    depth: Float[Tensor, "height width"],
    observed: Float[Tensor, "batch 3 height width"],
    canonical: Float[Tensor, "batch 3 height width"],
    mask: Float[Tensor, "batch 3 height width"],
    poses: tuple[Float[Tensor, "batch 4 4"], Float[Tensor, "batch 4 4"]],
    focal: float,
    quirk: bool = False,
) -> Float[Tensor, ""]:
    """How well the observed frame, looked up through a canonical depth, shows the canonical one
    where no face model gives depth.

    Args:
        mask: 1 where it counts: head without face.
        poses: head to camera of the canonical and of the observed frame.
        quirk: look up with the inverse pose, as the released code does (Q1); what is learnt then
            means nothing.
    """
    there, here = poses
    # The released program passes the two poses in reverse order.
    relative = relative_pose(here, there) if quirk else relative_pose(there, here)
    grid, _ = map_pixels(depth.expand(len(observed), -1, -1), relative, focal)
    seen = sample(observed, grid, exact=not quirk, padding="border")  # (batch, 3, height, width)
    return ((seen - canonical).square() * mask).sum() / (mask.sum() + 1e-6)


def detail_loss(
    prediction: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    scales: int = 3,
) -> Float[Tensor, ""]:
    """Mean absolute difference of the steps between neighbouring pixels, at full, half and quarter
    size.

    Stands in for LPIPS, whose network's weights lie in no package: edges of lips and teeth count,
    not only their mean colour.
    """
    total = prediction.new_zeros(())
    for scale in range(scales):
        if scale:
            prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
        difference = prediction - target
        # Differences of neighbours: blur costs, a shift of brightness does not.
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total / scales


@dataclasses.dataclass(frozen=True)
class Moment:
    """One frame of footage with all inputs of the published loss."""

    features: Float[Tensor, "1 rows channels"]
    frame: Int[Tensor, "1"]
    lips: Float[Tensor, "1 3 rows columns"]
    """The observed lips seen in the canonical view: what should be drawn."""
    scene: Scene
    poses: tuple[Float[Tensor, "1 4 4"], Float[Tensor, "1 4 4"]]
    """Head to camera of the canonical and the observed frame."""
    focal: float
    mask: Float[Tensor, "1 3 height width"]
    """Head without face."""


@dataclasses.dataclass(frozen=True)
class SyncMoment:
    """Further inputs of the sync term: five frames from this one on."""

    features: Float[Tensor, "5 rows channels"]
    grids: Float[Tensor, "5 height width 2"]
    last_frame: int
    face: tuple[int, int, int, int]
    """Left, top, right and bottom of the face in the canonical frame."""
    mel: Float[Tensor, "1 1 80 16"]
    wrong: Float[Tensor, "1 3 5 96 96"]
    """Faces of another moment."""


def drawn(
    model: Speech2LipModel,
    features: Tensor,
    frame: Tensor,
    scene: Scene,
    uniform: float | None,
    swap: Swap | None = None,
    shift: int = 0,
) -> tuple[Tensor, Tensor]:
    """Lips and whole frame, through the published composition.

    Args:
        uniform: shifts the local ensemble (`LipModel.ensemble`); None: one query a pixel, as at
            inference.
    """
    audio_codes = model.hearing(features)
    lips = (
        model.lip.picture(model.lip.prepare(), audio_codes, frame)
        if uniform is None
        else model.lip.ensemble(audio_codes, frame, uniform)
    )
    exact = not model.config.official_quirks
    return lips, model.blend(blend_input(paste(lips, scene, shift), scene, swap, exact))


def published_losses(
    model: Speech2LipModel,
    moment: Moment,
    uniform: float,
    step: int,
    sync: SyncMoment | None = None,
    expert: SyncExpert | None = None,
    swap: Swap | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of one published training step.

    Args:
        uniform: the draw that shifts the local ensemble.
        step: the sync term begins after `config.loss.sync_after`.
    """
    weights, config = model.config.loss, model.config
    lips, frame = drawn(model, moment.features, moment.frame, moment.scene, uniform, swap)
    terms = {
        "lip": weights.lip * F.mse_loss(lips, moment.lips),
        "face": weights.face * F.mse_loss(frame, moment.scene.observed),
    }
    if model.canonical_depth is not None:
        depth = depth_loss(
            model.canonical_depth,
            moment.scene.observed,
            moment.scene.canonical,
            moment.mask,
            moment.poses,
            moment.focal,
            config.official_quirks,
        )
        terms["depth"] = weights.depth * depth
    if sync is not None and expert is not None and step > weights.sync_after:
        terms["sync"] = weights.sync * _sync_term(model, moment, sync, expert, uniform)
    return terms


def _sync_term(
    model: Speech2LipModel, moment: Moment, sync: SyncMoment, expert: SyncExpert, uniform: float
) -> Tensor:
    """Five drawn frames, each from its own audio, all into the real picture of the first, against
    the sound.

    The half with wrong faces depends on nothing that learns (Q2); it stays for its value.
    """
    left, top, right, bottom = sync.face
    faces = []
    for index in range(len(sync.features)):
        frame = (moment.frame + index).clamp(max=sync.last_frame)
        scene = dataclasses.replace(moment.scene, grid=sync.grids[index : index + 1])
        _, picture = drawn(model, sync.features[index : index + 1], frame, scene, uniform)
        faces.append(resized_faces(picture[..., top:bottom, left:right]))
    audio_codes = expert.encode_audio(sync.mel)
    # (batch): cosine of unit vectors
    right_pair = (expert.encode_faces(torch.stack(faces, 2)) * audio_codes).sum(1)
    wrong_pair = (expert.encode_faces(sync.wrong) * audio_codes).sum(1)
    return agreement_loss(right_pair, 1.0) + agreement_loss(wrong_pair, 0.0)
