"""Distillation losses of the phonetic encoder: the teacher's components, the lips they predict, and
phones where they are known.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.encoders.phonetic.network import PhoneticNet

LIP_WEIGHT, PHONE_WEIGHT = 1.5, 0.3


def distillation_losses(
    model: PhoneticNet, batch: Mapping[str, Tensor], variance: Float[Tensor, " components"]
) -> dict[str, Tensor]:
    """Three weighted terms.

    A component's error counts by its deviation in the teacher: whitening all of them alike would
    spend the capacity on the faintest, the raw scale would see only the first few.

    Args:
        batch: `mel` (noisy), `teacher`, `lips` (targets of unit variance) and `labels` (-1 =
            unknown).
    """
    hidden, _ = model.hidden(batch["mel"], model.begin(len(batch["mel"])))
    outputs = model.heads(hidden)
    # (components,), mean 1: the weights leave the term's size alone
    weight = variance.sqrt() / variance.sqrt().mean()
    labels = batch["labels"].flatten()
    # A batch without any known phone divides by one and adds nothing.
    known = (labels >= 0).sum().clamp(min=1)
    phone = (
        F.nll_loss(outputs.phones.flatten(0, 1), labels, ignore_index=-1, reduction="sum") / known
    )
    return {
        "teacher": ((outputs.teacher - batch["teacher"]).square() * weight).mean(),
        "lips": LIP_WEIGHT * (outputs.lips - batch["lips"]).square().mean(),
        "phones": PHONE_WEIGHT * phone,
    }
