"""The two-clip training scheme: two neighbouring windows, each now and then cut short, the second
in the context of the first.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.diffusion.denoise import add_noise
from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.methods.diffposetalk.loss import ClipPair, Surface, clip_losses, frames_before
from motet.methods.diffposetalk.model import DiffPoseTalkModel


@dataclasses.dataclass(frozen=True)
class Pair:
    """A batch of two neighbouring clips."""

    motion: Float[Tensor, "batch frames dim"]
    """Normalised, both windows."""
    sound: Tensor
    """Standardised samples (batch time) for a model with a trunk, else features (batch steps
    channels)."""
    shape: Float[Tensor, "batch coefficients"] | None = None
    """Normalised, of the first clip."""
    lengths: Int[Tensor, " batch"] | None = None
    """Valid frames of both windows in total; None: all."""
    valid: Float[Tensor, "batch dim"] | None = None


@dataclasses.dataclass(frozen=True)
class ClipDraws:
    """Everything random of one clip."""

    ends: Int[Tensor, " batch"] | None
    """Where each item is cut short, in 1 ... window - 1; None: it is not."""
    drops: tuple[Float[Tensor, " batch"], ...]
    """Uniform numbers that decide which conditions are left out: one, or two (style, audio) when
    they are independent."""
    steps: Int[Tensor, " batch"]
    noise: Float[Tensor, "batch window dim"]

    def to(self, device: torch.device) -> ClipDraws:
        """The same numbers on a device."""
        return ClipDraws(
            None if self.ends is None else self.ends.to(device),
            tuple(drop.to(device) for drop in self.drops),
            self.steps.to(device),
            self.noise.to(device),
        )


def draw_clip(
    config: DiffPoseTalkConfig,
    clip: int,
    batch: int,
    randomness: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> ClipDraws:
    """Draw them for the first (0) or second (1) clip. Whether clips are cut short is drawn once
    for the batch, where is drawn for each item.
    """
    window = config.denoiser.window
    short = float(torch.rand(1, generator=randomness)) < config.loss.truncate[clip]
    ends = (
        torch.randint(1, window, (batch,), generator=randomness) if short and window > 1 else None
    )
    coins = (
        2
        if config.diffusion.dropping == "independent" and len(config.diffusion.guided) == 2
        else min(1, len(config.diffusion.guided))
    )
    drops = tuple(torch.rand(batch, generator=randomness) for _ in range(coins))
    steps = torch.randint(1, config.diffusion.steps + 1, (batch,), generator=randomness)
    return ClipDraws(
        ends,
        drops,
        steps,
        torch.randn(batch, window, config.motion_dim, generator=randomness, dtype=dtype),
    )


def dropped(config: DiffPoseTalkConfig, drops: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """True where a condition is left out.

    Incremental: style above 0.55, sound as well above 0.9 (so 55 % have both conditions, 35 %
    audio only, 10 % none; a comment in the released code states otherwise). Independent: a fair
    coin each. A single condition: one time in ten.
    """
    guided = config.diffusion.guided
    if not guided:
        return {}
    if len(guided) == 1:
        return {guided[0]: drops[0] < 0.1}
    # One coin: the audio is dropped only together with the style (45 % and 10 %), as incremental
    # guidance needs.
    if config.diffusion.dropping == "incremental":
        return {"style": drops[0] > 0.55, "audio": drops[0] > 0.9}
    return {"style": drops[0] < 0.5, "audio": drops[1] < 0.5}


def truncate(
    values: Float[Tensor, "batch steps *numbers"], ends: Int[Tensor, " batch"], padding: str
) -> Tensor:
    """What follows each end becomes zero, or repeats the last value before it."""
    before = frames_before(ends, len(values), values.shape[1], values.device)
    before = before.reshape(*before.shape, *(1,) * (values.ndim - 2))  # (batch, steps, 1, ...)
    if padding == "zero":
        return torch.where(before, values, torch.zeros_like(values))
    rows = torch.arange(len(values), device=values.device)
    return torch.where(before, values, values[rows, ends - 1].unsqueeze(1))


def predict_clip(
    model: DiffPoseTalkModel,
    motion: Float[Tensor, "batch window dim"],
    audio: Float[Tensor, "batch window width"],
    draws: ClipDraws,
    *,
    shape: Tensor | None,
    style: Tensor | None,
    context: tuple[Tensor, Tensor] | None = None,
    indicator: Tensor | None = None,
) -> Float[Tensor, "batch frames dim"]:
    """Noise the clip, leave conditions out, and run the denoiser.

    Args:
        context: motion and audio features before the clip; the learned start when left out.
    """
    batch, lost = len(motion), dropped(model.config, draws.drops)
    if "audio" in lost and model.null_audio_feat is not None:
        # (batch, window, width)
        audio = torch.where(lost["audio"].view(-1, 1, 1), model.null_audio_feat, audio)
    if style is not None and "style" in lost:
        style = torch.where(lost["style"].unsqueeze(1), model.no_style(batch), style)
    past_motion, past_audio = context or (
        model.start_motion_feat.expand(batch, -1, -1),
        model.start_audio_feat.expand(batch, -1, -1),
    )
    noisy = add_noise(model.schedule, motion, draws.noise, draws.steps)
    return model.denoising_net(
        noisy,
        audio,
        model.person(shape, style, batch),
        past_motion,
        past_audio,
        draws.steps,
        indicator,
    )


def two_clip_losses(
    model: DiffPoseTalkModel,
    pair: Pair,
    draws: tuple[ClipDraws, ClipDraws],
    surface: Surface | None,
    randomness: torch.Generator | None = None,
) -> list[dict[str, Tensor]]:
    """Unweighted terms of both clips.

    The style of each clip is that of the other one. The second clip continues the complete first
    one, whose features are encoded again without gradient when it had been cut short.

    Args:
        randomness: for the trunk's own masks and left-out layers; none happen without it.
    """
    config = model.config
    window, context = config.denoiser.window, config.denoiser.context
    motions, audio_of = pair.motion.split(window, 1), _ClipAudio(model, pair.sound, randomness)
    past: tuple[Tensor, Tensor] | None = None
    losses = []
    for clip, (motion, draw) in enumerate(zip(motions, draws, strict=True)):
        ends = _both_ends(draw.ends, pair.lengths, clip, window)
        audio = audio_of.clip(clip, draw.ends)
        shown = motion if ends is None else truncate(motion, ends.clamp(min=1), config.loss.padding)
        real = frames_before(ends, len(motion), window, motion.device).to(motion.dtype)
        # The style comes from the other clip, so that it cannot carry the motion itself.
        style = _style(model, motions[1 - clip])
        prediction = predict_clip(
            model, shown, audio, draw, shape=pair.shape, style=style, context=past, indicator=real
        )
        truth = ClipPair(
            shown,
            prediction,
            draw.noise,
            None if past is None else past[0],
            ends,
            pair.shape,
            pair.valid,
        )
        losses.append(clip_losses(truth, config, surface))
        if clip == 0:
            past = (
                motion[:, -context:],
                audio_of.complete_first(audio, draw.ends)[:, -context:].detach(),
            )
    return losses


def _both_ends(
    drawn: Tensor | None, lengths: Tensor | None, clip: int, window: int
) -> Tensor | None:
    if lengths is None:
        return drawn
    left = (lengths - clip * window).clamp(0, window)  # valid frames within this clip
    return left if drawn is None else torch.minimum(left, drawn)


@torch.no_grad()
def _style(model: DiffPoseTalkModel, motion: Tensor) -> Tensor | None:
    if not model.config.style_dim:
        return None
    if model.style_encoder is None:
        return model.no_style(len(motion))
    return model.style_encoder.eval()(motion)


class _ClipAudio:
    """Audio features of the clips; the sound is cut short where the clip is."""

    def __init__(
        self, model: DiffPoseTalkModel, sound: Tensor, randomness: torch.Generator | None
    ) -> None:
        self.model, self.randomness, self.config = model, randomness, model.config
        self.trunk = model.audio_encoder is not None
        self.window = model.config.denoiser.window
        self.unit = model.config.frame_samples if self.trunk else 2
        self.clips = sound.split(self.window * self.unit, 1)
        self.both = self._encode(sound, 2) if self.trunk and self.config.loss.hear_both else None

    def clip(self, clip: int, ends: Tensor | None) -> Tensor:
        """Features of one clip."""
        if ends is None:
            return self._slice(clip) if self.both is not None else self._encode(self.clips[clip], 1)
        cut = truncate(self.clips[clip], ends * self.unit, self.config.loss.padding)
        if self.both is not None and clip == 1:
            return self._encode(torch.cat([self.clips[0], cut], 1), 2)[:, -self.window :]
        return self._encode(cut, 1)

    def complete_first(self, audio: Tensor, ends: Tensor | None) -> Tensor:
        """Features of the first clip as if it had not been cut short."""
        if ends is None:
            return audio
        if self.both is not None:
            return self._slice(0)
        with torch.no_grad():
            return self._encode(self.clips[0], 1)

    def _slice(self, clip: int) -> Tensor:
        assert self.both is not None
        return self.both[:, clip * self.window : (clip + 1) * self.window]

    def _encode(self, sound: Tensor, windows: int) -> Tensor:
        if self.trunk:
            return self.model.encode_audio(sound, windows * self.window, self.randomness)
        return self.model.map_features(sound)
