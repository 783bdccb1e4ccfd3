"""Training a person the fast way: first the lips in the canonical view, then everything in the
frame.

`lips` trains audio net and lip model on the filmed lips, warped into the canonical view once: no
warping and no U-net in a step. `face` goes on with them and adds Blend-Net on the region around the
mouth, and the sync expert. The published step over whole frames is `loss.published_losses`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.methods.speech2lip.config import LossConfig, Speech2LipConfig
from motet.methods.speech2lip.loss import detail_loss
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.dataset import QUIET_DB, MouthSet, mouth_set
from motet.methods.speech2lip.person.mouth_region import keep_filmed, warp_lips
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.sync.load import Expert, load_expert
from motet.methods.speech2lip.sync.model import mouth_view
from motet.nn.seeded import uniform
from motet.stage import Stage

Batch = Mapping[str, Tensor]
TRUSTED = 0.75
"""Share of right choices from which on the sync expert may shape the loss."""
_LEAST_QUIET = 10
"""Frames that a rest of the mouth is at least taken from."""


def stages(
    config: Speech2LipConfig,
    tensors: Mapping[str, Tensor] | None = None,
    expert: Expert | None = None,
) -> list[Stage]:
    """The stages of one person's model, on a `MouthSet`.

    Args:
        expert: judges the timing in `face`; the shipped one when left out.
    """
    # The expert follows the batches to their device (`_sync_loss`).
    expert = (expert or load_expert(least=TRUSTED)) if config.loss.sync else None
    lips, face = (_model(config, tensors) for _ in range(2))
    return [
        Stage(
            "lips",
            lips,
            [lips.hearing, lips.lip],
            _lips_loss(lips),
            _lips_batch(config),
            complete=_rest_setter(lips),
        ),
        Stage(
            "face",
            face,
            [face.hearing, face.lip, face.blend],
            _face_loss(face, expert),
            _face_batch(config, expert),
            complete=_rest_setter(face),
        ),
    ]


def begun(config: Speech2LipConfig, examples: MouthSet) -> dict[str, Tensor]:
    """A new model's tensors, with what is taken from the training set before the first step: the
    mean mouth.
    """
    model = Speech2LipModel(config)
    if model.mean is not None:
        # Mean mouth in the canonical light; in pieces, because all lips at once need gigabytes.
        total = sum(
            (some.float() / 255 / tone[..., None, None]).sum(0)
            for some, tone in zip(examples.lips.split(256), examples.tone.split(256), strict=True)
        )
        model.mean = torch.as_tensor(total) / len(examples.frames)
    return model.state_dict()


def _model(config: Speech2LipConfig, tensors: Mapping[str, Tensor] | None) -> Speech2LipModel:
    model = Speech2LipModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return model


def example(config: Speech2LipConfig) -> MouthSet:
    """A small training set of a person drawn in code."""
    return mouth_set(SyntheticPerson(config), config)


def colour_loss(prediction: Tensor, target: Tensor, share: Tensor, weights: LossConfig) -> Tensor:
    """Absolute (or squared) error where the share is large, and the detail of the same."""
    difference = (prediction - target) * share
    plain = difference.abs().mean() if weights.absolute else difference.square().mean()
    # Per drawn pixel: a small mouth must not have a small loss.
    total = plain / share.mean()
    if weights.detail:
        detail = detail_loss(prediction * share, target * share)
        total = total + weights.detail * detail / share.mean()
    return total


def _mouths(examples: MouthSet, rows: Tensor, config: Speech2LipConfig) -> dict[str, Tensor]:
    return {
        "features": examples.windows(rows, config.hearing),
        "moment": examples.moment[rows],
        "lips": examples.lips[rows].float() / 255,
        "tone": examples.tone[rows][..., None, None],
        "canonical": examples.canonical,
        "mask": examples.mask,
    }


def _lips_batch(config: Speech2LipConfig) -> Callable[[MouthSet, int, torch.Generator], Batch]:
    def batch(examples: MouthSet, size: int, randomness: torch.Generator) -> Batch:
        return _mouths(
            examples, torch.randint(len(examples.frames), (size,), generator=randomness), config
        )

    return batch


def _lips_loss(model: Speech2LipModel) -> Callable[[Batch, torch.Generator], dict[str, Tensor]]:
    def loss(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        return {"lip": _lip_term(model, batch)[0]}

    return loss


def _lip_term(model: Speech2LipModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """The weighted term, and the lips in the frame's colours. Pixels under the soft edge count
    little, but the picture goes on there.
    """
    lips = (
        model.lips(
            model.lip.prepare(),
            model.hearing(batch["features"]),
            batch["moment"],
            batch["canonical"],
        )
        * batch["tone"]
    )
    return (
        model.config.loss.lip
        * colour_loss(lips, batch["lips"], 0.1 + 0.9 * batch["mask"], model.config.loss),
        lips,
    )


def _face_batch(
    config: Speech2LipConfig, expert: Expert | None
) -> Callable[[MouthSet, int, torch.Generator], Batch]:
    """Frames with their regions; for the sync term a run as long as the expert looks, with its
    sound and that of another moment.
    """

    def batch(examples: MouthSet, size: int, randomness: torch.Generator) -> Batch:
        rows, sound = torch.randint(len(examples.frames), (size,), generator=randomness), {}
        starts = examples.runs_of(expert.frames) if expert is not None else examples.runs[:0]
        if expert is not None and len(starts):
            first, other = starts[
                torch.randint(len(starts), (2, max(1, size // expert.frames)), generator=randomness)
            ]
            # (runs * frames): runs of neighbouring frames
            rows = (first.unsqueeze(1) + torch.arange(expert.frames)).flatten()
            own, wrong = (
                expert.audio_windows(examples.mel, examples.features, examples.frames[some])
                for some in (first, other)
            )
            sound = {"sound": own, "other_sound": wrong}
        observed = examples.observed[rows].float() / 255
        return {
            **_mouths(examples, rows, config),
            **sound,
            "observed": observed,
            "mesh": examples.region.mesh[rows],
        }

    return batch


def _face_loss(
    model: Speech2LipModel, expert: Expert | None
) -> Callable[[Batch, torch.Generator], dict[str, Tensor]]:
    weights, border = model.config.loss, model.config.border

    def loss(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        observed = batch["observed"]
        lip, lips = _lip_term(model, batch)
        mixed, share = warp_lips(lips, batch["mask"], batch["mesh"], observed)
        if weights.swap:
            mixed = _swapped(mixed, observed, share, weights.swap, randomness)
        picture = keep_filmed(model.blend(mixed), share, observed)
        terms = {
            "lip": lip,
            "face": weights.face * colour_loss(picture, observed, (share > 0).to(picture), weights),
        }
        if expert is not None and "sound" in batch:
            terms["sync"] = weights.sync * _sync_loss(
                expert, mouth_view(picture, border), batch["sound"], batch["other_sound"]
            )
        return terms

    return loss


def _swapped(
    mixed: Tensor, observed: Tensor, share: Tensor, probability: float, randomness: torch.Generator
) -> Tensor:
    """The pixel-swap augmentation: in some frames half of the drawn pixels are the filmed ones, so
    that Blend-Net learns to blend mixtures.
    """
    on = uniform((len(mixed), 1, 1, 1), randomness, mixed.device) < probability
    bits = uniform(share.shape, randomness, mixed.device) < 0.5
    return torch.where(on & bits & (share > 0), observed, mixed)


def _sync_loss(expert: Expert, mouths: Tensor, sound: Tensor, other: Tensor) -> Tensor:
    """Contrastive sync loss: drawn mouths match their own audio, not that of another moment.

    The released code contrasts filmed mouths instead of drawn ones, which gives no gradient (Q2).
    """
    expert.to(mouths.device)
    # (runs, 3, frames, h, w)
    seen = expert.encode_lower_faces(mouths.unflatten(0, (-1, expert.frames)).transpose(1, 2))
    return expert.loss(seen, expert.encode_audio(sound), expert.encode_audio(other))


def _rest_setter(model: Speech2LipModel) -> Callable[[MouthSet], None]:
    """After training: the audio vector of the mouth at rest, from silent frames (or the
    quietest).
    """

    def complete(examples: MouthSet) -> None:
        if model.rest is None:
            return
        count = max(_LEAST_QUIET, int((examples.level_db < QUIET_DB).sum()))
        rows = examples.level_db.argsort()[:count]  # quietest frames first
        with torch.no_grad():
            windows = examples.windows(rows, model.config.hearing).to(model.rest.device)
            model.rest.copy_(model.hearing(windows).mean(0))

    return complete
