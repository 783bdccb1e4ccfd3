"""Embedding of audio, source, genre, role and reaction family, once for all diffusion steps."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.methods.mospa.cached_layers import cached_layers
from motet.methods.mospa.config import GENRES, ROLES, MospaConfig
from motet.methods.mospa.embedded_conditions import EmbeddedConditions
from motet.methods.mospa.frame_patches import frames_to_tokens
from motet.methods.mospa.layer import Layer
from motet.methods.mospa.source_frame import source_direction
from motet.nn.position import sinusoid_table
from motet.reaction_families import FAMILY_NAMES

POSITIONS = 5000
"""Size of the tables of positions and of diffusion steps."""


class ConditionEmbedding(nn.Module):
    """The layers of the denoiser and what it knows before the first diffusion step.

    The base of `MospaModel`, so that names of stored tensors have no prefix.
    """

    def __init__(self, config: MospaConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.embed_audio = nn.Sequential(
            nn.Linear(config.audio_dim * patch, config.audio_inner),
            nn.ReLU(),
            nn.Linear(config.audio_inner, width),
        )
        self.embed_source = nn.Linear(config.source.dim * patch, width)
        self.embed_genre = nn.Parameter(torch.randn(len(GENRES), width))
        if config.roles:
            self.embed_role = nn.Parameter(torch.zeros(len(ROLES), width))
        if config.families:
            # One more than there are families: number 0 leaves the reaction to the network.
            self.embed_family = nn.Parameter(torch.zeros(len(FAMILY_NAMES) + 1, width))
        if config.summary:
            # Mean and deviation of the audio, mean of the source, the genre token.
            size = 2 * config.audio_dim + config.source.dim + width
            self.embed_summary = nn.Sequential(
                nn.Linear(size, 2 * width),
                nn.SiLU(),
                nn.Linear(2 * width, width),
                nn.SiLU(),
                nn.Linear(width, width),
            )
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.register_buffer("positions", sinusoid_table(POSITIONS, width), persistent=False)

    def normalised(
        self, values: Float[Tensor, "*batch dim"], kind: str = "motion"
    ) -> Float[Tensor, "*batch dim"]:
        """Motion or `audio` as input of the network."""
        return (
            (values - getattr(self, f"{kind}_mean")) / getattr(self, f"{kind}_std")
            if self.config.normalise
            else values
        )

    def embed_conditions(
        self,
        audio: Float[Tensor, "batch frames columns"],
        source: Float[Tensor, "batch frames coordinates"],
        genre: Int[Tensor, " batch"],
        audible: Float[Tensor, " batch"] | None = None,
        before: EmbeddedConditions | None = None,
        role: Int[Tensor, " batch"] | None = None,
        families: Int[Tensor, "batch frames"] | None = None,
    ) -> EmbeddedConditions:
        """Embed the conditions.

        Args:
            audio: raw features; normalised here where the model needs it.
            source: as `source_input` makes it.
            audible: 0 for items whose audio is left out (with the source, where the model leaves
                out both).
            before: earlier conditions with the same weights, whose cached layers are reused.
            role: with `roles`: 0 listener (as when left out), 1 speaker.
            families: with `families`: numbers of `reaction_families` by frame; 0, as when left out,
                where the network decides.
        """
        frames, patch = audio.shape[1], self.config.patch
        audio = self.normalised(audio, "audio")
        audio, source = self._without_hidden(audio, source, audible)
        constant = self._constant_token(genre, role)
        # (batch, tokens, width): one token for each patch of frames.
        sound = self.embed_audio(frames_to_tokens(audio, patch))
        position = self.embed_source(frames_to_tokens(source, patch))
        if self.config.fusion == "tokens":
            return self._as_tokens(torch.cat([sound, position, constant], 1), frames, before)
        added = sound + position
        if self.config.families and families is not None:
            reaction = self.embed_family[families]  # (batch, frames, width)
            added = added + reaction.unflatten(1, (-1, patch)).mean(2)
            # The newest event's also where the whole window is seen at once.
            constant = constant + reaction[:, -1:]
        if self.config.summary:
            # (batch, 2 * columns + coordinates + width): pooled over the window.
            whole = torch.cat([audio.mean(1), audio.std(1), source.mean(1), constant[:, 0]], 1)
            added = added + self.embed_summary(whole).unsqueeze(1)
        direction = source_direction(source) if self.config.source_axes else None
        return EmbeddedConditions(constant, added, frames, direction)

    def _without_hidden(
        self, audio: Tensor, source: Tensor, audible: Float[Tensor, " batch"] | None
    ) -> tuple[Tensor, Tensor]:
        """Audio and source, zero where the model must do without them."""
        if self.config.mask_sound_source:
            source = torch.zeros_like(source)
        if audible is not None:
            audible = audible.view(-1, 1, 1)
            audio = audio * audible
            if self.config.mask_targets == "audio+source":
                source = source * audible
        return audio, source

    def _constant_token(
        self, genre: Int[Tensor, " batch"], role: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch 1 width"]:
        """Genre and role, which are the same in every frame."""
        genre = torch.zeros_like(genre) if self.config.mask_genre else genre
        token = self.embed_genre[genre].unsqueeze(1)
        if self.config.roles:
            role = torch.zeros_like(genre) if role is None else role
            token = token + self.embed_role[role].unsqueeze(1)
        return token

    def _as_tokens(
        self,
        tokens: Float[Tensor, "batch constant width"],
        frames: int,
        before: EmbeddedConditions | None,
    ) -> EmbeddedConditions:
        """As released: 2 * frames + 1 tokens before the motion; with the diffusion step and the
        motion they are 3 * frames + 2.
        """
        tokens = tokens + self.positions[: tokens.shape[1]]
        if self.training or torch.is_grad_enabled():
            return EmbeddedConditions(tokens, None, frames)
        cached = before.layers if before is not None else None
        layers = cached_layers(self.layers) if cached is None else cached
        known = layers[0].known(tokens) if len(layers) > 1 else None
        return EmbeddedConditions(tokens, None, frames, None, layers, known)
