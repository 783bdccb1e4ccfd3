"""Phones of the recordings of a batch: from text, a file, or recognition."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from motet.encoders.phonetic.encoder import PhoneticEncoder
from motet.methods.kmtalk.config import KMTalkCondition
from motet.phonetics.phone_source import (
    SAMPLE_RATE,
    PhoneOptions,
    PhonePosterior,
    Phones,
    find_batch_phones,
)
from motet.types import Audio


def batch_phones(
    samples: Float[Tensor, "batch time"],
    features: Float[Tensor, "batch steps dim"] | None,
    condition: KMTalkCondition,
    phonetic: PhoneticEncoder | None,
) -> list[Phones]:
    """Phones of every item.

    Args:
        samples: 16 kHz.
        features: of the phonetic encoder, where they are known already.
        phonetic: recognises phones; None with the encoder of the tests.
    """
    options = PhoneOptions(condition.text, condition.timing, condition.recogniser)

    def posterior(item: int) -> PhonePosterior | None:
        return _posterior(samples[item], None if features is None else features[item], phonetic)

    return find_batch_phones(samples, options, posterior)


def _posterior(
    samples: Float[Tensor, " time"],
    features: Float[Tensor, "steps dim"] | None,
    phonetic: PhoneticEncoder | None,
) -> PhonePosterior | None:
    if phonetic is None:
        return None
    if features is None:
        features = phonetic.features(Audio.mono(samples, SAMPLE_RATE))
    return PhonePosterior(phonetic.phones(features).numpy(), phonetic.phone_names)
