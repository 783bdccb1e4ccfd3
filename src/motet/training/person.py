"""Learning one person: the stages of Speech2Lip on a person's folder, with previews, and always the
best kept.

Every minute the state is saved (a fit that was killed goes on from there) and the averaged model is
tried on frames at the end of the training part, which do not train. When it draws them better than
any before it, it becomes `weights.safetensors`: the person can speak from the first minute on and
never gets worse.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motet.atomic_write import write_bytes
from motet.checkpoint import load_strict, read_checkpoint, save_checkpoint
from motet.errors import InputError
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.dataset import MouthSet, mouth_set
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth, keep_filmed, warp_lips
from motet.methods.speech2lip.stages import begun, stages
from motet.training.compute import launch
from motet.training.loop import train
from motet.training.settings import ComputeConfig, TrainConfig


@dataclasses.dataclass(frozen=True)
class LearningConfig:
    """How long and how a person's model trains."""

    minutes: float = 30.0
    """Time in all (over resumptions)."""
    steps: int = 0
    """Steps of each stage, instead of a time; 0: as long as `minutes` says."""
    lips_share: float = 0.6
    """Part of it for the lips alone; the rest is for the whole region and the sync term."""
    batch: int = 8
    """Frames a step of the lips."""
    face_batch: int = 5
    """Frames a step of the whole region: one run of five."""
    learning_rate: float = 1.2e-3
    save_every_s: float = 60.0
    """Seconds between two saved states, trials and previews."""
    validation_frames: int = 48
    """Frames that models are compared on."""
    validation_share: float = 0.06
    """Last part of the training frames that they are taken from; it does not train."""
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Trial:
    """A report of every minute: the averaged model on validation frames."""

    stage: str
    error: float
    """Mean absolute difference of drawn from filmed colours, 0..1, on frames that did not train."""
    best: float
    """The smallest so far, which `weights.safetensors` has."""
    seconds: float
    """Since this call of the program began to learn."""
    preview: UInt8[Tensor, "height width 3"]
    """Filmed mouths above, drawn ones below."""


Report = Callable[[Mapping[str, float]], None]


def learn_person(
    person: Person,
    config: Speech2LipConfig | None = None,
    learning: LearningConfig | None = None,
    report: Report | None = None,
    tried: Callable[[Trial], None] | None = None,
    prepared: Callable[[int, int], None] | None = None,
    compute: ComputeConfig | None = None,
) -> str:
    """Train a person's model, going on where an earlier call ended; returns the digest of the best
    model.

    Ctrl-C passes through; the best model so far stays.

    Args:
        report: losses, every fifty steps.
        tried: every minute.
        prepared: called with (frames cut to the mouth, frames in all) before training.
        compute: device, precision and processes; one CPU process when left out.

    Raises:
        InputError: too few frames, or features of another encoder than the model's.
    """
    config, learning = config or PRESETS["default"], learning or LearningConfig()
    if person.features.shape[1] != config.hearing.channels:
        raise InputError(
            f"the person's features have {person.features.shape[1]} channels, the model takes"
            f" {config.hearing.channels}; fit the person again"
        )
    compute = compute or ComputeConfig("cpu")
    fabric = launch(compute)
    torch.manual_seed(learning.seed)
    examples = mouth_set(person, config, mouth=Mouth(person, config), progress=prepared)
    training_part, validation_frames = split(examples, learning)
    selection = _Selection(person, config, validation_frames, tried)
    tensors: Mapping[str, Tensor] = begun(config, training_part)
    for name, share in (("lips", learning.lips_share), ("face", 1 - learning.lips_share)):
        stage = next(s for s in stages(config, tensors) if s.name == name)
        folder = person.training / name
        watch = selection.watcher(name, training_part)
        if not (folder / "finished.safetensors").exists():
            batch = learning.batch if name == "lips" else learning.face_batch
            # The second stage goes on from trained lips: half the rate.
            rate = learning.learning_rate if name == "lips" else learning.learning_rate / 2
            settings = TrainConfig(
                steps=learning.steps,
                batch=batch,
                learning_rate=rate,
                warmup=50,
                average=0.995,
                minutes=None if learning.steps else learning.minutes * share,
                save_every_s=learning.save_every_s,
                validation=0.0,
                seed=learning.seed,
            )
            trained = train(
                stage,
                training_part,
                settings,
                folder,
                report,
                watch,
                fabric=fabric,
                accumulate=compute.accumulate,
            )
            if fabric.global_rank == 0:
                save_checkpoint(folder / "finished.safetensors", trained, config, {"stage": name})
            fabric.barrier()
        tensors = read_checkpoint(folder / "finished.safetensors").tensors
    return read_checkpoint(person.weights).digest


def split(examples: MouthSet, learning: LearningConfig) -> tuple[MouthSet, MouthSet]:
    """Training frames, and validation frames (evenly spread over the last part).

    Raises:
        InputError: too few frames to learn from.
    """
    count = len(examples.frames)
    # At least two frames, so that a mean over validation frames exists.
    first = count - max(2, int(count * learning.validation_share))
    if first < 10:
        raise InputError(
            f"{count} frames with a face are too few to learn from; film at least a minute"
        )
    validation_frames = (
        torch.linspace(first, count - 1, min(learning.validation_frames, count - first))
        .round()
        .long()
    )
    return _rows(examples, torch.arange(first)), _rows(examples, validation_frames)


def _rows(examples: MouthSet, rows: Tensor) -> MouthSet:
    """Some rows of a set; runs only where all five frames are in it."""
    own = {
        name: getattr(examples, name)[rows]
        for name in ("frames", "moment", "lips", "observed", "tone", "level_db")
    }
    # `runs` are first rows of five consecutive frames; the rows here are a prefix of the set.
    starts = (
        examples.runs[examples.runs + 4 < len(rows)]
        if len(rows) and int(rows[-1]) == len(rows) - 1
        else examples.runs[:0]
    )
    return dataclasses.replace(examples, **own, region=examples.region.at(rows), runs=starts)


@torch.no_grad()
def drawn_regions(
    model: Speech2LipModel, examples: MouthSet, rows: Tensor
) -> tuple[Float[Tensor, "some 3 h w"], Float[Tensor, "some 1 h w"]]:
    """What a model makes of the surroundings of the mouth in some rows, and how much of each pixel
    is drawn.
    """
    observed = examples.observed[rows].float() / 255
    codes = model.hearing(examples.windows(rows, model.config.hearing))
    lips = (
        model.lips(model.lip.prepare(), codes, examples.moment[rows], examples.canonical)
        # The colours of the moment's light, one factor a channel.
        * examples.tone[rows][..., None, None]
    )
    # (some, 3, h, w) and how much of each pixel is drawn, 0..1
    mixed, share = warp_lips(lips, examples.mask, examples.region.mesh[rows], observed)
    return keep_filmed(model.blend(mixed), share, observed), share


class _Selection:
    """Measures models on validation frames and keeps the best."""

    def __init__(
        self,
        person: Person,
        config: Speech2LipConfig,
        validation_frames: MouthSet,
        tried: Callable[[Trial], None] | None,
    ) -> None:
        self._person, self._config, self._validation, self._tried = (
            person,
            config,
            validation_frames,
            tried,
        )
        self._model, self._began, self._began_cpu = (
            Speech2LipModel(config),
            time.monotonic(),
            time.process_time(),
        )
        self._record = person.training / "trials.jsonl"
        lines = (
            # Without the weights the record says nothing: the next model is the best.
            [json.loads(line) for line in self._record.read_text().splitlines()]
            if self._record.exists() and person.weights.exists()
            else []
        )
        self._best = min((line["error"] for line in lines), default=float("inf"))

    def watcher(
        self, stage: str, training_part: MouthSet
    ) -> Callable[[Mapping[str, Tensor]], None]:
        """What the training loop calls whenever it saves."""

        def watch(tensors: Mapping[str, Tensor]) -> None:
            load_strict(self._model, tensors)
            complete = _completed(self._model, self._config, training_part)
            error, preview = self._try(complete)
            if error < self._best:
                facts = {
                    "person": self._person.facts.name,
                    "consent": self._person.facts.consent,
                    "stage": stage,
                    "error": error,
                }
                save_checkpoint(
                    self._person.weights, complete.state_dict(), self._config, facts, half=True
                )
                self._best = error
            seconds, cpu = time.monotonic() - self._began, time.process_time() - self._began_cpu
            self._note(
                {
                    "stage": stage,
                    "error": error,
                    "best": self._best,
                    "seconds": seconds,
                    "cpu_s": cpu,
                }
            )
            if self._tried is not None:
                self._tried(Trial(stage, error, self._best, seconds, preview))

        return watch

    def _try(self, model: Speech2LipModel) -> tuple[float, Tensor]:
        model.eval()
        rows = torch.arange(len(self._validation.frames))
        errors, shares = 0.0, 0.0
        for some in rows.split(16):
            drawn, share = drawn_regions(model, self._validation, some)
            # only where something is drawn: filmed pixels would dilute the error
            difference = (drawn - self._validation.observed[some].float() / 255).abs() * (share > 0)
            errors, shares = errors + float(difference.sum()), shares + 3 * float((share > 0).sum())
        chosen = rows[:: max(1, len(rows) // 6)][:6]
        drawn, _ = drawn_regions(model, self._validation, chosen)
        filmed = self._validation.observed[chosen].float() / 255
        # filmed row above drawn row, six frames side by side: (3, 2 h, 6 w)
        both = torch.cat([torch.cat(list(filmed), -1), torch.cat(list(drawn.clamp(0, 1)), -1)], -2)
        return errors / max(shares, 1.0), (both * 255).round().byte().movedim(0, -1)

    def _note(self, line: Mapping[str, Any]) -> None:
        # Rewritten as a whole, so that a kill leaves no broken line.
        earlier = self._record.read_bytes() if self._record.exists() else b""
        write_bytes(self._record, earlier + (json.dumps(dict(line)) + "\n").encode())


def _completed(
    model: Speech2LipModel, config: Speech2LipConfig, training_part: MouthSet
) -> Speech2LipModel:
    """A copy in which what follows from the training set (the mouth at rest) is filled in."""
    made = copy.deepcopy(model)
    stage = stages(config, made.state_dict())[0]
    stage.model.eval()
    stage.complete(training_part)
    assert isinstance(stage.model, Speech2LipModel)
    return stage.model
