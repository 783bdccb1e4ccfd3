"""Training windows: motion, acoustic features, and key frames that are as imperfect as those of a
session.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.encoder import load_phonetic
from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import pad_keys
from motet.methods.kmtalk.keys import UNKNOWN_PHONE, KeyFrames, key_frames, spoken_frames
from motet.methods.kmtalk.output_basis import pair_steps
from motet.phonetics.phones import PhoneSpan
from motet.phonetics.recognition import recognise

RATE_HZ = 16_000


class WindowMaker:
    """Windows for one configuration; caches the phones that the audio encoder recognises in each
    item.
    """

    def __init__(self, config: KMTalkConfig) -> None:
        self.config = config
        self._recognised: dict[int, tuple[TrainingItem, tuple[PhoneSpan, ...]]] = {}

    def windows(
        self, corpus: TrainingSet, size: int, randomness: torch.Generator
    ) -> dict[str, Tensor]:
        """One batch; see `losses` for its keys."""
        frames = self.config.training.frames
        drawn = [
            self._window(item, start, frames, randomness)
            for item, start in corpus.draw(size, frames, randomness)
        ]
        keys = pad_keys(
            [list(row[2].frames) for row in drawn], [list(row[2].phones) for row in drawn]
        )
        spoken = torch.tensor([row[5] for row in drawn])
        return {
            "motion": torch.stack([row[0] for row in drawn]),
            "features": torch.stack([row[1] for row in drawn]),
            "length": torch.tensor([row[3] for row in drawn]),
            "valid": torch.stack([row[4] for row in drawn]),
            "frame_index": keys.frame_index,
            "phones": keys.phones,
            "key_valid": keys.valid,
            "spoken": spoken,
        }

    def spoken(self, item: TrainingItem, index: int) -> list[int]:
        """Phones of a whole performance frame by frame: of ten in turn six labelled, three
        recognised, one without names.
        """
        if index % 10 == 9:
            return [UNKNOWN_PHONE] * len(item.motion)
        recognised = self.config.front_end == "phonetic" and (index % 10 >= 6 or not item.phones)
        spans = (
            self._recognised_phones(item)
            if recognised
            else tuple(PhoneSpan(*phone) for phone in item.phones)
        )
        return spoken_frames(spans, len(item.motion), self.config.fps)

    def _window(
        self, item: TrainingItem, start: int, frames: int, randomness: torch.Generator
    ) -> tuple[Tensor, Tensor, KeyFrames, int, Tensor, list[int]]:
        motion = item.motion[start : start + frames]
        length = len(motion)
        # Shorter performances repeat their last pose; `length` keeps it out of the losses.
        motion = torch.cat([motion, motion[-1:].expand(frames - length, -1)])
        spans = self._spans(item, start / self.config.fps, length / self.config.fps, randomness)
        keys = key_frames(
            spans, length, self.config.fps, self.config.anchor, closures=self.config.closure_keys
        )
        # Alignment errs by a frame or so at run time: the completion must not trust key times
        # blindly.
        if float(torch.rand((), generator=randomness)) < self.config.training.disturb:
            keys = self._disturbed(keys, length, randomness)
        return (
            motion,
            self._features(item, start, frames),
            keys,
            length,
            item.valid,
            spoken_frames(spans, frames, self.config.fps),
        )

    def _features(self, item: TrainingItem, start: int, frames: int) -> Tensor:
        if self.config.trunk is not None:  # the sound itself
            first, count = (
                round(start / self.config.fps * RATE_HZ),
                round(frames / self.config.fps * RATE_HZ),
            )
            sound = item.features[first : first + count]
            return torch.cat([sound, sound.new_zeros(count - len(sound), sound.shape[1])])
        steps = self.config.steps_per_frame
        return pair_steps(
            item.features[start * steps : (start + frames) * steps].unsqueeze(0), frames, steps
        )[0]

    def _spans(
        self, item: TrainingItem, start: float, seconds: float, randomness: torch.Generator
    ) -> list[PhoneSpan]:
        """Phones of a window on the window's clock: the labelled ones, or now and then those
        that the audio encoder recognises.
        """
        # Labels are better than recognised phones, but at run time there are no labels.
        known = tuple(PhoneSpan(*phone) for phone in item.phones)
        share = self.config.training.heard_keys
        recognised = float(torch.rand((), generator=randomness)) < share
        if self.config.front_end == "phonetic" and (recognised or not known):
            known = self._recognised_phones(item)
        stop = start + seconds
        return [
            PhoneSpan(span.start - start, span.end - start, span.symbol)
            for span in known
            if span.start < stop and span.end > start
        ]

    def _recognised_phones(self, item: TrainingItem) -> tuple[PhoneSpan, ...]:
        # The item is stored with its phones, so that its id cannot be reused.
        if id(item) not in self._recognised:
            phonetic = load_phonetic()
            scores = phonetic.phones(item.features.float()).numpy()
            self._recognised[id(item)] = (item, recognise(scores, phonetic.phone_names, 50.0))
        return self._recognised[id(item)][1]

    def _disturbed(self, keys: KeyFrames, frames: int, randomness: torch.Generator) -> KeyFrames:
        training = self.config.training
        shift = int(torch.randint(-1, 2, (), generator=randomness))
        keep = torch.rand(len(keys.frames), generator=randomness) >= training.drop_keys
        rows = {
            min(max(f + shift, 0), frames - 1): p
            for f, p, k in zip(keys.frames, keys.phones, keep.tolist(), strict=True)
            if k
        }
        extra = torch.randint(
            0, frames, (round(training.extra_keys * len(keys.frames)),), generator=randomness
        ).tolist()
        rows = (
            dict.fromkeys(extra, keys.phones[0])
            # The first and last frame stay keys: interpolation has nothing beyond them.
            | {0: keys.phones[0], frames - 1: keys.phones[-1]}
            | rows
        )
        return KeyFrames(tuple(sorted(rows)), tuple(rows[frame] for frame in sorted(rows)))
