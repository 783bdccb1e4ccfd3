"""Whisper's features and, beside them, mouth shapes that a linear regressor predicts from them.

A linear map of five features within 160 ms, fitted in closed form, carries over to unseen people
better than any network trained on the same speech. In a stream the features after a step are
provisional: they have seen less sound than they will have when they are emitted, and the last ones
do not exist yet. So there is a map for each number of features that are known after a step, fitted
on features of a stream, and one for whole recordings. All also read the phones around a step:
their posteriors, or in whole recordings the phones themselves when a text, a file of times or
recognised words give them (`motet.encoders.lips_with_words`).
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.checkpoint import tensor_digest
from motet.encoders.whisper.attached import load_attached
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.heads import CONTEXT, SpeechHeads, load_heads
from motet.encoders.whisper.network import WhisperEncoder
from motet.encoders.whisper.readout import Readout
from motet.nn.packed import Precision

SHIPPED = Path(__file__).parents[1] / "weights" / "lips.safetensors"
OFFSETS = (-8, -4, 0, 4, 8)
"""Steps of 20 ms around the one that is regressed."""
AHEAD = tuple(range(0, 24, 2))
"""Known steps after it for which there is a map in a stream."""
PHONE_OFFSETS, PHONE_STEPS = (-12, -8, -4, 0, 4, 8, 12), 5
"""Steps around it whose phones are read, each the mean of so many steps: labels err by a step."""
STREAM_PHONE_OFFSETS = (-8, -4, 0, 4, 8)
"""The same in a stream, which knows the phones up to its newest step."""
BLOCK_STEPS = 4096
"""Steps of a whole recording that are regressed at a time: the inputs of an hour at once would take
gigabytes."""


@dataclasses.dataclass(frozen=True)
class LipsConfig:
    """What the regressor belongs to and predicts."""

    SCHEMA = 1

    front_end: str
    """Digest of the encoder whose features are read."""
    shapes: tuple[str, ...]
    """Mouth shapes in the order of the output."""
    dim: int = 384
    """Channels of a feature."""
    offsets: tuple[int, ...] = OFFSETS
    ahead: tuple[int, ...] = AHEAD
    """Of the maps, rising; the last map is that of whole recordings and has none."""
    phones: int = 0
    """Phones that the maps read; 0: none."""


class LipRegressor(nn.Module):
    """Features around a step to mouth shapes.

    Args:
        config: its sizes.
    """

    weight: Float[Tensor, "maps inputs shapes"]
    bias: Float[Tensor, "maps shapes"]
    mean: Float[Tensor, " shapes"]
    """Of the shapes over the training set."""
    phone_weight: Float[Tensor, "phone_inputs shapes"]
    """Of whole recordings."""
    offsets: Int[Tensor, " offsets"]
    ahead: Int[Tensor, " ahead"]
    stream_phone_weight: Float[Tensor, "ahead stream_inputs shapes"]

    def __init__(self, config: LipsConfig) -> None:
        super().__init__()
        # one map a known look-ahead, and the last one for whole recordings
        maps, shapes = len(config.ahead) + 1, len(config.shapes)
        self.config = config
        inputs = len(config.offsets) * config.dim
        self.register_buffer("weight", torch.zeros(maps, inputs, shapes))
        self.register_buffer("bias", torch.zeros(maps, shapes))
        self.register_buffer("mean", torch.zeros(shapes))
        phone_inputs = len(PHONE_OFFSETS) * config.phones
        self.register_buffer("phone_weight", torch.zeros(phone_inputs, shapes))
        stream_inputs = len(STREAM_PHONE_OFFSETS) * config.phones
        stream_weight = torch.zeros(len(config.ahead), stream_inputs, shapes)
        self.register_buffer("stream_phone_weight", stream_weight)
        # Not stored: they follow from the config.
        self.register_buffer("offsets", torch.tensor(config.offsets), persistent=False)
        self.register_buffer("ahead", torch.tensor(config.ahead), persistent=False)

    def whole(
        self,
        rows: Float[Tensor, "known dim"],
        steps: Int[Tensor, " steps"],
        phones: Float[Tensor, "known phones"] | None = None,
    ) -> Float[Tensor, "steps shapes"]:
        """Shapes at some steps of a whole recording; its ends are repeated.

        Args:
            phones: probabilities; None for a regressor that reads none.
        """
        blocks = [self._whole(rows, block, phones) for block in steps.split(BLOCK_STEPS)]
        return torch.cat(blocks) if blocks else rows.new_zeros(0, self.bias.shape[-1])

    def _whole(self, rows: Tensor, steps: Tensor, phones: Tensor | None) -> Tensor:
        # (steps, offsets)
        at = (steps.unsqueeze(1) + self.offsets).clamp(0, len(rows) - 1)
        # (steps, offsets * dim) @ (offsets * dim, shapes)
        shapes = rows[at].flatten(1) @ self.weight[-1] + self.bias[-1]
        return shapes if phones is None else shapes + around(phones, steps) @ self.phone_weight

    def streamed(
        self,
        rows: Float[Tensor, "known dim"],
        steps: Int[Tensor, " steps"],
        phones: Float[Tensor, "known phones"] | None = None,
    ) -> Float[Tensor, "steps shapes"]:
        """Shapes at some of the steps that a stream knows so far.

        Args:
            phones: probabilities; None for a regressor that reads none.
        """
        at, used = self.context(steps, len(rows))
        inputs = rows[at].flatten(1).unsqueeze(1)  # (steps, 1, inputs)
        # `weight[used]` is (steps, inputs, shapes): each step has the map of its own look-ahead.
        shapes = (inputs @ self.weight[used])[:, 0] + self.bias[used]
        if phones is None:
            return shapes
        read = self.stream_phones(phones, steps).unsqueeze(1)
        return shapes + (read @ self.stream_phone_weight[used])[:, 0]

    def context(
        self, steps: Int[Tensor, " steps"], known: int
    ) -> tuple[Int[Tensor, "steps offsets"], Int[Tensor, " steps"]]:
        """The rows that each step of a stream looks at, and the number of its map."""
        used, most = self._used(steps, known)
        # Offsets beyond what the map knows repeat the newest step it was fitted with.
        at = steps.unsqueeze(1) + torch.minimum(self.offsets, most.unsqueeze(1))
        return at.clamp(min=0), used

    def stream_phones(
        self, phones: Float[Tensor, "known phones"], steps: Int[Tensor, " steps"]
    ) -> Float[Tensor, "steps stream_inputs"]:
        """The phones around each step of a stream, none newer than its map knows."""
        return phones[self.stream_phone_rows(steps, len(phones))].mean(2).flatten(1)

    def stream_phone_rows(
        self, steps: Int[Tensor, " steps"], known: int
    ) -> Int[Tensor, "steps offsets near"]:
        """The rows whose mean each step of a stream reads at each offset."""
        last = steps + self._used(steps, known)[1]
        return phone_rows(steps, known, STREAM_PHONE_OFFSETS, last)

    def _used(
        self, steps: Int[Tensor, " steps"], known: int
    ) -> tuple[Int[Tensor, " steps"], Int[Tensor, " steps"]]:
        """The map of each step, and how many steps after it are read."""
        after = known - 1 - steps
        # The largest map that asks for no more than is known.
        used = (torch.searchsorted(self.ahead, after, right=True) - 1).clamp(min=0)
        return used, torch.minimum(self.ahead[used], after)


def around(
    phones: Float[Tensor, "known phones"],
    steps: Int[Tensor, " steps"],
    offsets: tuple[int, ...] = PHONE_OFFSETS,
    last: Int[Tensor, " steps"] | None = None,
) -> Float[Tensor, "steps phone_inputs"]:
    """The phones around each of some steps of a recording, whose ends are repeated.

    Args:
        last: step from which on the phones of each are repeated; the last known when left out.
    """
    return phones[phone_rows(steps, len(phones), offsets, last)].mean(2).flatten(1)


def phone_rows(
    steps: Int[Tensor, " steps"],
    known: int,
    offsets: tuple[int, ...],
    last: Int[Tensor, " steps"] | None,
) -> Int[Tensor, "steps offsets near"]:
    """The rows whose mean `around` takes at each offset."""
    half = PHONE_STEPS // 2
    at = steps.unsqueeze(1) + torch.tensor(offsets)
    near = at.unsqueeze(2) + torch.arange(-half, half + 1)  # (steps, offsets, PHONE_STEPS)
    if last is not None:
        near = torch.minimum(near, last[:, None, None])
    return near.clamp(0, known - 1)


PHONE_CONTEXT = -min(PHONE_OFFSETS) + PHONE_STEPS // 2 - min(CONTEXT)
STREAM_CONTEXT = -min(STREAM_PHONE_OFFSETS) + PHONE_STEPS // 2 - min(CONTEXT)
"""Features before a step that the phones around it depend on, in whole recordings and in a
stream."""


class LipReadout(Readout):
    """The features of a block and the mouth shapes at them.

    Args:
        whole: whether the features are those of whole recordings.
        heads: where the regressor reads phones, the heads that predict them.
    """

    def __init__(
        self, regressor: LipRegressor, whole: bool, heads: SpeechHeads | None = None
    ) -> None:
        config = regressor.config
        before = -min(*config.offsets, 0)
        # Twice the context: phones around a step, and the features that their own head reads.
        phones = PHONE_CONTEXT if whole else STREAM_CONTEXT
        context = max(before, phones) if heads else before
        super().__init__(config.dim + len(config.shapes), context)
        self.regressor, self._heads = regressor, heads
        self._regress = regressor.whole if whole else regressor.streamed

    def __call__(
        self,
        before: Float[Tensor, "context width"],
        known: Float[Tensor, "known width"],
        count: int,
    ) -> Float[Tensor, "count dim"]:
        """As `Readout` says."""
        # positions of the block within `rows`
        steps = len(before) + torch.arange(count)
        rows = torch.cat([before, known])
        phones = None if self._heads is None else self._heads.phones(rows.unsqueeze(0))[0]
        return torch.cat([known[:count], self._regress(rows, steps, phones)], 1)


class LipEncoder(WhisperAudioEncoder):
    """16 kHz sound to Whisper's features and mouth shapes at 50 Hz.

    Args:
        network: Whisper's encoder.
        digest: of its weights.
        regressor: features to mouth shapes.
        streaming: hop, look-ahead and past of a stream; None: offline.
    """

    def __init__(
        self,
        network: WhisperEncoder,
        digest: str,
        regressor: LipRegressor,
        streaming: WhisperStreaming | None = None,
    ) -> None:
        heads = load_heads(digest) if regressor.config.phones else None
        readout = LipReadout(regressor, streaming is None, heads)
        super().__init__(network, digest, streaming, readout)
        self.regressor, self.acoustic = regressor, network.config.width
        self.mouth_mean = regressor.mean
        self.mouth_digest = f"{digest}-{tensor_digest(regressor.state_dict())}"

    def streaming(
        self, look_ahead_s: float = 0.3, hop_s: float = 0.16, precision: Precision = "float32"
    ) -> LipEncoder:
        """The same network as a stream, as of `WhisperAudioEncoder`."""
        network, own = self.stream_settings(look_ahead_s, hop_s, precision)
        return LipEncoder(network, self.digest, self.regressor, own)

    def with_mouth(
        self,
        features: Float[Tensor, "steps acoustic"],
        phones: Float[Tensor, "steps phones"] | None = None,
    ) -> Float[Tensor, "steps dim"]:
        """Whisper's features of a whole recording, and the mouth shapes at them.

        Args:
            phones: probabilities of known phones; None: those that the phone heads predict.
        """
        if phones is None and self.regressor.config.phones:
            phones = load_heads(self.digest).phones(features.unsqueeze(0))[0]
        mouth = self.regressor.whole(features, torch.arange(len(features)), phones)
        return torch.cat([features, mouth], 1)

    def mouth(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps shapes"]:
        """The mouth shapes among the features."""
        return features[..., self.acoustic : self.acoustic + len(self.mouth_mean)]

    def phones(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps phones"]:
        """As of `WhisperAudioEncoder`."""
        return super().phones(features[..., : self.acoustic])

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """As of `WhisperAudioEncoder`."""
        return super().closures(features[..., : self.acoustic], first, steps)

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """As of `WhisperAudioEncoder`."""
        return super().aperture(features[..., : self.acoustic], first, frames)


@cache
def load_regressor(front_end: str, path: Path = SHIPPED) -> LipRegressor:
    """The shipped regressor.

    Raises:
        CheckpointError: missing, damaged, or fitted on another encoder.
    """
    return load_attached(
        path, front_end, LipsConfig, LipRegressor, "fit one for yours with  motet train lips"
    )


def load_lip_encoder(weights: Path | None, dim: int) -> LipEncoder:
    """As `motet.encoders.base.load_encoder` asks for it; weights are those of Whisper."""
    del dim
    network, digest = load_network(weights)
    return LipEncoder(network, digest, load_regressor(digest))
