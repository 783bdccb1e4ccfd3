"""Networks of Speech2Lip: audio net, implicit lip model, Blend-Net. Tensors in, tensors out.

    audio window -> audio net -> code --+
    pixel positions --------------------+-> lip model -> lips -> pasted on the face -> Blend-Net
    frame number or pose ---------------+

Source: Wu et al. 2023, Speech2Lip; sizes of shipped persons are ours (README).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.speech2lip.audio_net import AudioNet
from motet.methods.speech2lip.blend_net import BlendNet
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.lip_model import LipModel, Moment, PositionInputs


class Speech2LipModel(nn.Module):
    """All networks of a person."""

    def __init__(self, config: Speech2LipConfig) -> None:
        super().__init__()
        self.config = config
        # The audio net; its name is a prefix in shipped weights.
        self.hearing = AudioNet(config.hearing)
        self.lip = LipModel(config.lip, config.hearing.out)
        self.blend = BlendNet(config.blend)
        self.canonical_depth = (
            nn.Parameter(torch.zeros(config.canonical_depth)) if config.canonical_depth else None
        )
        self.rest: Tensor | None
        self.register_buffer(
            "rest", None if config.official_quirks else torch.zeros(config.hearing.out)
        )
        """The audio code of a mouth at rest: the mean of the quiet frames (`stages.py` fills it
        after training)."""
        self.mean: Tensor | None
        self.register_buffer(
            "mean",
            torch.zeros(3, config.lip.height, config.lip.width) if config.lip.on_mean else None,
        )
        """The mean of the training mouths, in the canonical picture's light (`stages.begun` fills
        it before training)."""

    def lips(
        self,
        positions: PositionInputs,
        codes: Tensor,
        moment: Moment,
        canonical: Float[Tensor, "3 rows columns"],
    ) -> Float[Tensor, "batch 3 rows columns"]:
        """The drawn lip picture, added to the mean or canonical one where the model predicts a
        residual. Colours lie in 0..1, not clipped.

        Args:
            positions: of `LipModel.prepare`.
            codes: audio codes (batch, out).
            canonical: the person's lip picture in the canonical view.
        """
        drawn = self.lip.picture(positions, codes, moment)
        if self.mean is not None:
            return self.mean + drawn
        return canonical + drawn if self.config.lip.on_canonical else drawn
