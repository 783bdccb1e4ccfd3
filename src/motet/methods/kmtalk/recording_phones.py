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
    find_phones,
    same_audio,
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
    # Takes of one recording are one batch: its phones are recognised once.
    rows = [samples[0]] if same_audio(samples) else list(samples)
    options = PhoneOptions(condition.text, condition.timing, condition.recogniser)
    phones = []
    for index, row in enumerate(rows):
        known = None if features is None else features[index]
        phones.append(find_phones(row.clone(), options, _posterior(row, known, phonetic)))
    return phones * len(samples) if len(rows) == 1 else phones


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
