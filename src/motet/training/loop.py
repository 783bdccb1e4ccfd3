"""The training loop. Methods give stages (model, losses, batches); this file gives steps,
averaging, logs and resuming.

A run is a folder: `state.safetensors` (parameters, averages, optimiser moments, randomness;
replaced atomically, so a killed run loses at most `save_every_s` seconds), `log.jsonl` (one JSON
line for each report) and `run.json` (configuration). Batches and losses draw from a generator
seeded by (seed, step), so a resumed run continues as the uninterrupted one would.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from motet import config as settings
from motet.errors import ConfigError
from motet.method import Stage
from motet.training.settings import TrainConfig


@dataclasses.dataclass
class _Progress:
    step: int = 0
    seconds: float = 0.0


def train(
    stage: Stage,
    corpus: Any,
    config: TrainConfig,
    folder: Path,
    report: Callable[[Mapping[str, float]], None] | None = None,
    watch: Callable[[Mapping[str, Tensor]], None] | None = None,
) -> dict[str, Tensor]:
    """Train one stage, resuming from `folder` when it holds a run of the same configuration.

    Args:
        watch: shown the averaged parameters and buffers whenever the state is saved.

    Returns:
        The averaged parameters and the buffers of the stage's model.

    Raises:
        ConfigError: the folder holds a run of another configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, stage.name, config)
    parameters = _trained_parameters(stage)
    optimiser = _optimiser(parameters, config)
    average = {name: p.detach().clone() for name, p in parameters.items()}
    progress = _resume(folder, stage.model, parameters, average, optimiser)
    began, saved, sums = time.monotonic() - progress.seconds, time.monotonic(), {}

    def keep() -> None:
        _save(folder, stage.model, parameters, average, optimiser, progress)
        if watch is not None:
            watch(
                {**{n: t.detach().clone() for n, t in stage.model.state_dict().items()}, **average}
            )

    while not _done(progress, config):
        rate = config.learning_rate * _schedule(progress, config)
        for group in optimiser.param_groups:
            group["lr"] = rate
        randomness = torch.Generator().manual_seed((config.seed << 32) + progress.step)
        stage.model.train()
        terms = stage.loss(stage.batch(corpus, config.batch, randomness), randomness)
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(list(parameters.values()), config.clip)
        if math.isfinite(
            float(norm)
        ):  # a step whose gradient overflowed would destroy the run: leave it out
            optimiser.step()
        progress.step, progress.seconds = progress.step + 1, time.monotonic() - began
        _follow(average, parameters, min(config.average, progress.step / (progress.step + 10)))
        for name, term in {**terms, "loss": loss}.items():
            sums[name] = sums.get(name, 0.0) + float(term.detach()) / config.log_every
        if progress.step % config.log_every == 0:
            _log(
                folder,
                {"step": progress.step, "seconds": progress.seconds, "rate": rate, **sums},
                report,
            )
            sums = {}
        if time.monotonic() - saved > config.save_every_s:
            keep()
            saved = time.monotonic()
    keep()
    return {**{n: t.detach().clone() for n, t in stage.model.state_dict().items()}, **average}


def _claim(folder: Path, stage: str, config: TrainConfig) -> None:
    """A folder belongs to one stage and configuration; only the length of the run may change."""
    wanted = {
        "stage": stage,
        **{
            k: v
            for k, v in settings.to_json(config).items()
            if k not in ("steps", "minutes", "save_every_s", "log_every")
        },
    }
    path = folder / "run.json"
    if path.exists():
        found = json.loads(path.read_text())
        different = [key for key in wanted if found.get(key) != wanted[key]]
        if different:
            raise ConfigError(
                f"{folder} holds a run with another {', '.join(different)}; choose another folder"
                " or remove it"
            )
    path.write_text(json.dumps(wanted, indent=1))


def _trained_parameters(stage: Stage) -> dict[str, nn.Parameter]:
    moving = {id(p) for module in stage.trained for p in module.parameters()}
    for parameter in stage.model.parameters():
        parameter.requires_grad_(id(parameter) in moving)
    return {name: p for name, p in stage.model.named_parameters() if id(p) in moving}


def _optimiser(parameters: Mapping[str, nn.Parameter], config: TrainConfig) -> torch.optim.AdamW:
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=config.learning_rate, betas=(0.9, 0.98)
    )


def _schedule(progress: _Progress, config: TrainConfig) -> float:
    share = (
        progress.seconds / (60 * config.minutes) if config.minutes else progress.step / config.steps
    )
    return min(1.0, (progress.step + 1) / max(1, config.warmup)) * (
        0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    )


def _done(progress: _Progress, config: TrainConfig) -> bool:
    return (
        progress.seconds >= 60 * config.minutes if config.minutes else progress.step >= config.steps
    )


@torch.no_grad()
def _follow(
    average: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter], decay: float
) -> None:
    torch._foreach_lerp_(list(average.values()), [p.data for p in parameters.values()], 1 - decay)


def _log(
    folder: Path, line: Mapping[str, float], report: Callable[[Mapping[str, float]], None] | None
) -> None:
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in line.items()}) + "\n")
    if report is not None:
        report(line)


def _save(
    folder: Path,
    model: nn.Module,
    parameters: Mapping[str, nn.Parameter],
    average: Mapping[str, Tensor],
    optimiser: torch.optim.AdamW,
    progress: _Progress,
) -> None:
    tensors = {
        f"model.{name}": tensor.detach().clone() for name, tensor in model.state_dict().items()
    }
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    for name, parameter in parameters.items():
        moments = optimiser.state.get(parameter, {})
        tensors |= {f"optimiser.{key}.{name}": moments[key].clone() for key in moments}
    path, beside = folder / "state.safetensors", folder / "state.safetensors.part"
    beside.write_bytes(
        save(tensors, metadata={"step": str(progress.step), "seconds": str(progress.seconds)})
    )
    os.replace(beside, path)


def _resume(
    folder: Path,
    model: nn.Module,
    parameters: Mapping[str, nn.Parameter],
    average: dict[str, Tensor],
    optimiser: torch.optim.AdamW,
) -> _Progress:
    path = folder / "state.safetensors"
    if not path.exists():
        return _Progress()
    with safe_open(str(path), framework="pt") as file:
        facts, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model.load_state_dict(
        {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    )
    for name, parameter in parameters.items():
        average[name].copy_(tensors[f"average.{name}"])
        keys = [
            key for key in ("step", "exp_avg", "exp_avg_sq") if f"optimiser.{key}.{name}" in tensors
        ]
        if keys:
            optimiser.state[parameter] = {key: tensors[f"optimiser.{key}.{name}"] for key in keys}
    return _Progress(int(facts["step"]), float(facts["seconds"]))
