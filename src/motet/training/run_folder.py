"""The folder of one training run: what makes it resumable.

`run.json` holds the configuration, `state.safetensors` the parameters, their moving averages and
the optimiser's moments (replaced atomically, so a killed run loses at most `save_every_s` seconds),
`log.jsonl` one JSON line for each report, `best.safetensors` the checkpoint with the smallest
validation loss so far. TensorBoard's event files lie beside them.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from motet import config as settings
from motet.atomic_write import make_folder, write_bytes
from motet.config import parse_json
from motet.errors import ConfigError, require
from motet.training.settings import TrainConfig

Report = Callable[[Mapping[str, float]], None]
STATE, LOG, RUN, BEST = "state.safetensors", "log.jsonl", "run.json", "best.safetensors"
LENGTH = ("steps", "minutes", "save_every_s", "log_every", "validate_every")
"""Settings that may change when a run goes on."""
BEFORE: Mapping[str, float | str] = {
    "validation": 0.0,
    "shards": 1,
    "schedule": "cosine",
    "final": 0.02,
    "beta2": 0.98,
}
"""What runs did whose `run.json` is older than these settings."""


@dataclasses.dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    """Smallest validation loss so far."""


def claim(folder: Path, stage: str, config: TrainConfig, shards: int) -> None:
    """Make a folder belong to one stage and configuration; only the length may change.

    Raises:
        ConfigError: the folder holds a run of another configuration.
    """
    make_folder(folder)
    # `LENGTH` may change: a run can be made longer, or save more often.
    identity = {k: v for k, v in settings.to_json(config).items() if k not in LENGTH}
    expected = {"stage": stage, **identity, "shards": shards}
    path = folder / RUN
    if path.exists():
        # Old runs lack newer settings; what they did then counts as given.
        stored = {**BEFORE, **_stored(path)}
        changed = [
            f"{key} {stored.get(key)} (now {expected[key]})"
            for key in expected
            if stored.get(key) != expected[key]
        ]
        if changed:
            raise ConfigError(
                f"{folder} holds a run with {', '.join(changed)}; give its settings, choose another"
                " folder or remove it"
            )
    write_bytes(path, json.dumps(expected, indent=1).encode())


def _stored(path: Path) -> dict[str, object]:
    try:
        stored = parse_json(path.read_text())
        if isinstance(stored, dict):
            return stored
    except (OSError, ValueError):
        pass
    raise ConfigError(f"{path} is damaged; remove its folder, or choose another one")


def save_state(
    folder: Path,
    model: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write everything that a run needs to go on."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    # By parameter name, not by index: the order of parameters may change with the code.
    for name, parameter in model.named_parameters():
        moments = optimiser.state.get(parameter, {})
        tensors |= {f"optimiser.{key}.{name}": moments[key] for key in moments}
    metadata = {key: str(value) for key, value in dataclasses.asdict(progress).items()}
    values = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    write_bytes(folder / STATE, save(values, metadata))


def load_state(
    folder: Path,
    model: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> Progress | None:
    """Bring back what `save_state` wrote; None where nothing was saved.

    Raises:
        ConfigError: the file is damaged or of another model.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _restore(tensors, metadata, model, average, optimiser)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(
            f"{path} is damaged or of another model ({reason}); remove it to start over"
        ) from error


def _restore(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    model: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> Progress:
    model.load_state_dict(
        {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    )
    parameters = dict(model.named_parameters())
    for name in average:
        average[name].copy_(tensors[f"average.{name}"])
        stored = {key: tensors.get(f"optimiser.{key}.{name}") for key in _MOMENTS}
        parameter = parameters[name]
        moments = {
            # AdamW counts steps on the CPU.
            key: tensor if key == "step" else tensor.to(parameter.device)
            for key, tensor in stored.items()
            if tensor is not None
        }
        if moments:
            optimiser.state[parameter] = moments
    best = float(metadata.get("best", "inf"))
    return Progress(int(metadata["step"]), float(metadata["seconds"]), best)


_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class RunLog:
    """Reports of a run: `log.jsonl`, TensorBoard, and a callback.

    Args:
        tensorboard: also write TensorBoard event files.

    Raises:
        MissingDependency: TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, report: Report | None, tensorboard: bool) -> None:
        self._path, self._report = folder / LOG, report
        self._events = (
            require("tensorboard.summary", "train").Writer(str(folder)) if tensorboard else None
        )

    def _broken_line(self, file: TextIO) -> str:
        """What ends a line that was cut short when the run was killed."""
        # A line cut by a kill must not swallow the next report.
        size = file.seek(0, os.SEEK_END)
        if not size:
            return ""
        file.seek(size - 1)
        return "" if file.read(1) == "\n" else "\n"

    def write(self, line: Mapping[str, float]) -> None:
        """One report; `step` is its place on TensorBoard's axis."""
        text = json.dumps({key: round(value, 6) for key, value in line.items()})
        with self._path.open("a+") as file:
            file.write(f"{self._broken_line(file)}{text}\n")
        if self._events is not None:
            for key, value in line.items():
                if key != "step":
                    self._events.add_scalar(key, value, int(line["step"]))
            self._events.flush()
        if self._report is not None:
            self._report(line)
