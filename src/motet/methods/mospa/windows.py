"""One window of motion by diffusion sampling: classifier-free guidance on audio, source-position
conditioning, imposed frames (in-painting).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.body.feature_vector import ROOT, vector_rotations
from motet.diffusion.sample import Noise, SamplerName, sampler
from motet.diffusion.schedule import descend, strided_timesteps
from motet.errors import ConfigError
from motet.methods.mospa.config import MospaCondition, SourceConfig
from motet.methods.mospa.embedded_conditions import EmbeddedConditions
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_encoding import source_input
from motet.nn.device import on_device

SourceView = Callable[[Tensor | None], Tensor]
"""(estimate of the window in its own units, None before the first) -> source positions (batch
frames 3) as input of the network."""


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """Sampler, timesteps, guidance scale and eta of a window."""

    sampler: SamplerName
    steps: tuple[int, ...]
    """Falling steps, ending with 0."""
    guidance: float = 1.0
    flexibility: float = 0.0


@dataclasses.dataclass(frozen=True)
class WindowConditions:
    """Conditions of a window."""

    audio: Float[Tensor, "batch frames columns"]
    genre: Int[Tensor, " batch"]
    source: SourceView
    moving: bool = False
    """The source position is recomputed from every estimate (`selfconsistent`)."""
    source_config: SourceConfig | None = None
    """Source-position encoding, where it is not the model's own."""
    role: Int[Tensor, " batch"] | None = None
    """With `roles`: 0 listener, 1 speaker."""
    families: Int[Tensor, "batch frames"] | None = None
    """With `families`: the reaction in each frame, as `reaction_families` numbers them."""

    def to(self, device: torch.device) -> WindowConditions:
        """The same for a network on a device; the source is still seen from the CPU."""
        cpu, source = torch.device("cpu"), self.source

        def seen(estimate: Tensor | None) -> Tensor:
            with on_device(cpu):
                view = source(None if estimate is None else estimate.to(cpu))
            return view.to(device)

        audio, genre = self.audio.to(device), self.genre.to(device)
        role = None if self.role is None else self.role.to(device)
        families = None if self.families is None else self.families.to(device)
        return dataclasses.replace(
            self, audio=audio, genre=genre, source=seen, role=role, families=families
        )


def sampling_config(condition: MospaCondition, model: MospaModel) -> SamplingConfig:
    """How the windows of a take are sampled.

    Raises:
        ConfigError: more steps than the model's schedule has.
    """
    config, schedule = model.config, model.schedule
    name = config.sampler if condition.sampler == "default" else condition.sampler
    count = condition.steps or (schedule.steps if name == "ancestral" else config.steps)
    if count > schedule.steps:
        raise ConfigError(
            f"this model knows {schedule.steps} diffusion steps; steps must not be more, not"
            f" {count}"
        )
    if name == "ddim" and schedule.steps % count == 0:
        steps = strided_timesteps(schedule, count)
    else:
        steps = descend(schedule, count, "log_snr" if name == "dpm++2m" else "uniform")
    return SamplingConfig(name, tuple(steps), condition.guidance_audio, condition.flexibility)


def sample_window(
    model: MospaModel,
    conditions: WindowConditions,
    sampling: SamplingConfig,
    start: Float[Tensor, "batch frames dim"],
    noise: Noise,
    imposed: Float[Tensor, "batch known dim"] | None = None,
) -> Float[Tensor, "batch frames dim"]:
    """A window in its own units.

    Guidance extrapolates from the prediction without audio to the one with audio; both go through
    the network as one batch.

    Args:
        imposed: the first frames, in their own units; every estimate is overwritten with them, as
            the released program imposes.

    Source: section 4.1 of the paper; imposing as in the in-painting code of the release.
    """
    batch, guided = len(conditions.audio), sampling.guidance != 1.0
    audible = torch.cat([torch.ones(batch), torch.zeros(batch)]) if guided else None
    known = None
    if imposed is not None:
        known = KnownFrames.first(model.normalised(imposed), start.shape[1])
    # Weights that were trained without known frames stand still when they see a long past clean; a
    # single frame they follow. Published models see it as noisy as the rest, as released.
    is_seen = model.config.known_frames or (
        model.config.guessing and imposed is not None and imposed.shape[1] == 1
    )
    seen = known if is_seen else None
    role, families = conditions.role, conditions.families

    def embedded(
        estimate: Tensor | None, before: EmbeddedConditions | None = None
    ) -> EmbeddedConditions:
        source = source_input(
            conditions.source(estimate), conditions.source_config or model.config.source
        )
        twice = 2 if guided else 1
        return model.embed_conditions(
            conditions.audio.repeat(twice, 1, 1),
            source.repeat(twice, 1, 1),
            conditions.genre.repeat(twice),
            audible,
            before,
            None if role is None else role.repeat(twice),
            None if families is None else families.repeat(twice, 1),
        )

    state: dict[str, EmbeddedConditions] = {"conditions": embedded(None)}

    def denoise(x: Tensor, step: int) -> Tensor:
        steps = torch.full((batch * (2 if guided else 1),), step)
        clean = None if seen is None else seen.twice() if guided else seen
        noisy = x.repeat(2, 1, 1) if guided else x
        prediction = model.estimate(noisy, steps, state["conditions"], clean)
        if guided:
            with_audio, without = prediction.chunk(2)
            prediction = without + sampling.guidance * (with_audio - without)
        if known is not None:
            prediction = known.imposed_on(prediction)
        if conditions.moving:
            state["conditions"] = embedded(model.restored(prediction), state["conditions"])
        return prediction

    return model.restored(
        sampler(sampling.sampler)(
            denoise, start, model.schedule, sampling.steps, noise, sampling.flexibility
        )
    )


def seen_from_root(
    world: Float[Tensor, "batch frames 3"], vector: Float[Tensor, "batch frames dim"]
) -> Float[Tensor, "batch frames 3"]:
    """A position in the world in the pelvis' axes of each frame: R^T (position - root)."""
    turn = vector_rotations(vector)[..., 0, :, :]
    return (turn.transpose(-1, -2) @ (world - vector[..., ROOT]).unsqueeze(-1)).squeeze(-1)


def world_view(
    world: Float[Tensor, "batch frames 3"],
    first: Float[Tensor, "batch dim"],
    config: SourceConfig,
    mode: str,
) -> tuple[SourceView, bool]:
    """Source-position encoding for a source with known position in the window's world.

    Args:
        world: positions in each frame.
        first: the window's first frame, as far as it is known before the window is sampled.
        mode: `selfconsistent` or `initial`; a model that sees the source from the window's start
            needs neither.
    """
    unit = config.unit

    def scaled(positions: Tensor) -> Tensor:
        return torch.nn.functional.normalize(positions, dim=-1) if unit else positions

    resting = first.unsqueeze(1).expand(-1, world.shape[1], -1)
    if config.frame == "start":
        from_start = scaled(world - resting[..., ROOT])
        return (lambda estimate: from_start), False
    initial = scaled(seen_from_root(world, resting))
    if mode == "initial":
        return (lambda estimate: initial), False
    return (
        lambda estimate: initial if estimate is None else scaled(seen_from_root(world, estimate))
    ), True
