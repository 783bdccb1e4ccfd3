"""Training one person's Speech2Lip model: both stages within a time, the best weights kept as it goes, pictures to look at.

Twenty seconds at most are lost when the process is killed: the loop saves its state, and this file turns each saved state into
`weights.safetensors` when it draws frames that it did not learn from better than the one before.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from motet import config as settings
from motet.atomic import write_bytes
from motet.checkpoint import load_strict, save_checkpoint
from motet.errors import ConfigError
from motet.export.gltf.texture import png
from motet.method import Stage
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.mouth import kept_real, laid_in
from motet.methods.speech2lip.mouth_set import MouthSet, mouth_set
from motet.methods.speech2lip.person import Person
from motet.methods.speech2lip.stages import stages
from motet.methods.speech2lip.sync import load_expert
from motet.train.loop import train
from motet.train.settings import TrainConfig

SAVE_EVERY_S = 20.0
LIPS_SHARE = 0.7
"""Part of the time that goes to the lips alone; the rest to everything in the frame."""
WATCHED = 0.05
"""Share of the frames to learn from, at their end, that only choose the best weights and are shown in the preview."""
PREVIEW = "preview.png"


@dataclasses.dataclass(frozen=True)
class LikenessOptions:
    """How a person's model is trained."""

    minutes: float = 15.0
    """Time of training in all, over resumptions."""
    preset: str = "default"
    """Size of the model: default, tiny or published."""
    batch: int = 8
    learning_rate: float = 1.5e-3
    sync: bool = True
    """Let the sync expert judge the timing, where its weights are there."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ConfigError(f"minutes must be positive, not {self.minutes}")
        if self.preset not in PRESETS:
            raise ConfigError(f"no size {self.preset!r}; known: {', '.join(PRESETS)}")


Report = Callable[[str, float, float, Mapping[str, float]], None]
"""Told the stage's name, minutes done and in all, and the numbers of the last report."""


def train_person(person: Person, options: LikenessOptions, report: Report | None = None) -> dict[str, float]:
    """Train until the time is over, or until interrupted; the best weights lie in the person's folder then.

    Answers:
        The error of the best weights on watched frames (mean absolute colour difference, 0..1) and how it came about.

    Raises:
        ConfigError: the folder holds a training with other settings.
        InputError: too few frames.
    """
    config = _config(options)
    whole = mouth_set(person, config)
    learnt, watched = _split(whole)
    keeper = _Keeper(person, config, whole, watched, report or (lambda *_: None), options)
    tensors: Mapping[str, Tensor] | None = None
    torch.manual_seed(options.seed)
    shares = {"lips": LIPS_SHARE, "face": 1 - LIPS_SHARE}
    try:
        for name, share in shares.items():
            stage = next(stage for stage in stages(config, tensors) if stage.name == name)
            keeper.begin(stage, options.minutes * share)
            rate = options.learning_rate * (1.0 if name == "lips" else 0.4)
            running = TrainConfig(
                batch=options.batch, learning_rate=rate, minutes=options.minutes * share, save_every_s=SAVE_EVERY_S, log_every=10, average=0.995,
                weight_decay=0.0, warmup=50, seed=options.seed,
            )  # fmt: skip
            tensors = train(stage, learnt, running, person.training / name, keeper.report)
            keeper.look()
    except KeyboardInterrupt:
        keeper.look()
        if keeper.best is None:
            raise
        return {**keeper.facts(), "stopped": 1.0}
    return keeper.facts()


def _config(options: LikenessOptions) -> Speech2LipConfig:
    config = PRESETS[options.preset]
    if config.loss.sync and not (options.sync and _expert_is_there()):
        config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, sync=0.0))
    return config


def _expert_is_there() -> bool:
    from motet.errors import MotetError

    try:
        load_expert()
    except (MotetError, FileNotFoundError):
        return False
    return True


def _split(whole: MouthSet) -> tuple[MouthSet, MouthSet]:
    """What shapes the weights, and the frames at the end that choose among them (at most 48, spread evenly)."""
    count = len(whole.frames)
    border = max(1, count - max(4, round(WATCHED * count)))
    spread = torch.linspace(border, count - 1, min(48, count - border)).round().long()
    return _rows(whole, torch.arange(border)), _rows(whole, spread)


def _rows(whole: MouthSet, rows: Tensor) -> MouthSet:
    place = {int(row): new for new, row in enumerate(rows)}
    runs = [place[int(row)] for row in whole.runs if all(int(row) + k in place for k in range(5))]
    names = ("frames", "lips", "observed", "level_db")
    parts = {name: getattr(whole, name)[rows] for name in names}
    return dataclasses.replace(whole, **parts, region=whole.region.at(rows), runs=torch.tensor(runs, dtype=torch.long))


class _Keeper:
    """Looks at every saved state: is it the best so far?"""

    def __init__(self, person: Person, config: Speech2LipConfig, whole: MouthSet, watched: MouthSet, report: Report, options: LikenessOptions) -> None:
        self._person, self._config, self._whole, self._watched, self._told, self._options = person, config, whole, watched, report, options
        self._seen = 0
        self.best: float | None = None
        self._record = person.training / "best.json"
        if self._record.exists() and person.weights.exists():
            self.best = json.loads(self._record.read_text())["error"]

    def begin(self, stage: Stage, minutes: float) -> None:
        self._stage, self._minutes = stage, minutes
        self._state = self._person.training / stage.name / "state.safetensors"

    def report(self, line: Mapping[str, float]) -> None:
        before = 0.0 if self._stage.name == "lips" else LIPS_SHARE * self._options.minutes
        self._told(self._stage.name, before + line["seconds"] / 60, self._options.minutes, line)
        self.look()

    def look(self) -> None:
        """Judge the state on disk if it is a new one."""
        stamp = self._state.stat().st_mtime_ns if self._state.exists() else 0
        if stamp == self._seen:
            return
        self._seen = stamp
        model = self._model(load_file(self._state))
        error, pictures = self._judge(model)
        write_bytes(self._person.training / PREVIEW, png(pictures))
        if self.best is None or error < self.best:
            facts = {"person": self._person.facts.name, "consent": self._person.facts.consent, "stage": self._stage.name, "error": error}
            save_checkpoint(self._person.weights, model.state_dict(), self._config, {**facts, "options": settings.to_json(self._options)}, half=True)
            write_bytes(self._record, json.dumps({"error": error, "stage": self._stage.name}).encode())
            self.best = error

    def facts(self) -> dict[str, float]:
        return {"error": float("nan") if self.best is None else self.best}

    @torch.no_grad()
    def _model(self, saved: Mapping[str, Tensor]) -> Speech2LipModel:
        model = Speech2LipModel(self._config)
        tensors = {name[6:]: tensor for name, tensor in saved.items() if name.startswith("model.")}
        tensors |= {name[8:]: tensor for name, tensor in saved.items() if name.startswith("average.")}
        load_strict(model, tensors)
        model.eval()
        stage = next(stage for stage in stages(dataclasses.replace(self._config, loss=dataclasses.replace(self._config.loss, sync=0.0)), tensors))
        if stage.complete is not None:
            stage.model.eval()
            stage.complete(self._whole)
            load_strict(model, stage.model.state_dict())
        return model

    @torch.no_grad()
    def _judge(self, model: Speech2LipModel) -> tuple[float, np.ndarray]:
        """Colour error of the finished region on watched frames; filmed above, drawn below for four of them."""
        examples = self._watched
        rows = torch.arange(len(examples.frames))
        heard = model.hearing(examples.windows(rows, self._config.hearing))
        lips = model.lips(model.lip.places(), heard, examples.frames, examples.canonical)
        filmed = examples.observed.float() / 255
        mixed, share = laid_in(lips, examples.mask, examples.region.mesh, filmed)
        drawn = kept_real(model.blend(mixed), share, filmed)
        error = float(((drawn - filmed).abs() * share).sum() / (3 * share.sum()))
        chosen = torch.linspace(0, len(rows) - 1, 4).round().long()
        sheet = torch.cat([torch.cat(list(filmed[chosen]), 2), torch.cat(list(drawn[chosen].clamp(0, 1)), 2)], 1)
        return error, np.ascontiguousarray((sheet * 255).round().byte().movedim(0, -1).numpy())
