"""The training loop: one for every stage of every method, encoder and person.

A stage gives model, losses and batches; this file gives steps, moving averages, validation, logs
and resuming; Lightning Fabric gives device, precision and processes.

One optimiser step sees `shards` batches (processes x accumulation). Shard k of step n draws from a
generator seeded by (seed, n, k). A resumed run therefore continues as the uninterrupted one would,
and two processes compute what one process computes with two accumulated batches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Generic

import torch
from torch import Tensor, nn

from motet.errors import InputError
from motet.stage import ExamplesT, Stage
from motet.training.compute import launch
from motet.training.run_folder import (
    BEST,
    STATE,
    Progress,
    Report,
    RunLog,
    claim,
    load_state,
    save_state,
)
from motet.training.settings import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Watch = Callable[[Mapping[str, Tensor]], None]
Export = Callable[[Path, Mapping[str, Tensor]], None]
VALIDATION_BATCHES = 8
_SHARD_STRIDE = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: odd, bits evenly spread


def train(
    stage: Stage[ExamplesT],
    examples: ExamplesT,
    config: TrainConfig,
    folder: Path,
    report: Report | None = None,
    watch: Watch | None = None,
    *,
    fabric: Fabric | None = None,
    accumulate: int = 1,
    validation: ExamplesT | None = None,
    export: Export | None = None,
    tensorboard: bool = False,
) -> dict[str, Tensor]:
    """Train one stage, resuming from `folder` when it holds a run of the same configuration.

    Args:
        report: called with every line of the log (first process only, as the next two).
        watch: called with the averaged parameters and buffers whenever the state is saved.
        export: called with `folder/best.safetensors` and its tensors whenever the validation loss
            is smaller than ever before.
        fabric: device, precision and processes (`motet.training.compute.launch`); one CPU process
            when left out.
        accumulate: batches of this process whose gradients are averaged before each step.
        validation: what the validation loss is measured on; None: no validation.
        tensorboard: write TensorBoard event files beside the log.

    Returns:
        The model's tensors with averaged parameters, completed (`Stage.complete`), on the CPU; the
        stage's model holds them too.

    Raises:
        ConfigError: the folder holds a run of another configuration.
        InputError: the validation part is too small for a batch.
    """
    if validation is not None:
        _check_validation(stage, validation, config)
    run = _Run(stage, examples, config, folder, fabric or launch(), accumulate)
    log = RunLog(folder, report, tensorboard) if run.first else None
    # Monotonic: a clock that is set must not stop the saving.
    saved = time.monotonic()
    while not run.finished:
        line = run.step()
        if validation is not None and run.progress.step % config.validate_every == 0:
            line = {**(line or run.position()), **run.validate(validation, export)}
        if line and log is not None:
            log.write(line)
        if time.monotonic() - saved > config.save_every_s:
            run.save(watch)
            saved = time.monotonic()
    run.save(watch)
    return run.result()


def _check_validation(stage: Stage[ExamplesT], validation: ExamplesT, config: TrainConfig) -> None:
    """A validation part that is too small for a batch shows before the training, not hours later.

    Raises:
        InputError: it is.
    """
    try:
        stage.batch(validation, config.batch, torch.Generator().manual_seed(0))
    except InputError as error:
        raise InputError(
            f"the validation part gives no batch ({error}); give --optim.validation a larger share,"
            " or 0 to train without validation"
        ) from error


class _LossModule(nn.Module):
    """The loss of a stage as a forward pass: DDP reduces the gradients of what it wraps."""

    def __init__(self, stage: Stage[ExamplesT]) -> None:
        super().__init__()
        self.model, self._loss = stage.model, stage.loss

    def forward(
        self, batch: Mapping[str, Tensor], randomness: torch.Generator
    ) -> dict[str, Tensor]:
        return self._loss(batch, randomness)


class _Run(Generic[ExamplesT]):
    """A stage on a device, with its optimiser and its progress."""

    def __init__(
        self,
        stage: Stage[ExamplesT],
        examples: ExamplesT,
        config: TrainConfig,
        folder: Path,
        fabric: Fabric,
        accumulate: int,
    ) -> None:
        self._stage, self._examples, self._config, self._folder = stage, examples, config, folder
        self._fabric, self._accumulate = fabric, accumulate
        self.first = fabric.global_rank == 0
        if self.first:
            claim(folder, stage.name, config, fabric.world_size * accumulate)
        fabric.barrier()
        # before the module is wrapped: the names are those of the model
        self._parameters = trained_parameters(stage)
        if not (folder / STATE).exists():
            # Not on resumption: the saved state holds what `prepare` computed.
            stage.prepare(examples)
        self._module = fabric.setup_module(_LossModule(stage))
        self._optimiser = make_optimiser(self._parameters, config)
        self._step_optimiser = fabric.setup_optimizers(self._optimiser)
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}
        resumed = load_state(folder, stage.model, self._average, self._optimiser)
        self.progress = resumed or Progress()
        self._began = time.monotonic() - self.progress.seconds
        self._sums: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        """Whether the wanted length is reached."""
        config, progress = self._config, self.progress
        if config.minutes:
            return progress.seconds >= 60 * config.minutes
        return progress.step >= config.steps

    def position(self) -> dict[str, float]:
        """Where the run stands, for the log."""
        return {"step": self.progress.step, "seconds": self.progress.seconds}

    def step(self) -> dict[str, float]:
        """One optimiser step over all shards; every `log_every` steps the mean terms since the last
        report, otherwise nothing.
        """
        rate = self._config.learning_rate * schedule(self.progress, self._config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        self._stage.model.train()
        for micro in range(self._accumulate):
            self._backward(micro)
        # infinite: the norm is measured and nothing is clipped
        most = self._config.clip or math.inf
        norm = nn.utils.clip_grad_norm_(list(self._parameters.values()), most)
        # A step whose gradient overflowed would destroy the run: leave it out.
        if math.isfinite(float(norm)):
            self._step_optimiser.step()
        self._advance()
        return self._report(rate) if self.progress.step % self._config.log_every == 0 else {}

    def _backward(self, micro: int) -> None:
        """Gradients of one batch; those of all but the last wait for the exchange between
        processes.
        """
        randomness = self._randomness(micro)
        batch = self._stage.batch(self._examples, self._config.batch, randomness)
        # DDP sums gradients at the last micro-batch only.
        waits = micro + 1 < self._accumulate
        with self._fabric.no_backward_sync(self._module, enabled=waits):
            terms = self._module(self._fabric.to_device(dict(batch)), randomness)
            # The terms are weighted already; their plain sum is the loss.
            loss = torch.stack(list(terms.values())).sum()
            self._fabric.backward(loss / self._accumulate)
        for name, term in {**terms, "loss": loss}.items():
            # Summed over the steps between two reports, so each report is a mean.
            value = term.detach().float() / (self._accumulate * self._config.log_every)
            self._sums[name] = self._sums.get(name, 0.0) + value

    def _randomness(self, micro: int) -> torch.Generator:
        shard = micro * self._fabric.world_size + self._fabric.global_rank
        return shard_generator(self._config.seed, self.progress.step, shard)

    def _advance(self) -> None:
        progress = self.progress
        progress.step += 1
        progress.seconds = time.monotonic() - self._began
        if self._fabric.world_size > 1:
            # The schedule may follow the clock, and all processes must stop at the same step.
            progress.seconds = float(self._fabric.broadcast(progress.seconds))
        follow(
            self._average,
            self._parameters,
            # Warm-up of the average: at step n at most n / (n + 10), or it would keep the random
            # start.
            min(self._config.average, progress.step / (progress.step + 10)),
        )

    def _report(self, rate: float) -> dict[str, float]:
        means = {name: float(self._fabric.all_reduce(v)) for name, v in self._sums.items()}
        self._sums = {}
        return {**self.position(), "rate": rate, **means}

    def validate(self, examples: ExamplesT, export: Export | None) -> dict[str, float]:
        """The mean loss of the averaged parameters on fixed validation batches; the best model so
        far is exported.
        """
        with self._averaged():
            loss = self._validation_loss(examples)
            better = loss < self.progress.best
            self.progress.best = min(loss, self.progress.best)
            if better and self.first and export is not None:
                with torch.no_grad():
                    self._stage.complete(self._examples)
                export(self._folder / BEST, snapshot(self._stage.model))
        return {"validation": loss}

    @torch.no_grad()
    def _validation_loss(self, examples: ExamplesT) -> float:
        self._stage.model.eval()
        world, total = self._fabric.world_size, torch.zeros((), device=self._fabric.device)
        # Shards of fixed batches: the loss does not depend on the number of processes.
        for index in range(self._fabric.global_rank, VALIDATION_BATCHES, world):
            randomness = torch.Generator().manual_seed(index)
            batch = self._stage.batch(examples, self._config.batch, randomness)
            with self._fabric.autocast():
                terms = self._stage.loss(self._fabric.to_device(dict(batch)), randomness)
            total += torch.stack(list(terms.values())).sum().float()
        return float(self._fabric.all_reduce(total, reduce_op="sum")) / VALIDATION_BATCHES

    def save(self, watch: Watch | None) -> None:
        """Write the state, and show the averaged model."""
        if not self.first:
            return
        save_state(self._folder, self._stage.model, self._average, self._optimiser, self.progress)
        if watch is not None:
            average = {
                name: tensor.detach().cpu().clone() for name, tensor in self._average.items()
            }
            watch({**snapshot(self._stage.model), **average})

    def result(self) -> dict[str, Tensor]:
        """The finished model."""
        exchange(self._parameters, self._average)
        self._stage.model.eval()
        with torch.no_grad():
            self._stage.complete(self._examples)
        return snapshot(self._stage.model)

    def _averaged(self) -> AbstractContextManager[None]:
        return _Averaged(self._parameters, self._average)


class _Averaged(AbstractContextManager[None]):
    """The averaged parameters in place of the trained ones, for a while."""

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], average: Mapping[str, Tensor]
    ) -> None:
        self._parameters, self._average = parameters, average

    def __enter__(self) -> None:
        self._trained = {name: p.detach().clone() for name, p in self._parameters.items()}
        exchange(self._parameters, self._average)

    def __exit__(self, *_: object) -> None:
        exchange(self._parameters, self._trained)


@torch.no_grad()
def exchange(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


def shard_generator(seed: int, step: int, shard: int) -> torch.Generator:
    """Randomness of one batch. An odd constant keeps the seeds of shards apart."""
    # as a signed 64-bit integer
    return torch.Generator().manual_seed(((seed << 32) + step + shard * _SHARD_STRIDE) % 2**63)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of a model's tensors on the CPU."""
    return {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}


def trained_parameters(stage: Stage[ExamplesT]) -> dict[str, nn.Parameter]:
    """The parameters that move, by their names in the model; all others are frozen."""
    moving = {id(p) for module in stage.trained for p in module.parameters()}
    for parameter in stage.model.parameters():
        parameter.requires_grad_(id(parameter) in moving)
    return {name: p for name, p in stage.model.named_parameters() if id(p) in moving}


def make_optimiser(
    parameters: Mapping[str, nn.Parameter], config: TrainConfig
) -> torch.optim.AdamW:
    """AdamW; only matrices decay."""
    # Biases, gains of norms and scales do not decay, as is usual for transformers.
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=config.learning_rate, betas=(0.9, config.beta2)
    )


def schedule(progress: Progress, config: TrainConfig) -> float:
    """Share of the peak learning rate: linear warm-up, then the schedule of the settings."""
    if config.minutes:
        share = progress.seconds / (60 * config.minutes)
    else:
        share = progress.step / config.steps
    warm = min(1.0, (progress.step + 1) / max(1, config.warmup))
    share = min(1.0, share)
    left = {
        "cosine": 0.5 * (1 + math.cos(math.pi * share)),
        "linear": 1 - share,
        "constant": 1.0,
    }[config.schedule]
    return warm * (config.final + (1 - config.final) * left)


@torch.no_grad()
def follow(
    average: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter], decay: float
) -> None:
    """Exponential moving average."""
    torch._foreach_lerp_(list(average.values()), [p.data for p in parameters.values()], 1 - decay)
