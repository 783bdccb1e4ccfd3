"""The denoising transformer of MOSPA. Motion, audio and source are (batch, frames, numbers);
diffusion steps count from 1, as in `motet.diffusion`.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.body.feature_vector import DIM
from motet.diffusion.schedule import Schedule, make_schedule
from motet.methods.mospa.cached_layers import CachedLayer, Known, cached_layers
from motet.methods.mospa.config import GENRES, ROLES, MospaConfig, SourceConfig
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.sound_classifier import SoundClassifier
from motet.methods.mospa.source_frame import (
    MOVED,
    ROOT_ROWS,
    from_source_axes,
    in_source_axes,
    source_direction,
)
from motet.nn.attention import attend, split_heads
from motet.nn.position import sinusoid_table
from motet.reaction_families import FAMILY_NAMES

POSITIONS = 5000
"""Size of the tables of positions and of diffusion steps."""


@dataclasses.dataclass(frozen=True)
class EmbeddedConditions:
    """Conditions of a window, embedded once for all its diffusion steps."""

    tokens: Float[Tensor, "batch constant width"]
    """`tokens`: audio, source and genre before the motion. `frames`: the genre."""
    added: Float[Tensor, "batch tokens width"] | None
    """`frames`: audio and source, added to the motion's tokens."""
    frames: int
    direction: Float[Tensor, "batch frames 2"] | None = None
    """With `source_axes`: cosine and sine of the source's azimuth."""
    layers: tuple[CachedLayer, ...] | None = None
    """`tokens`, at inference: the layers with cached products."""
    known: Known | None = None
    """Queries, keys and values of the constant tokens in the first of them."""


class Layer(nn.Module):
    """Attention and a feed-forward part, each followed by its norm."""

    def __init__(self, config: MospaConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.projection = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.inner = nn.Linear(config.width, config.inner)
        self.outer = nn.Linear(config.inner, config.width)
        self.norm_attention = nn.LayerNorm(config.width)
        self.norm_inner = nn.LayerNorm(config.width)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], keep: int = 0
    ) -> Float[Tensor, "batch kept width"]:
        """The tokens after this layer.

        Args:
            keep: compute the last so many tokens only; 0 for all.
        """
        # Each (batch, tokens, width).
        query, key, value = self.projection(x).chunk(3, -1)
        if keep:
            query, x = query[:, -keep:], x[:, -keep:]
        attended = attend(
            split_heads(query, self.heads),
            split_heads(key, self.heads),
            split_heads(value, self.heads),
        )
        x = self.norm_attention(x + self._drop(self.out(attended)))
        return self.norm_inner(x + self._drop(self.outer(self._drop(F.gelu(self.inner(x))))))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class MospaModel(nn.Module):
    """Denoiser: from noisy motion, audio, source and genre to clean motion (sample prediction).

    Source: section 4.2 of the paper; details as released (see the method's README).
    """

    def __init__(self, config: MospaConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.embed_step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.embed_audio = nn.Sequential(
            nn.Linear(config.audio_dim * patch, config.audio_inner),
            nn.ReLU(),
            nn.Linear(config.audio_inner, width),
        )
        self.embed_motion = nn.Linear((DIM + MOVED if config.source_axes else DIM) * patch, width)
        self.embed_source = nn.Linear(config.source.dim * patch, width)
        self.embed_genre = nn.Parameter(torch.randn(len(GENRES), width))
        if config.known_frames:
            # Zero at first: weights trained without known frames can be trained further with them.
            self.embed_known = nn.Linear(patch, width, bias=False)
            nn.init.zeros_(self.embed_known.weight)
        if config.roles:
            self.embed_role = nn.Parameter(torch.zeros(len(ROLES), width))
        if config.families:
            self.embed_family = nn.Parameter(torch.zeros(len(FAMILY_NAMES) + 1, width))
        if config.summary:
            size = 2 * config.audio_dim + config.source.dim + width
            self.embed_summary = nn.Sequential(
                nn.Linear(size, 2 * width),
                nn.SiLU(),
                nn.Linear(2 * width, width),
                nn.SiLU(),
                nn.Linear(width, width),
            )
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.output = nn.Linear(width, DIM * patch * (2 if patch > 1 else 1))
        if config.source_axes:
            self.output_from_source = nn.Linear(width, DIM * patch * (2 if patch > 1 else 1))
        self.register_buffer("positions", sinusoid_table(POSITIONS, width), persistent=False)
        if config.normalise:
            for name, size in (("motion", DIM), ("audio", config.audio_dim)):
                self.register_buffer(f"{name}_mean", torch.zeros(size))
                self.register_buffer(f"{name}_std", torch.ones(size))
        if config.source_axes:
            as_is = torch.zeros(DIM, dtype=torch.bool)
            as_is[ROOT_ROWS] = True
            self.register_buffer("turns_as_is", as_is, persistent=False)
        if config.guessing:
            self.register_buffer("motion_spread", torch.ones(DIM))
        if patch > 1:
            self.register_buffer("blend", _crossfade(patch), persistent=False)
        if config.families:
            self.sound_classifier = SoundClassifier(config.audio_dim)
            # A sound of each family that the network was trained with, from its onset on.
            examples = torch.zeros(len(FAMILY_NAMES), config.window, config.audio_dim)
            self.register_buffer("family_examples", examples)
        self.schedule: Schedule = noise_schedule(config)

    def normalised(
        self, values: Float[Tensor, "*batch dim"], kind: str = "motion"
    ) -> Float[Tensor, "*batch dim"]:
        """Motion or `audio` as input of the network."""
        return (
            (values - getattr(self, f"{kind}_mean")) / getattr(self, f"{kind}_std")
            if self.config.normalise
            else values
        )

    def restored(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Motion in its own units."""
        return values * self.motion_std + self.motion_mean if self.config.normalise else values

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
        config = self.config
        batch, frames = audio.shape[:2]
        audio = self.normalised(audio, "audio")
        if config.mask_sound_source:
            source = torch.zeros_like(source)
        if audible is not None:
            audio = audio * audible.view(-1, 1, 1)
            source = (
                source * audible.view(-1, 1, 1) if config.mask_targets == "audio+source" else source
            )
        genre_token = self.embed_genre[
            torch.zeros_like(genre) if config.mask_genre else genre
        ].unsqueeze(1)
        if config.roles:
            role = torch.zeros_like(genre) if role is None else role
            genre_token = genre_token + self.embed_role[role].unsqueeze(1)
        sound, position = (
            self.embed_audio(self._patched(audio)),
            self.embed_source(self._patched(source)),
        )
        # (batch, tokens, width): one token per patch of frames.
        if config.fusion == "frames":
            added = sound + position
            if config.families and families is not None:
                reaction = self.embed_family[families]  # (batch, frames, width)
                added = added + reaction.unflatten(1, (-1, config.patch)).mean(2)
                # The newest event's also where the whole window is seen at once.
                genre_token = genre_token + reaction[:, -1:]
            if config.summary:
                # (batch, 2 * columns + coordinates + width): pooled over the window.
                whole = torch.cat(
                    [audio.mean(1), audio.std(1), source.mean(1), genre_token[:, 0]], 1
                )
                added = added + self.embed_summary(whole).unsqueeze(1)
            return EmbeddedConditions(
                genre_token, added, frames, source_direction(source) if config.source_axes else None
            )
        # (batch, 2 * frames + 1, width); step and motion make 3 * frames + 2 tokens.
        tokens = torch.cat([sound, position, genre_token], 1)
        tokens = tokens + self.positions[: tokens.shape[1]]
        if self.training or torch.is_grad_enabled():
            return EmbeddedConditions(tokens, None, frames)
        layers = (
            cached_layers(self.layers) if before is None or before.layers is None else before.layers
        )
        return EmbeddedConditions(
            tokens, None, frames, None, layers, layers[0].known(tokens) if len(layers) > 1 else None
        )

    def estimate(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        conditions: EmbeddedConditions,
        known: KnownFrames | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """Clean motion, normalised like the noisy one.

        With `guessing` the input is not the noisy motion but its best linear estimate channel by
        channel (Wiener filter): zero for pure noise, which a small network would first have to
        learn to ignore.

        Args:
            step: 1 ... the number of steps; the released program counts from 0.
            known: frames that the network sees clean; with `known_frames`, also which these are.
        """
        # (batch, tokens, width), the motion's tokens only.
        x = self._through_layers(self.tokens(noisy, step, conditions, known), conditions)
        own = self._unpatched(self.output(x))
        if conditions.direction is None:
            return own
        towards = self._unpatched(self.output_from_source(x))
        return own + from_source_axes(towards, conditions.direction) / self.turning_std

    def _through_layers(
        self, x: Float[Tensor, "batch tokens width"], conditions: EmbeddedConditions
    ) -> Float[Tensor, "batch kept width"]:
        """The motion's tokens after the last layer."""
        kept = conditions.frames // self.config.patch
        if conditions.layers is None:
            for layer in self.layers[:-1]:
                x = layer(x)
            return self.layers[-1](x, kept)
        for index, layer in enumerate(conditions.layers[:-1]):
            x = (
                layer(x)
                if index or conditions.known is None
                else layer.after_known(x, conditions.known)
            )
        return conditions.layers[-1].last_rows(x, kept)

    @property
    def turning_std(self) -> Float[Tensor, " dim"]:
        """Divisor of predictions in the source's axes: channels of rotations have deviations of
        their own, so those are predicted unnormalised.
        """
        return torch.where(self.turns_as_is, self.motion_std, torch.ones_like(self.motion_std))

    def _visible(self, noisy: Tensor, step: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Input of the network: noisy motion, or its Wiener estimate with `guessing`."""
        if not self.config.guessing:
            return noisy
        signal, deviation = self.schedule.at(step, noisy)
        return (
            signal
            * self.motion_spread
            / (signal.square() * self.motion_spread + deviation.square())
            * noisy
        )

    def tokens(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        conditions: EmbeddedConditions,
        known: KnownFrames | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """All input tokens of the first layer, with positions."""
        patch, visible = self.config.patch, self._visible(noisy, step)
        if known is not None:
            visible = known.imposed_on(visible)
        if conditions.direction is not None:
            visible = torch.cat([visible, in_source_axes(visible, conditions.direction)], -1)
        moved, when = (
            self.embed_motion(self._patched(visible)),
            self.embed_step(self.positions[step - 1]).unsqueeze(1),
        )
        if known is not None and self.config.known_frames:
            moved = moved + self.embed_known(known.mask.to(moved).unflatten(1, (-1, patch)))
        if conditions.added is not None:
            x = torch.cat([conditions.tokens, when, moved + conditions.added], 1)
            return x + self.positions[: x.shape[1]]
        constant = conditions.tokens.shape[1]
        dynamic = torch.cat([when, moved], 1)
        return torch.cat(
            [conditions.tokens, dynamic + self.positions[constant : constant + dynamic.shape[1]]], 1
        )

    def forward(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        audio: Float[Tensor, "batch frames columns"],
        source: Float[Tensor, "batch frames coordinates"],
        genre: Int[Tensor, " batch"],
        audible: Float[Tensor, " batch"] | None = None,
        role: Int[Tensor, " batch"] | None = None,
        known: KnownFrames | None = None,
        families: Int[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """`embed_conditions` and `estimate` in one, for training."""
        conditions = self.embed_conditions(
            audio, source, genre, audible, role=role, families=families
        )
        return self.estimate(noisy, step, conditions, known)

    def _patched(self, values: Tensor) -> Tensor:
        patch = self.config.patch
        return values if patch == 1 else values.unflatten(1, (-1, patch)).flatten(2)

    def _unpatched(self, written: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Frames from tokens; each token predicts half a token beyond its own frames on both
        sides, and they are cross-faded.
        """
        patch = self.config.patch
        if patch == 1:
            return written
        # pieces: (batch, tokens, 2 * patch, dim).
        half, pieces = patch // 2, written.unflatten(2, (2 * patch, DIM))
        weights = self.blend.to(written)
        # Half a token of margin on both sides of the window.
        room = (written.shape[1] + 1) * patch
        total, share = written.new_zeros(len(written), room, DIM), written.new_zeros(room, 1)
        for part in range(2):
            span = slice(part * patch, part * patch + written.shape[1] * patch)
            total[:, span] += (pieces * weights)[:, :, part * patch : (part + 1) * patch].flatten(
                1, 2
            )
            share[span] += weights[part * patch : (part + 1) * patch].repeat(written.shape[1], 1)
        return (total / share)[:, half : half + written.shape[1] * patch]


def noise_schedule(config: MospaConfig) -> Schedule:
    """The schedule of guided diffusion: a cosine without a smallest beta, or a line whose ends
    depend on the number of steps.
    """
    scale = 1000 / config.diffusion_steps
    return make_schedule(
        config.schedule, config.diffusion_steps, scale * 1e-4, scale * 0.02, floor=0.0
    )


def source_input(
    source: Float[Tensor, "batch frames 3"], config: SourceConfig
) -> Float[Tensor, "batch frames coordinates"]:
    """Source-position encoding, from positions in metres.

    `time` divides each coordinate by its norm over the window, as released: a resting source
    becomes one of eight octants, its direction inside the octant and its distance are lost. `xyz`
    keeps the direction.
    """
    encoding = source
    if config.norm != "none":
        encoding = F.normalize(source, dim=1 if config.norm == "time" else 2)
    if config.distance:
        encoding = torch.cat([encoding, source.norm(dim=-1, keepdim=True).clamp(min=0.1).log()], -1)
    return encoding


def _crossfade(patch: int) -> Float[Tensor, "frames 1"]:
    """Cross-fade of the 2 * patch frames of a token: squared sines, which add up to one."""
    place = (torch.arange(2 * patch) + 0.5) / (2 * patch)
    return (place * torch.pi).sin().square().unsqueeze(1)
