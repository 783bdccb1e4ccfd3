"""Audio features of a window and its context to one conditioning vector per motion token.

A window of 20 frames has 40 feature steps (50 Hz over 25 fps), with context before and after it.
Tokens of a coarse scale span many steps, those of the finest scale the two steps of one frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.quantizer import area_matrix


class AudioMixer(nn.Module):
    """Convolutions over the features of the window and its context, then pooling to tokens.

    The learned `unheard` vector (a name in the shipped weights) replaces steps before the audio,
    after it, or not yet received.
    """

    shapes_mean: Tensor
    shapes_deviation: Tensor

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        width, shapes = config.audio_width, config.mouth_shapes
        self.before, self.inside = config.audio_before, config.codec.frames * config.steps_per_frame
        self.acoustic = config.audio_dim - shapes
        self.entry_norm = nn.LayerNorm(self.acoustic)
        self.entry = nn.Linear(self.acoustic, width)
        self.unheard = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(0.02 * torch.randn(config.audio_steps, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.audio_layers))
        # Convolutions of five steps, written as one product over the unfolded steps.
        self.filters = nn.ModuleList(
            nn.Linear(5 * width, width) for _ in range(config.audio_layers)
        )
        self.shapes_entry: nn.Linear | None = None
        if shapes:
            self.shapes_entry = nn.Linear(shapes, width)
            self.register_buffer("shapes_mean", torch.zeros(shapes))
            self.register_buffer("shapes_deviation", torch.ones(shapes))
        self.frames, self.steps_per_frame = config.codec.frames, config.steps_per_frame
        self.exit = nn.Linear(3 * width, width)
        patches = config.codec.patches
        # (tokens, inside): row t averages the steps of token t.
        pool = torch.cat([area_matrix(self.inside, patch) for patch in patches])
        self.register_buffer("pool", pool, persistent=False)
        self.register_buffer("ends", token_ends(self.inside, patches), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps audio"], known: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch tokens width"]:
        """One vector per token: the mean over its span, and its first and last step.

        The two steps preserve the order in time, which the mean of a coarse token loses.

        Args:
            features: acoustic features, then regressed mouth shapes where the encoder has them.
            known: True for steps whose audio has been received (`known_mask`).
        """
        acoustic = self.entry(self.entry_norm(features[..., : self.acoustic]))
        # (batch, steps, width)
        x = torch.where(known.unsqueeze(-1), acoustic, self.unheard) + self.position
        if self.shapes_entry is not None:
            x = x + self._regressed(self.shapes_entry, features[..., self.acoustic :], known)
        for norm, mix in zip(self.norms, self.filters, strict=True):
            # (batch, steps, 5 * width): each step with two neighbours on both sides.
            patches = F.pad(norm(x), (0, 0, 2, 2)).unfold(1, 5, 1).transpose(2, 3).flatten(2)
            x = x + F.gelu(mix(patches))
        # The layers have mixed the context into its neighbours; tokens span the window's own
        # steps only: (batch, inside, width).
        x = x[:, self.before : self.before + self.inside]
        first, last = self.ends
        # (batch, tokens, 3 * width) -> (batch, tokens, width)
        return self.exit(torch.cat([self.pool @ x, x[:, first], x[:, last]], -1))

    def _regressed(
        self,
        entry: nn.Linear,
        shapes: Float[Tensor, "batch steps shapes"],
        known: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch steps width"]:
        """The regressed mouth at the window's own frames, zero in its context.

        Frames whose step is not known take the nearest known one: a mouth that is held is a better
        estimate than the learned vector, which stands for any mouth.
        """
        # Feature step of each frame, held within the known steps: (batch, frames).
        at = self.before + self.steps_per_frame * torch.arange(self.frames, device=shapes.device)
        begin = known.to(torch.int8).argmax(1, keepdim=True)  # (batch, 1)
        end = begin + known.sum(1, keepdim=True) - 1
        # Without any known step `end` is -1: the first step is read, as good as any other.
        at = torch.minimum(torch.maximum(at, begin), end).clamp(min=0)
        rows = torch.arange(len(shapes), device=shapes.device).unsqueeze(1)
        # (batch, frames, shapes), in deviations
        mouth = (shapes[rows, at] - self.shapes_mean) / self.shapes_deviation
        # Every frame spans its own steps: (batch, frames * steps_per_frame, width).
        x = entry(mouth).repeat_interleave(self.steps_per_frame, dim=1)
        return F.pad(x, (0, 0, self.before, shapes.shape[1] - self.before - self.inside))


def token_ends(steps: int, patches: Sequence[int]) -> Int[Tensor, "two tokens"]:
    """First and last step of the span of every token.

    Args:
        steps: feature steps of a window.
        patches: tokens of each scale, coarse first.
    """
    # (tokens, steps): True where a step lies in the span of the token.
    spans = torch.cat([area_matrix(steps, patch).gt(0) for patch in patches]).float()
    # `argmax` gives the first of several equal maxima: on the mirrored span the last step.
    return torch.stack([spans.argmax(1), steps - 1 - spans.flip(1).argmax(1)])


def known_mask(
    steps: int, first: Int[Tensor, " batch"], last: Int[Tensor, " batch"]
) -> Bool[Tensor, "batch steps"]:
    """True for steps from `first` to before `last`."""
    step = torch.arange(steps, device=first.device)
    return (step >= first.unsqueeze(1)) & (step < last.unsqueeze(1))
