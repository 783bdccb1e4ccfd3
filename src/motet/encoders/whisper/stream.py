"""Whisper's features as a stream: blocks of new steps with a short look-ahead.

Whisper attends over its whole window. Encoding a window of the last seconds again and again costs
the most for steps that never change; so each layer keeps keys and values of the past, and a block
computes its own steps and those of the look-ahead only:

    kept keys and values (past)  |  refresh         |  new steps (hop)  |  look-ahead
                                    computed again     emitted

A step's keys and values are kept once the sound after it is known: steps are computed again until
they lie `refresh` steps behind the block. Positions count on from the start of the window. Before
they reach `FARTHEST`, the past is encoded once more with positions from zero.

Blocks begin at fixed steps whatever the chunks of samples are, and every block has the same shapes,
so every chunking gives the same bits.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.audio.mel import mel_filterbank
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.network import (
    HOP,
    MEL_BINS,
    RATE_HZ,
    STEP,
    WINDOW,
    KeyValue,
    WhisperEncoder,
    steps_of_samples,
)
from motet.encoders.whisper.readout import Readout

LEAD = WINDOW // 2
"""Samples before and after the centre of a mel frame. A step needs the samples up to `LEAD` after
the beginning of the next step."""
FARTHEST = 500
"""Positions that a stream uses (10 s), though Whisper's table has 1,500. Positions leave a trace in
the features, and what is trained on them has mostly seen utterances of 3 to 16 s."""
LOUDEST = 0.0
"""Log10 of the largest mel energy that is taken for granted at the beginning: speech has more."""


@dataclasses.dataclass(frozen=True)
class StreamState:
    """A stream between two calls; a value, never changed in place."""

    pieces: tuple[Float[Tensor, " time"], ...]
    """Sound from the first sample that the next mel frame needs."""
    mel: Float[Tensor, "2 bins"]
    """The last two mel frames: the first convolution sees one on each side."""
    convolved: Float[Tensor, "1 width"]
    """The last frame of the first convolution."""
    steps: Float[Tensor, "known width"]
    """Inputs of the transformer from step `first` on."""
    past: tuple[KeyValue, ...]
    """Keys and values of each layer before the next block."""
    before: Float[Tensor, "context width"]
    """Features before those that the next block computes again, which a readout looks at."""
    loudest: float = LOUDEST
    """Log10 of the largest mel energy so far."""
    first: int = 0
    """Step of the first row of `steps`."""
    origin: int = 0
    """Step with position zero."""
    emitted: int = 0
    samples_received: int = 0


class StreamingWindows:
    """Samples in pieces of any size to features at 50 Hz, block after block.

    Args:
        settings: hop, look-ahead and length of the past.
        readout: what is emitted of a block; the features themselves when left out.
    """

    def __init__(
        self,
        network: WhisperEncoder,
        settings: WhisperStreaming,
        readout: Readout | None = None,
    ) -> None:
        self._network, self._settings = network, settings
        self._readout = readout or Readout(network.config.width)
        self._window = torch.hann_window(WINDOW)
        self._bank = mel_filterbank(WINDOW, MEL_BINS, RATE_HZ).T

    def begin(self) -> StreamState:
        """State before the first sample: silence, which the convolutions see as zeros."""
        width, heads = self._network.config.width, self._network.config.heads
        nothing = torch.zeros(heads, 0, width // heads)
        return StreamState(
            # half a window before the first sample, where the centred mel frames of Whisper begin
            (torch.zeros(LEAD),),
            torch.zeros(1, MEL_BINS),
            torch.zeros(1, width),
            torch.zeros(0, width),
            tuple((nothing, nothing) for _ in self._network.layers),
            torch.zeros(0, width),
        )

    def step(
        self, state: StreamState, samples: Float[Tensor, " time"]
    ) -> tuple[Float[Tensor, "steps dim"], StreamState]:
        """What is read of the blocks that these samples complete."""
        outputs = [samples.new_zeros(0, self._readout.dim)]
        while len(samples) >= (missing := self._samples_needed(state) - state.samples_received):
            features, state = self._block(_received(state, samples[:missing]))
            outputs.append(features)
            samples = samples[missing:]
        return torch.cat(outputs), _received(state, samples)

    def finish(self, state: StreamState) -> Float[Tensor, "steps dim"]:
        """The rest, as if silence followed: in all `steps_of_samples` features, none for no
        sound.
        """
        received, emitted = state.samples_received, state.emitted
        total = steps_of_samples(received) if received else 0
        outputs = [torch.zeros(0, self._readout.dim)]
        while state.emitted < total:
            silence = torch.zeros(self._samples_needed(state) - state.samples_received)
            features, state = self.step(state, silence)
            outputs.append(features)
        return torch.cat(outputs)[: total - emitted]

    def _samples_needed(self, state: StreamState) -> int:
        """Samples that the next block needs."""
        return (state.emitted + self._settings.hop + self._settings.look_ahead) * STEP + LEAD

    def _block(self, state: StreamState) -> tuple[Float[Tensor, "hop dim"], StreamState]:
        """The next block."""
        state, settings = self._with_steps(state), self._settings
        begin, stop = state.emitted, state.emitted + settings.hop + settings.look_ahead
        # Steps before the block whose keys and values the look-ahead now completes.
        start, after = (max(0, step - settings.refresh) for step in (begin, begin + settings.hop))
        if stop - state.origin > FARTHEST:
            state = self._from_zero(state, max(0, start - settings.past), start)
        x = state.steps[start - state.first : stop - state.first]
        features, kept = self._transform(state, x, start, after - start)
        # The readout's context: features that this block does not compute again.
        first, context = max(0, after - settings.past), self._readout.context
        # Steps before the block as they are now that more sound after them is known.
        known = torch.cat([state.before, features])
        new, settled = len(state.before) + begin - start, len(state.before) + after - start
        output = self._readout(known[max(0, new - context) : new], known[new:], settings.hop)
        return output, dataclasses.replace(
            state,
            steps=state.steps[first - state.first :].clone(),
            first=first,
            past=kept,
            before=known[max(0, settled - context) : settled].clone(),
            emitted=begin + settings.hop,
        )

    def _from_zero(self, state: StreamState, origin: int, stop: int) -> StreamState:
        """The past before step `stop` encoded again, with positions from zero."""
        state = dataclasses.replace(state, origin=origin, past=self.begin().past)
        x = state.steps[origin - state.first :]
        _, past = self._transform(state, x, origin, stop - origin)
        return dataclasses.replace(state, past=past)

    def _transform(
        self, state: StreamState, x: Float[Tensor, "steps width"], begin: int, keep: int
    ) -> tuple[Float[Tensor, "steps width"], tuple[KeyValue, ...]]:
        """Features of steps from `begin` on; keys and values of the past and of the first `keep` of
        them.
        """
        network, length = self._network, self._settings.past
        position = begin - state.origin
        # positions within the stream, not within the recording; they stay below FARTHEST
        x = x + network.positions[position : position + len(x)]
        kept = []
        for layer, (keys, values) in zip(network.layers, state.past, strict=True):
            x, (keys, values) = layer.step(x, (keys, values))
            # Keys of the look-ahead are provisional: they are dropped here and computed again.
            stop = keys.shape[1] - len(x) + keep
            own = slice(max(0, stop - length), stop)
            kept.append((keys[:, own].clone(), values[:, own].clone()))
        return network.norm(x), tuple(kept)

    def _with_steps(self, state: StreamState) -> StreamState:
        """The state with all steps of the next block; two mel frames make one step."""
        sound = torch.cat(state.pieces)
        known = state.first + len(state.steps)
        # two mel frames a step, minus the steps that are there already
        frames = 2 * (state.emitted + self._settings.hop + self._settings.look_ahead - known)
        if known == 0:
            frames += 1  # The last frame of the first block belongs to the next step.
        mel, loudest = self._mel(sound[: (frames - 1) * HOP + WINDOW], state.loudest)
        mel = torch.cat([state.mel, mel])
        # A frame of the first convolution sees three of mel, a step three of those.
        convolved = torch.cat([state.convolved, _convolve(self._network.conv1, mel, 1)])
        steps = _convolve(self._network.conv2, convolved, 2)
        return dataclasses.replace(
            state,
            # The kept tail and the new sound overlap by WINDOW - HOP samples.
            pieces=(sound[frames * HOP :].clone(),),
            mel=mel[-2:].clone(),
            convolved=convolved[-1:].clone(),
            steps=torch.cat([state.steps, steps]),
            loudest=loudest,
        )

    def _mel(
        self, sound: Float[Tensor, " time"], loudest: float
    ) -> tuple[Float[Tensor, "frames bins"], float]:
        """Whisper's input picture, floored below the loudest frame so far."""
        cut = sound.unfold(0, WINDOW, HOP) * self._window
        power = torch.view_as_real(torch.fft.rfft(cut, WINDOW)).square().sum(-1)
        mel = (power @ self._bank).clamp(min=1e-10).log10()
        loudest = max(loudest, float(mel.max()))
        # the scale of `log_mel`, with the loudest frame so far in place of that of the window
        return (mel.clamp(min=loudest - 8.0) + 4.0) / 4.0, loudest


def _received(state: StreamState, samples: Float[Tensor, " time"]) -> StreamState:
    """The state with more sound."""
    if not len(samples):
        return state
    received = state.samples_received + len(samples)
    return dataclasses.replace(state, pieces=(*state.pieces, samples), samples_received=received)


def _convolve(
    layer: torch.nn.Conv1d, x: Float[Tensor, "frames channels"], stride: int
) -> Float[Tensor, "steps width"]:
    """A convolution over three frames without padding, and GELU."""
    y = F.conv1d(x.T.unsqueeze(0), layer.weight, layer.bias, stride)
    return F.gelu(y)[0].T
