"""The phonetic encoder as a stream: sound in pieces of any size in, features at 50 Hz out, all
state with the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet import config as settings
from motet.audio.mel import LogMel
from motet.checkpoint import load_strict, read_checkpoint
from motet.encoders.phonetic.config import PhoneticConfig
from motet.encoders.phonetic.network import PhoneticFeatures, PhoneticNet
from motet.errors import AudioError

RATE_HZ, FEATURE_RATE_HZ = 16_000, 50
_STEP_SAMPLES = RATE_HZ // FEATURE_RATE_HZ


@dataclasses.dataclass(frozen=True)
class PhoneticState:
    """Everything a stream remembers; a value, never changed in place, so it may be kept and
    continued twice.
    """

    samples: Float[Tensor, "time"]
    """Sound not yet turned into mel frames."""
    mel: Float[Tensor, "frames bins"]
    """Mel frames still needed by steps to come."""
    past: tuple[Float[Tensor, "1 reach width"], ...]
    """Past of every block."""
    heard: int = 0
    """Samples so far."""
    answered: int = 0
    """Features so far."""


class PhoneticEncoder:
    """Sound at 16 kHz to phonetic features at 50 Hz, `look_ahead_s` behind the sound.

    Not a module: the weights are fixed, methods train on the features. One encoder serves any
    number of streams.

    Args:
        net: the network with its weights.
        digest: identifies the weights.
    """

    def __init__(
        self, net: PhoneticNet, digest: str = "", facts: dict[str, Any] | None = None
    ) -> None:
        self.net, self.digest, self.facts = net.eval().requires_grad_(False), digest, facts or {}
        self._mel = LogMel(bins=net.config.mel_bins, floor=net.config.mel_floor)

    @classmethod
    def load(cls, path: Path | None = None) -> PhoneticEncoder:
        """The shipped encoder, or one from a file of `motet train phonetic`.

        Raises:
            CheckpointError: the file is missing, damaged or of another architecture.
        """
        path = path or Path(str(resources.files("motet") / "weights" / "phonetic.safetensors"))
        found = read_checkpoint(path)
        net = PhoneticNet(settings.from_json(PhoneticConfig, found.config))
        load_strict(net, found.tensors, str(path))
        return cls(net, found.digest, found.facts)

    @property
    def config(self) -> PhoneticConfig:
        """Architecture, and the names of the phone and lip heads."""
        return self.net.config

    @property
    def width(self) -> int:
        """Channels of `PhoneticFeatures.hidden`."""
        return self.net.config.width

    @property
    def look_ahead_s(self) -> float:
        """Seconds of sound after a feature's time that it waits for."""
        return self.net.config.look_ahead_s

    def begin(self) -> PhoneticState:
        """State before the first sample: silence."""
        config = self.net.config
        return PhoneticState(
            self._mel.begin(), torch.zeros(0, config.mel_bins), tuple(self.net.begin(1))
        )

    @torch.inference_mode()
    def step(
        self, state: PhoneticState, samples: Float[Tensor, "time"]
    ) -> tuple[PhoneticFeatures, PhoneticState]:
        """The features that become certain with these samples, and the new state.

        Raises:
            AudioError: not a vector, or not finite.
        """
        hidden, after = self.step_hidden(state, samples)
        return self.net.heads(hidden), after

    @torch.inference_mode()
    def step_hidden(
        self, state: PhoneticState, samples: Float[Tensor, "time"]
    ) -> tuple[Float[Tensor, "steps width"], PhoneticState]:
        """`step` without the named predictions: only what methods listen to.

        Raises:
            AudioError: not a vector, or not finite.
        """
        _check(samples)
        if state.heard == 0 and len(
            samples
        ):  # frames before the beginning are silence, as in training
            state = dataclasses.replace(
                state,
                samples=torch.zeros(self._mel.lead + self.net.config.mel_before * self._mel.hop),
            )
        mel, rest = self._mel.step(state.samples, samples.float())
        frames = torch.cat([state.mel, mel])
        count = max(0, (len(frames) - self.net.taps) // 2 + 1)
        after = dataclasses.replace(
            state, samples=rest, heard=state.heard + len(samples), answered=state.answered + count
        )
        if count == 0:
            return torch.zeros(0, self.width), dataclasses.replace(after, mel=frames)
        hidden, past = self.net.hidden(
            frames[None, : 2 * (count - 1) + self.net.taps], list(state.past)
        )
        return hidden[0], dataclasses.replace(
            after, mel=frames[2 * count :].clone(), past=tuple(p.clone() for p in past)
        )

    def certain(self, heard: int) -> int:
        """How many features are certain after that many samples: feature k hears `look_ahead_s`
        beyond its own time.
        """
        first = self.net.config.mel_after * self._mel.hop + self._mel.window - self._mel.lead
        return max(0, (heard - first) // _STEP_SAMPLES + 1)

    @torch.inference_mode()
    def finish(self, state: PhoneticState) -> PhoneticFeatures:
        """The rest, with silence after the end: in all round(seconds * 50) features, at least one
        for any sound.
        """
        return self.net.heads(self.finish_hidden(state))

    @torch.inference_mode()
    def finish_hidden(self, state: PhoneticState) -> Float[Tensor, "steps width"]:
        """`finish` without the named predictions."""
        total = feature_count(state.heard)
        missing = total - state.answered
        if missing <= 0:
            return torch.zeros(0, self.width)
        needed = (
            (total - 1) * _STEP_SAMPLES
            + self.net.config.mel_after * self._mel.hop
            + self._mel.window
            - self._mel.lead
        )
        return self.step_hidden(state, torch.zeros(max(0, needed - state.heard)))[0][:missing]

    def encode(self, samples: Float[Tensor, "time"]) -> PhoneticFeatures:
        """A whole sound: `begin`, one `step`, `finish`, joined."""
        first, state = self.step(self.begin(), samples)
        return join([first, self.finish(state)], feature_count(len(samples)))


def feature_count(samples: int) -> int:
    """Features of a sound: its length at 50 Hz rounded half up, at least one for any sound at all,
    none for none.
    """
    return max(1, (2 * samples + _STEP_SAMPLES) // (2 * _STEP_SAMPLES)) if samples else 0


def join(parts: Sequence[PhoneticFeatures], limit: int | None = None) -> PhoneticFeatures:
    """Pieces of a stream, one after the other, cut to `limit` steps."""
    return PhoneticFeatures(
        *(
            torch.cat([getattr(p, f.name) for p in parts])[:limit]
            for f in dataclasses.fields(PhoneticFeatures)
        )
    )


def check_samples(samples: Tensor) -> None:
    """Refuse what cannot be heard.

    Raises:
        AudioError: not floating point, or not finite.
    """
    if not samples.is_floating_point():
        raise AudioError(
            f"samples must be floating point in [-1, 1], not {samples.dtype}; divide integers by"
            " their full scale"
        )
    if not bool(torch.isfinite(samples).all()):
        raise AudioError(
            "the sound contains values that are not finite (NaN or infinity); repair or re-export"
            " the recording"
        )


def _check(samples: Tensor) -> None:
    if samples.ndim != 1:
        raise AudioError(
            "the phonetic encoder hears one channel as a vector, this sound has the shape"
            f" {tuple(samples.shape)}; mix it to mono first"
        )
    check_samples(samples)
