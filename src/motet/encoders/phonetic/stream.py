"""One channel of sound through the phonetic network as a stream; all state is with the caller."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motet.audio.mel import LogMel
from motet.encoders.phonetic.network import PhoneticNet
from motet.encoders.shared_rows import check_values

SAMPLE_RATE, FRAME_RATE = 16_000, 50
STEP_SAMPLES = SAMPLE_RATE // FRAME_RATE


@dataclasses.dataclass(frozen=True)
class StreamState:
    """Everything a stream remembers; a value, never changed in place, so it may be continued
    twice.
    """

    samples: Float[Tensor, " time"]
    """Samples not yet turned into mel frames."""
    mel: Float[Tensor, "frames bins"]
    """Mel frames still needed by features to come."""
    past: tuple[Float[Tensor, "1 reach width"], ...]
    """Past of every block."""
    samples_received: int = 0
    features_emitted: int = 0


class PhoneticStream:
    """Samples in pieces of any size to features at 50 Hz, `look_ahead_s` later.

    Args:
        net: the network with its weights.
    """

    def __init__(self, net: PhoneticNet) -> None:
        self.net = net
        self._mel = LogMel(bins=net.config.mel_bins, floor=net.config.mel_floor)
        # Samples from a feature's time to the last one that its newest mel frame reads.
        self._reach = net.config.mel_after * self._mel.hop + self._mel.window - self._mel.lead

    def begin(self) -> StreamState:
        """State before the first sample: silence."""
        config = self.net.config
        return StreamState(
            self._mel.begin(), torch.zeros(0, config.mel_bins), tuple(self.net.begin(1))
        )

    def step(
        self, state: StreamState, samples: Float[Tensor, " time"]
    ) -> tuple[Float[Tensor, "steps width"], StreamState]:
        """The features that these samples complete, and the new state.

        Raises:
            AudioError: not floating point, or not finite.
        """
        check_values(samples)
        if state.samples_received == 0 and len(samples):
            # Frames before the beginning are silence, as in training.
            lead = self._mel.lead + self.net.config.mel_before * self._mel.hop
            state = dataclasses.replace(state, samples=torch.zeros(lead))
        mel, rest = self._mel.step(state.samples, samples.float())
        # mel frames not yet used, then the new ones; step k reads frames 2k .. 2k + taps - 1
        frames = torch.cat([state.mel, mel])
        count = max(0, (len(frames) - self.net.taps) // 2 + 1)
        after = dataclasses.replace(
            state,
            samples=rest,
            samples_received=state.samples_received + len(samples),
            features_emitted=state.features_emitted + count,
        )
        if count == 0:
            none = torch.zeros(0, self.net.config.width)
            return none, dataclasses.replace(after, mel=frames)
        needed = frames[None, : 2 * (count - 1) + self.net.taps]
        hidden, past = self.net.hidden(needed, list(state.past))
        return hidden[0], dataclasses.replace(
            # Cloned: a view would keep the whole piece alive.
            after,
            mel=frames[2 * count :].clone(),
            past=tuple(p.clone() for p in past),
        )

    def complete(self, samples_received: int) -> int:
        """How many features are complete after that many samples."""
        return max(0, (samples_received - self._reach) // STEP_SAMPLES + 1)

    def finish(self, state: StreamState) -> Float[Tensor, "steps width"]:
        """The rest, with silence after the end: in all `feature_count` features."""
        total = feature_count(state.samples_received)
        missing = total - state.features_emitted
        if missing <= 0:
            return torch.zeros(0, self.net.config.width)
        needed = (total - 1) * STEP_SAMPLES + self._reach
        silence = torch.zeros(max(0, needed - state.samples_received))
        return self.step(state, silence)[0][:missing]


def feature_count(samples: int) -> int:
    """Features of a sound: its length at 50 Hz rounded half up, at least one for any sound at all,
    none for none.
    """
    # floor(x + 1/2) in whole numbers: rounding must not depend on a float
    return max(1, (2 * samples + STEP_SAMPLES) // (2 * STEP_SAMPLES)) if samples else 0
