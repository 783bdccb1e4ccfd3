"""Batches for the phonetic encoder: streams of concatenated utterances with their targets, degraded
on the fly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.array_files import read_array
from motet.audio.mel import LogMel
from motet.data.augment import HARD, WARPS, Degradation, change_rate, degrade, uniform
from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.errors import AssetError
from motet.phonetics.phones import frame_labels
from motet.training.distillation_targets import LIP_CHANNELS, at_times, steps_of

STEP_SAMPLES = 320  # 16 kHz at 50 Hz


@dataclasses.dataclass(frozen=True)
class _Source:
    audio: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    items: list[tuple[CorpusEntry, int, int]]


class SpeechSet:
    """Utterances of several sources with targets, in memory, to draw training streams from.

    Args:
        weights: sampling weight of a second of each source.
        how: how bad the sound may become.
    """

    def __init__(
        self,
        corpus: Path,
        targets: Path,
        weights: Mapping[str, float],
        split: str = "train",
        seconds: float = 6.4,
        how: Degradation = HARD,
    ) -> None:
        self.steps, self.mel, self.how = round(seconds * 50), LogMel(), how
        self._sources: list[_Source] = []
        self._pool: list[tuple[int, int]] = []
        odds: list[float] = []
        for source, weight in weights.items():
            loaded = _load(corpus, targets, source)
            chosen = [
                (len(self._sources), i)
                for i, (entry, _, _) in enumerate(loaded.items)
                if entry.split == split
            ]
            # probability in proportion to the length: a second counts, not an utterance
            odds += [weight * loaded.items[i][2] for _, i in chosen]
            self._pool += chosen
            self._sources.append(loaded)
        if not self._pool:
            raise AssetError(f"{corpus} holds no {split} speech of {', '.join(weights)}")
        # cumulative; double, because float32 loses short utterances in hours of speech
        self._odds = torch.tensor(odds, dtype=torch.float64).cumsum(0)

    def batch(self, size: int, chance: torch.Generator, taps: tuple[int, int]) -> dict[str, Tensor]:
        """Degraded log-mel (`batch frames bins`, ready for the network) and the clean targets.

        Args:
            taps: mel frames before and after a step that the network sees.
        """
        items = [self._stream(chance) for _ in range(size)]
        sound, targets, labels = (torch.stack(parts) for parts in zip(*items, strict=True))
        # The next stream of the batch is the babble of this one.
        noisy = degrade(sound, sound.roll(1, 0), chance, self.how)
        # Silence before the first step as at a session's start.
        lead = self.mel.lead + taps[0] * self.mel.hop
        frames = 2 * (self.steps - 1) + taps[0] + 1 + taps[1]
        power = self.mel.power(torch.nn.functional.pad(noisy, (lead, frames * self.mel.hop)))[
            :, :frames
        ]
        # Vocal tract length: the frequency axis stretched by one of WARPS an item.
        warps = torch.randint(len(WARPS), (size,), generator=chance)
        mel = torch.stack(
            [self.mel.from_power(p, WARPS[int(w)]) for p, w in zip(power, warps, strict=True)]
        )
        components = targets.shape[-1] - len(LIP_CHANNELS)
        return {
            "mel": mel,
            "teacher": targets[..., :components],
            "lips": targets[..., components:],
            "labels": labels,
        }

    def _stream(
        self, chance: torch.Generator
    ) -> tuple[Float[Tensor, " time"], Float[Tensor, "steps channels"], Int[Tensor, " steps"]]:
        """Utterances one after the other until the length is full, faster or slower."""
        # 2^0.35: up to 27 % faster or slower
        rate = float(torch.exp2(uniform((), -0.35, 0.35, chance)))
        samples_needed = round(self.steps * rate) + 1
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        have = 0
        while have < samples_needed:
            parts.append(self._piece(samples_needed - have, chance))
            have += len(parts[-1][1])
        sound, targets, labels = (torch.cat(column) for column in zip(*parts, strict=True))
        seconds = torch.arange(self.steps) * rate / 50
        stretched = change_rate(
            sound[: samples_needed * STEP_SAMPLES], round(samples_needed * STEP_SAMPLES / rate)
        )[: self.steps * STEP_SAMPLES]
        stretched = torch.nn.functional.pad(
            stretched, (0, self.steps * STEP_SAMPLES - len(stretched))
        )
        # Labels cannot be interpolated; targets can.
        nearest = (seconds * 50).round().long().clamp(max=len(labels) - 1)
        return stretched, at_times(targets, seconds), labels[nearest]

    def _piece(self, most: int, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """An utterance, or a random part of it where it is longer than needed."""
        position = torch.searchsorted(
            self._odds, torch.rand((), generator=chance, dtype=torch.float64) * self._odds[-1]
        )
        source, index = self._pool[int(position.clamp(max=len(self._pool) - 1))]
        data = self._sources[source]
        entry, first, count = data.items[index]
        length = min(most, count)
        begin = int(torch.randint(count - length + 1, (), generator=chance))
        sound = np.zeros(length * STEP_SAMPLES, np.float32)
        # The last step of an utterance may be partly silence.
        stop = min(entry.samples, (begin + length) * STEP_SAMPLES)
        cut = data.audio[entry.offset + begin * STEP_SAMPLES : entry.offset + stop]
        sound[: len(cut)] = cut.astype(np.float32) / 32767
        at = slice(first + begin, first + begin + length)
        # 1e-3: silence is not amplified without bound
        gain = 0.05 / (
            float(np.sqrt(np.mean(np.square(sound)))) + 1e-3
        )  # neighbours in a stream are about equally loud
        gain *= float(10 ** (uniform((), -4, 4, chance) / 20))
        return (
            torch.from_numpy(sound * gain),
            torch.from_numpy(data.targets[at].astype(np.float32)),
            torch.from_numpy(data.labels[at].astype(np.int64)),
        )


def _load(corpus: Path, targets: Path, source: str) -> _Source:
    entries = read_index(corpus, source)
    items = steps_of(entries)
    values = read_array(targets / f"{source}.targets.npy")
    if len(values) != items[-1][1] + items[-1][2]:
        raise AssetError(
            f"the targets of {source!r} in {targets} do not fit the corpus; make them again"
        )
    labels = np.concatenate([_labels(entry, count) for entry, _, count in items])
    return _Source(np.array(read_audio(corpus, source)), values, labels, items)


def _labels(entry: CorpusEntry, steps: int) -> np.ndarray:
    return np.array(
        frame_labels(entry.phones, steps, 50.0) if entry.phones else [-1] * steps, np.int8
    )
