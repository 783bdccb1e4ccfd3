"""Whisper's features and, beside them, mouth shapes that a linear regressor predicts from them.

A linear map of five features within 160 ms, fitted in closed form, carries over to unseen people
better than any network trained on the same speech. In a stream the features after a step are
provisional: they have seen less sound than they will have when they are emitted, and the last ones
do not exist yet. So there is a map for each number of features that are known after a step, fitted
on features of a stream, and one for whole recordings.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint, tensor_digest
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.network import WhisperEncoder
from motet.encoders.whisper.readout import Readout
from motet.errors import CheckpointError
from motet.nn.packed import Precision

SHIPPED = Path(__file__).parents[1] / "weights" / "lips.safetensors"
OFFSETS = (-8, -4, 0, 4, 8)
"""Steps of 20 ms around the one that is regressed."""
AHEAD = tuple(range(0, 24, 2))
"""Known steps after it for which there is a map in a stream."""


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


class LipRegressor(nn.Module):
    """Features around a step to mouth shapes.

    Args:
        config: its sizes.
    """

    weight: Float[Tensor, "maps inputs shapes"]
    bias: Float[Tensor, "maps shapes"]
    mean: Float[Tensor, " shapes"]
    """Of the shapes over the training set."""

    def __init__(self, config: LipsConfig) -> None:
        super().__init__()
        maps, shapes = len(config.ahead) + 1, len(config.shapes)
        self.config = config
        inputs = len(config.offsets) * config.dim
        self.register_buffer("weight", torch.zeros(maps, inputs, shapes))
        self.register_buffer("bias", torch.zeros(maps, shapes))
        self.register_buffer("mean", torch.zeros(shapes))
        self.register_buffer("offsets", torch.tensor(config.offsets), persistent=False)
        self.register_buffer("ahead", torch.tensor(config.ahead), persistent=False)

    def whole(self, rows: Float[Tensor, "known dim"], steps: Int[Tensor, " steps"]) -> Tensor:
        """Shapes (steps, shapes) at some steps of a whole recording; its ends are repeated."""
        at = (steps.unsqueeze(1) + self.offsets).clamp(0, len(rows) - 1)
        return rows[at].flatten(1) @ self.weight[-1] + self.bias[-1]

    def streamed(self, rows: Float[Tensor, "known dim"], steps: Int[Tensor, " steps"]) -> Tensor:
        """Shapes (steps, shapes) at some of the steps that a stream knows so far."""
        at, used = self.context(steps, len(rows))
        inputs = rows[at].flatten(1).unsqueeze(1)  # (steps, 1, inputs)
        return (inputs @ self.weight[used])[:, 0] + self.bias[used]

    def context(
        self, steps: Int[Tensor, " steps"], known: int
    ) -> tuple[Int[Tensor, "steps offsets"], Int[Tensor, " steps"]]:
        """The rows that each step of a stream looks at, and the number of its map."""
        used = torch.searchsorted(self.ahead, known - 1 - steps, right=True) - 1
        used = used.clamp(min=0)
        most = torch.minimum(self.ahead[used], known - 1 - steps).unsqueeze(1)
        at = steps.unsqueeze(1) + torch.minimum(self.offsets, most)
        return at.clamp(min=0), used


class LipReadout(Readout):
    """The features of a block and the mouth shapes at them.

    Args:
        whole: whether the features are those of whole recordings.
    """

    def __init__(self, regressor: LipRegressor, whole: bool) -> None:
        config = regressor.config
        super().__init__(config.dim + len(config.shapes), -min(*config.offsets, 0))
        self._regress = regressor.whole if whole else regressor.streamed

    def __call__(
        self,
        before: Float[Tensor, "context width"],
        known: Float[Tensor, "known width"],
        count: int,
    ) -> Float[Tensor, "count dim"]:
        """As `Readout` says."""
        steps = len(before) + torch.arange(count)
        shapes = self._regress(torch.cat([before, known]), steps)
        return torch.cat([known[:count], shapes], 1)


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
        super().__init__(network, digest, streaming, LipReadout(regressor, streaming is None))
        self.regressor, self.acoustic = regressor, network.config.width
        self.mouth_mean = regressor.mean
        self.mouth_digest = f"{digest}-{tensor_digest(regressor.state_dict())}"

    def streaming(
        self, look_ahead_s: float = 0.3, hop_s: float = 0.16, precision: Precision = "float32"
    ) -> LipEncoder:
        """The same network as a stream, as of `WhisperAudioEncoder`."""
        network, own = self.stream_settings(look_ahead_s, hop_s, precision)
        return LipEncoder(network, self.digest, self.regressor, own)

    def mouth(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps shapes"]:
        """The mouth shapes among the features."""
        return features[..., self.acoustic :]

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
    found = read_checkpoint(path)
    regressor = LipRegressor(settings.from_json(LipsConfig, found.config))
    if regressor.config.front_end != front_end:
        raise CheckpointError(
            f"{path} reads features of another encoder; fit one for yours with  motet train lips"
            " --data CORPUS"
        )
    load_strict(regressor, found.tensors, str(path))
    return regressor.eval().requires_grad_(False)


def load_lip_encoder(weights: Path | None, dim: int) -> LipEncoder:
    """As `motet.encoders.base.load_encoder` asks for it; weights are those of Whisper."""
    del dim
    network, digest = load_network(weights)
    return LipEncoder(network, digest, load_regressor(digest))
