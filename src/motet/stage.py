"""One stage of training: what a method or an encoder contributes to `motet.training`.

A stage names a model, the parts of it that move, how a batch is drawn and what is minimised. The
loop (`motet.training.loop`) owns everything else: device, precision, processes, steps, averaging,
validation, logs and resuming. What has a closed-form solution is a `ClosedFormStage` and takes the
same way to a checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from motet.config import JsonValue

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ExamplesT = TypeVar("ExamplesT")
"""The training set of a stage, e.g. `motet.data.training_set.TrainingSet`."""


def _nothing(examples: object) -> None:
    del examples


def _no_metadata(examples: object) -> dict[str, JsonValue]:
    del examples
    return {}


@dataclasses.dataclass(frozen=True)
class Stage(Generic[ExamplesT]):
    """A model trained by gradient descent.

    Device contract: `batch` works on the CPU; `loss` is called with a model and a batch on the same
    device and makes every tensor on that device. Random numbers come from `randomness`, which is a
    generator of the CPU, so that a seed means the same run on every device.
    """

    name: str
    model: nn.Module
    """All parameters and buffers that a checkpoint of this stage holds."""
    trained: Sequence[nn.Module]
    """The parts whose parameters move; everything else in `model` is frozen."""
    loss: Callable[[Mapping[str, Tensor], torch.Generator], dict[str, Tensor]]
    """(batch, randomness) -> named scalar terms, already weighted; their sum is minimised."""
    batch: Callable[[ExamplesT, int, torch.Generator], Mapping[str, Tensor]]
    """(training set, size, randomness) -> one batch."""
    prepare: Callable[[ExamplesT], None] = _nothing
    """Called with the training set before the first step, the model on the CPU: fills buffers that
    the training set determines (mean and deviation of each channel), if they are not filled."""
    complete: Callable[[ExamplesT], None] = _nothing
    """Called with the averaged parameters in place, before a checkpoint is written, the model on
    its device: fills buffers that follow from them."""
    metadata: Callable[[ExamplesT], dict[str, JsonValue]] = _no_metadata
    """Called after `complete`: what the checkpoint says about the model, e.g. its named styles."""


@dataclasses.dataclass(frozen=True)
class ClosedFormStage(Generic[ExamplesT]):
    """A model whose parameters are the solution of linear equations."""

    name: str
    fit: Callable[[ExamplesT], Mapping[str, Tensor]]
    """(training set) -> the tensors of the checkpoint."""
