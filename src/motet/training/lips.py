"""`motet train lips`: ridge regression from Whisper's features to mouth shapes, in closed form.

One map for whole recordings, fitted on cached features, and one for each number of features that a
stream knows after a step, fitted on blocks of a stream with a long look-ahead: its later rows have
seen as little as the newest rows of a quicker stream.

All also read phones. Those of a stream read their posteriors. In whole recordings phones explain
what the map leaves over where there are labels: shown as labels in most recordings and as
posteriors in the rest, so that it can use both.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.data.corpus import Corpus, Entry
from motet.encoders.lips import STREAM_CONTEXT, LipRegressor, LipsConfig, around
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.encoder import SETTLED, WhisperAudioEncoder, load_network
from motet.encoders.whisper.network import FEATURE_RATE_HZ
from motet.encoders.whisper.readout import Readout
from motet.encoders.whisper.stream import StreamingWindows
from motet.errors import InputError
from motet.face.lip_shapes import SOLVED, sides
from motet.phonetics.phone_source import known_phones
from motet.phonetics.phones import PhoneSpan
from motet.stage import ClosedFormStage
from motet.training.feature_variants import samples_of, variants_of
from motet.training.target import TrainingData, hold_out_validation
from motet.training.training_sets import corpus_facts, trainable, training_item, whole_features
from motet.types import ARKIT_SHAPES

COMPONENTS, RIDGE = 192, 0.1
"""Principal components of the features that count, and the penalty relative to the frames (both
chosen on GRID s1 against unseen people, see `recipes/performance_model`)."""
DEVIATION = 0.5
"""The penalty on what a map of a stream adds to that of whole recordings."""
PHONE_DEVIATION, PHONE_RIDGE = 3.0, 0.003
"""The penalties where phones are read: on what that adds to the map without them, and on the phones
(chosen on the development clips: both halves rise)."""
POSTERIORS = 0.4
"""Share of the recordings with labels that show posteriors."""
STREAM_PHONE_RIDGE = 0.001
"""The penalty on the phones of a stream (chosen on the development clips)."""
STREAMED = 4
"""Every so many recordings are also streamed."""
STREAM_WEIGHT = {"tracked": 2.0, "solved": 0.5}
"""How much more a recording counts in a stream, by the maker of its shapes: with filmed people
counting double, unseen people of the same kind gain 0.013, all others stay within 0.005."""
STREAM = WhisperStreaming(look_ahead=15, hop=8, refresh=SETTLED - 15)
STILL_WEIGHT, STILL_SOURCE = 8.0, "generated"
"""The same of generated silence, hum and noise, over which lips stay closed: few clips that settle
what a stream regresses in silence (largest gap 0.071 mouth widths without, 0.053 with)."""
_COLUMNS = [[ARKIT_SHAPES.index(side) for side in sides(name)] for name in SOLVED]


@dataclasses.dataclass(frozen=True)
class StreamBlock:
    """What a stream knows when it emits a block."""

    number: int
    """Of blocks before it."""
    rows: Float[Tensor, "rows width"]
    """`STREAM_CONTEXT` features before the block, the first repeated where there are fewer, those
    of the block, and those of its look-ahead."""
    phones: Float[Tensor, "rows phones"]
    """Their posteriors; no channels for a regressor that reads none."""


@dataclasses.dataclass(frozen=True)
class LipClip:
    """Mouth shapes of a recording and the features of its sound."""

    shapes: Float[Tensor, "frames shapes"]
    observed: tuple[bool, ...]
    """Which of the shapes the recording shows."""
    weight: float
    features: Float[Tensor, "steps dim"]
    """Of the whole recording."""
    phones: Float[Tensor, "steps phones"] | None = None
    """Probabilities; None for a recording without labels."""
    blocks: Callable[[], list[StreamBlock]] = list
    """Of a stream, encoded when asked for; none for recordings that are not streamed."""
    stream_weight: float = 1.0
    """Its weight in the maps of a stream."""


@dataclasses.dataclass(frozen=True)
class LipCorpus:
    """The clips of a corpus, read one after the other."""

    folder: Path

    def __iter__(self) -> Iterator[LipClip]:
        corpus, encoder = Corpus(self.folder), WhisperAudioEncoder(*load_network())
        for number, entry in enumerate(trainable(corpus, "train")):
            features = whole_features(corpus, entry, encoder, self.folder / "features")
            item = training_item(corpus, entry, features)
            observed = tuple(bool(item.valid[columns].all()) for columns in _COLUMNS)
            phones = shown_phones(entry.facts.name, item.phones, encoder.phones(features[None])[0])
            clip = LipClip(mouth_shapes(item.motion), observed, item.weight, features, phones)
            if number % STREAMED == 0:
                blocks = partial(_stream_recording, corpus, entry, encoder)
                weight = item.weight * _stream_weight(entry)
                clip = dataclasses.replace(clip, blocks=blocks, stream_weight=weight)
            yield clip


def _stream_weight(entry: Entry) -> float:
    if entry.facts.source.startswith(STILL_SOURCE):
        return STILL_WEIGHT
    return STREAM_WEIGHT.get(entry.facts.maker, 1.0)


def shown_phones(
    name: str,
    labels: Sequence[tuple[float, float, str]],
    scores: Float[Tensor, "steps phones"],
) -> Float[Tensor, "steps phones"] | None:
    """What the regressor sees of the phones of a recording: its labels, a step early or late as
    those of an aligner are, or posteriors; which follows from its name.

    Args:
        scores: log-probabilities of the phone head.
    """
    if not labels:
        return None
    random, posterior = np.random.default_rng(zlib.crc32(name.encode())), scores.exp()
    shift = int(random.integers(-1, 2)) / FEATURE_RATE_HZ  # -20, 0 or +20 ms
    if random.random() < POSTERIORS:
        return posterior
    spans = [PhoneSpan(start + shift, stop + shift, symbol) for start, stop, symbol in labels]
    return known_phones(spans, posterior, FEATURE_RATE_HZ)


def _stream_recording(
    corpus: Corpus, entry: Entry, encoder: WhisperAudioEncoder
) -> list[StreamBlock]:
    audio = corpus.read(entry).audio
    assert audio is not None  # `whole_features` has refused it already.
    variant = variants_of(entry.facts.name)[0]
    return stream_blocks(encoder, samples_of(audio, variant, encoder.sample_rate)[0])


class _Recorder(Readout):
    """Keeps what it is given."""

    def __init__(self, dim: int, context: int) -> None:
        super().__init__(dim, context)
        self.blocks: list[Tensor] = []

    def __call__(self, before: Tensor, known: Tensor, count: int) -> Tensor:
        rows = torch.cat([before, known])
        # The beginning has no past yet: its first feature is repeated, as in a session.
        missing = self.context - len(before)
        self.blocks.append(torch.cat([rows[:1].expand(missing, -1), rows]))
        return known[:count]


@torch.inference_mode()
def stream_blocks(
    encoder: WhisperAudioEncoder, samples: Float[Tensor, " time"]
) -> list[StreamBlock]:
    """What a stream knows at each of its blocks that has a past: maps cannot do without."""
    recorder = _Recorder(encoder.network.config.width, STREAM_CONTEXT)
    windows = StreamingWindows(encoder.network, STREAM, recorder)
    windows.finish(windows.step(windows.begin(), samples)[1])
    phones = encoder.phones(torch.stack(recorder.blocks)).exp()
    pairs = zip(recorder.blocks, phones, strict=True)
    return [StreamBlock(number, *block) for number, block in enumerate(pairs)][1:]


def read_lip_corpus(folder: Path, validation: float) -> TrainingData[LipCorpus]:
    """A corpus of motet; a closed form has nothing to stop early, so all of it is used."""
    del validation
    return hold_out_validation(LipCorpus(folder), lambda: _facts(folder), 0.0)


def _facts(folder: Path) -> dict[str, Any]:
    about = f"whole and every {STREAMED}th also streamed, through rooms, microphones and noise"
    return corpus_facts(folder, about, load_network()[1])


def lips_stage(config: LipsConfig) -> ClosedFormStage[Iterable[LipClip]]:
    """The one stage."""
    return ClosedFormStage("ridge", lambda clips: fit_lips(config, clips))


def mouth_shapes(motion: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames shapes"]:
    """The shapes of `SOLVED`, the mean of both sides, from the house space."""
    return torch.stack([motion[:, columns].mean(1) for columns in _COLUMNS], 1)


@torch.no_grad()
def fit_lips(config: LipsConfig, clips: Iterable[LipClip]) -> dict[str, Tensor]:
    """All maps, each shape on the recordings in which it was observed. The maps of a stream are as
    near to that of whole recordings as their penalty says, because fewer frames show them.

    Raises:
        InputError: a shape that no recording shows, or nothing that was streamed.
    """
    regressor = LipRegressor(config)
    basis = _Basis.of(clip.features for clip in clips)
    maps = [_Sums(config, basis, regressor.stream_phone_weight.shape[1]) for _ in config.ahead]
    maps.append(_Sums(config, basis))
    for clip in clips:
        # two steps of 20 ms a frame of 40 ms, an odd last step included
        frames = min(len(clip.shapes), (len(clip.features) + 1) // 2)
        steps = 2 * torch.arange(frames)
        at = (steps.unsqueeze(1) + regressor.offsets).clamp(0, len(clip.features) - 1)
        maps[-1].add(clip, clip.features[at], steps // 2)
        streamed = dataclasses.replace(clip, weight=clip.stream_weight)
        for number, *inputs in _streamed(regressor, clip):
            maps[number].add(streamed, *inputs)
    if not all(part.frames for part in maps):
        raise InputError("the corpus is too small: no recording of it was streamed")
    whole = maps[-1].solution(RIDGE)
    for number, part in enumerate(maps[:-1]):
        own, regressor.stream_phone_weight[number] = _beside(
            part, whole, DEVIATION, STREAM_PHONE_RIDGE
        )
        regressor.weight[number], regressor.bias[number] = part.stored(own)
    if config.phones:
        # The map without phones is the prior: where no labels are, nothing changes.
        whole = _with_phones(regressor, basis, clips, whole)
    regressor.weight[-1], regressor.bias[-1] = maps[-1].stored(whole)
    regressor.mean.copy_(maps[-1].mean())
    return {name: tensor.detach().clone() for name, tensor in regressor.state_dict().items()}


def _with_phones(
    regressor: LipRegressor, basis: _Basis, clips: Iterable[LipClip], whole: Tensor
) -> Float[Tensor, "inputs shapes"]:
    """The map of whole recordings beside phones, whose weights are set.

    Raises:
        InputError: no recording has labels.
    """
    inputs = len(regressor.phone_weight)
    sums = _Sums(regressor.config, basis, inputs)
    for clip in clips:
        if clip.phones is None:
            continue
        steps = 2 * torch.arange(min(len(clip.shapes), (len(clip.features) + 1) // 2))
        at = (steps.unsqueeze(1) + regressor.offsets).clamp(0, len(clip.features) - 1)
        sums.add(clip, clip.features[at], steps // 2, around(clip.phones, steps))
    if not sums.frames:
        raise InputError("no recording of the corpus has phones; align its texts first")
    own, phones = _beside(sums, whole, PHONE_DEVIATION, PHONE_RIDGE)
    regressor.phone_weight.copy_(phones)
    return own


def _beside(
    sums: _Sums, prior: Float[Tensor, "inputs shapes"], deviation: float, ridge: float
) -> tuple[Float[Tensor, "inputs shapes"], Float[Tensor, "phone_inputs shapes"]]:
    """A map near to one without phones, in components, and its weights of the phones.

    Args:
        deviation: penalty on what it adds to the prior.
        ridge: penalty on the phones.
    """
    # inputs in the order (acoustic, phones, constant); the prior has no phones
    acoustic = len(prior) - 1
    inputs = sums.size - len(prior)
    start = torch.cat([prior[:-1], prior.new_zeros(inputs, prior.shape[1]), prior[-1:]])
    penalty = torch.full((sums.size,), deviation, dtype=torch.float64)
    penalty[acoustic:] = ridge
    solution = sums.solution(penalty, start)
    return torch.cat([solution[:acoustic], solution[-1:]]), solution[acoustic:-1].float()


def _streamed(
    regressor: LipRegressor, clip: LipClip
) -> Iterator[tuple[int, Tensor, Int[Tensor, " frames"], Tensor]]:
    """For each map its inputs (blocks, offsets, dim), their frames, and their phones (blocks,
    phone inputs).
    """
    blocks = clip.blocks()
    if not blocks:
        return
    rows = torch.stack([block.rows for block in blocks])
    first = STREAM.hop * torch.tensor([block.number for block in blocks])
    for row in range(STREAM_CONTEXT, rows.shape[1], 2):
        step = torch.tensor([row])
        at, used = regressor.context(step, rows.shape[1])
        frame = (first + row - STREAM_CONTEXT) // 2
        inside = (frame < len(clip.shapes)).nonzero().flatten().tolist()
        phones = [regressor.stream_phones(blocks[number].phones, step)[0] for number in inside]
        if phones:
            yield int(used), rows[inside][:, at[0]], frame[inside], torch.stack(phones)


@dataclasses.dataclass(frozen=True)
class _Basis:
    """Principal components of the features, scaled to unit variance."""

    centre: Float[Tensor, " dim"]
    axes: Float[Tensor, "dim components"]

    @classmethod
    def of(cls, features: Iterable[Tensor], every: int = 20) -> _Basis:
        """Of every so many features of the recordings."""
        sample = torch.cat([f[::every] for f in features]).double()
        centre = sample.mean(0)
        values, axes = torch.linalg.eigh(torch.cov((sample - centre).T))
        # eigh sorts upwards: the leading components are the last ones.
        count = min(COMPONENTS, len(values))
        scale = values[-count:].clamp(min=1e-9).sqrt()
        return cls(centre.float(), (axes[:, -count:] / scale).float())


class _Sums:
    """Sums of products over the frames of one map, apart for each set of observed shapes."""

    def __init__(self, config: LipsConfig, basis: _Basis, beside: int = 0) -> None:
        self.basis, self.offsets = basis, len(config.offsets)
        self.size = self.offsets * basis.axes.shape[1] + beside + 1
        self.shapes = len(config.shapes)
        self.parts: dict[tuple[bool, ...], tuple[Tensor, Tensor]] = {}
        self.frames = 0

    def add(
        self,
        clip: LipClip,
        rows: Float[Tensor, "frames offsets dim"],
        frame: Tensor,
        beside: Float[Tensor, "frames beside"] | None = None,
    ) -> None:
        """Frames of a clip with the features around them, and what else is read."""
        # (frames, offsets * components)
        x = ((rows - self.basis.centre) @ self.basis.axes).flatten(1)
        others = torch.zeros(len(x), 0) if beside is None else beside
        x = torch.cat([x, others, torch.ones(len(x), 1)], 1)
        empty = (torch.zeros(self.size, self.size), torch.zeros(self.size, self.shapes))
        square, cross = self.parts.get(clip.observed, tuple(t.double() for t in empty))
        square += clip.weight * (x.T @ x).double()
        cross += clip.weight * (x.T @ clip.shapes[frame]).double()
        self.parts[clip.observed] = square, cross
        self.frames += len(x)

    def solution(
        self, penalty: float | Tensor, prior: Float[Tensor, "inputs shapes"] | None = None
    ) -> Float[Tensor, "inputs shapes"]:
        """Weights in components, the constant last: with x the inputs of a frame, y its shapes and
        P the prior (zero when left out) the least sum of |y - xW|^2 + penalty |W - P|^2. The
        constant is not penalised.

        Args:
            penalty: one for all, or one an input.
        """
        result = torch.zeros(self.size, self.shapes, dtype=torch.float64)
        if prior is not None:
            result += prior
        for shapes, square, cross in self._systems():
            # The penalty counts a frame: `square[-1, -1]` is the summed weight, because the
            # constant is 1.
            diagonal = square[-1, -1] * torch.ones(self.size, dtype=torch.float64) * penalty
            diagonal[-1] = 0.0
            # (square + D) (W - P) = cross - square P: the equation in what is added to the prior
            rest = cross - square @ result[:, shapes]
            result[:, shapes] += torch.linalg.solve(square + diagonal.diag(), rest)
        return result

    def mean(self) -> Float[Tensor, " shapes"]:
        """Of the observed shapes."""
        result = torch.zeros(self.shapes, dtype=torch.float64)
        for shapes, square, cross in self._systems():
            result[shapes] = cross[-1] / square[-1, -1]
        return result.float()

    def stored(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """A solution as a map of the features themselves: weight and bias."""
        # From components to features: (offsets, components, shapes) -> (offsets, dim, shapes).
        inner = solution[:-1].unflatten(0, (self.offsets, -1))
        weight = torch.einsum("dc,ocs->ods", self.basis.axes.double(), inner)
        bias = solution[-1] - torch.einsum("d,ods->s", self.basis.centre.double(), weight)
        return weight.flatten(0, 1).float(), bias.float()

    def _systems(self) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Shapes that were observed in the same recordings, which share a system of equations."""
        keys = list(self.parts)
        # Shapes observed in the same recordings share one factorisation.
        for pattern in {tuple(key[shape] for key in keys) for shape in range(self.shapes)}:
            shapes = [k for k in range(self.shapes) if tuple(key[k] for key in keys) == pattern]
            seen = [self.parts[key] for key, used in zip(keys, pattern, strict=True) if used]
            if not seen:
                raise InputError(f"no recording has an observed {SOLVED[shapes[0]]}")
            square = torch.stack([square for square, _ in seen]).sum(0)
            yield shapes, square, torch.stack([cross for _, cross in seen]).sum(0)[:, shapes]
