"""Feature networks for MOSPA's scores (body motion against binaural sound).

The released figures rest on networks that were trained on train, validation and test together,
which probably explains that they find every real pair; ours must not see the test.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.body.feature_vector import DIM
from motet.nn.position import sinusoid_table

WIDTH, HEARING_WIDTH, CONDITION = 512, 1024, 4
"""Fixed in the released program; four numbers a frame (source and genre) go past the embedding of
the sound."""
MARGIN = 10.0


def _last_states(
    gru: nn.GRU, x: Float[Tensor, "batch frames width"]
) -> Float[Tensor, "batch feature"]:
    """Final states of the last layer, forward and backward."""
    _, states = gru(x)
    return torch.cat([states[-2], states[-1]], -1)  # last layer, forward and backward


class ConditionFeatures(nn.Module):
    """Sound, source and genre to one vector."""

    def __init__(self, audio_dim: int = 2276, hidden: int = 1024, layers: int = 4) -> None:
        super().__init__()
        self.audio_embedder = nn.Linear(audio_dim - CONDITION, HEARING_WIDTH - CONDITION)
        self.encoder = nn.GRU(HEARING_WIDTH, hidden, layers, batch_first=True, bidirectional=True)

    def forward(
        self, conditions: Float[Tensor, "batch frames columns"]
    ) -> Float[Tensor, "batch feature"]:
        """Features of audio columns followed by the unit source (3) and the genre (1)."""
        sound = self.audio_embedder(
            conditions[..., :-CONDITION]
        )  # (batch, frames, width - condition)
        return _last_states(self.encoder, torch.cat([sound, conditions[..., -CONDITION:]], -1))


class MotionFeatures(nn.Module):
    """Motion to one vector, and back from its mean code, so that the code keeps what matters."""

    def __init__(self, hidden: int = 1024, layers: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Linear(DIM, WIDTH)
        options = {"dim_feedforward": 1024, "dropout": 0.1, "batch_first": True}
        self.motion_encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(WIDTH, 4, **options), layers, enable_nested_tensor=False
        )
        self.motion_decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(WIDTH, 4, **options), layers
        )
        self.fc_out = nn.Linear(WIDTH, DIM)
        self.encoder = nn.GRU(WIDTH, hidden, layers, batch_first=True, bidirectional=True)

    def codes(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames width"]:
        """A code for each frame."""
        return self.motion_encoder(self.embedding(motion) + self._positions(motion))

    def forward(self, motion: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch feature"]:
        """Features of a motion."""
        return _last_states(self.encoder, self.codes(motion))

    def decoded(
        self, codes: Float[Tensor, "batch frames width"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Motion from the mean of its codes, with the codes to look at."""
        # The decoder starts from the mean code alone: what the mean does not hold cannot come back.
        start = codes.mean(1, keepdim=True).expand_as(codes) + self._positions(codes)
        return self.fc_out(self.motion_decoder(start, codes))

    def _positions(self, like: Tensor) -> Tensor:
        return sinusoid_table(like.shape[1], WIDTH).to(like)


def contrast_loss(
    condition: Float[Tensor, "batch feature"], motion: Float[Tensor, "batch feature"]
) -> Float[Tensor, ""]:
    """Pulls what belongs together, pushes the rest at least ten apart."""
    # (motions, conditions)
    distance = torch.cdist(motion, condition, compute_mode="donot_use_mm_for_euclid_dist")
    same = torch.eye(len(distance), dtype=torch.bool, device=distance.device)
    # Pairs farther apart than the margin cost nothing.
    apart = (MARGIN - distance).clamp(min=0).square()
    return torch.where(same, distance.square(), apart).sum() / len(distance) ** 2


def feature_losses(
    condition: ConditionFeatures,
    motion: MotionFeatures,
    conditions: Float[Tensor, "batch frames columns"],
    motions: Float[Tensor, "batch frames dim"],
    *,
    decode: bool = True,
) -> dict[str, Float[Tensor, ""]]:
    """Terms of the training; the decoder takes part in its first 1,000 epochs only.

    Source: the released program; section 11 of the method's card.
    """
    codes = motion.codes(motions)
    terms = {"contrast": contrast_loss(condition(conditions), _last_states(motion.encoder, codes))}
    return (
        {**terms, "motion": (motion.decoded(codes) - motions).square().mean()} if decode else terms
    )


def official_names(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released state dicts without the position table, which is not a parameter here."""
    return {
        name.removeprefix("module."): tensor
        for name, tensor in found.items()
        if not name.endswith("pos_encoder.pe")
    }
