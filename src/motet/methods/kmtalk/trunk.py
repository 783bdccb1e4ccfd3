"""The wav2vec 2.0 audio encoder that the published sizes carry: convolutions frozen, transformer
trainable. It needs the whole recording.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from motet.encoders.hubert import Hubert, HubertConfig
from motet.methods.kmtalk.config import KMTalkConfig


class Trunk(nn.Module):
    """Recordings to features, either interpolated to the frame rate before the transformer
    (VOCASET) or left at 50 Hz (BIWI).
    """

    def __init__(self, config: KMTalkConfig) -> None:
        super().__init__()
        assert config.trunk is not None
        sizes = config.trunk
        # A key of saved weights.
        self.hears = Hubert(
            HubertConfig(
                sizes.hidden,
                sizes.layers,
                sizes.heads,
                sizes.inner,
                sizes.conv_widths,
                sizes.position_taps,
                sizes.position_groups,
            )
        )
        self.resample, self.steps = config.resample_audio, config.steps_per_frame

    def features(
        self, samples: Float[Tensor, "batch time"], frames: int
    ) -> Float[Tensor, "batch steps channels"]:
        """Features of whole recordings, normalised as in the training of wav2vec 2.0."""
        sound = (samples - samples.mean(-1, keepdim=True)) / (
            samples.var(-1, keepdim=True, correction=0) + 1e-7
        ).sqrt()
        sound = nn.functional.pad(sound, (0, max(0, 400 - sound.shape[-1])))
        return self.hears(sound, steps=frames * self.steps) if self.resample else self.hears(sound)
