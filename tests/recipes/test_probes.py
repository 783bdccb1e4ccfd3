"""Linear probes: lags, scores and groups of phones that look alike."""

import numpy as np
import torch

from motet.data.speech.utterance import Utterance
from motet.phonetics.phones import INDEX, SYMBOLS, PhoneSpan
from recipes.probes.lips import best_correlation
from recipes.probes.phones import VISIBLE_GROUPS, score_phones, visible_group


def test_the_best_lag_is_found() -> None:
    wave = torch.randn(80, generator=torch.Generator().manual_seed(0))
    assert (
        best_correlation(wave[3:73], wave[:70], 3)
        > 0.999
        > 0.5
        > best_correlation(wave[3:73], wave[:70], 1)
    )


def test_phone_scores() -> None:
    phones = (PhoneSpan(0.0, 0.5, "m"), PhoneSpan(0.5, 1.0, "a"))
    item = Utterance("a", "x", np.zeros(16000, np.float32), "en", "t", "CC0-1.0", phones)
    right = torch.tensor([INDEX["m"]] * 25 + [INDEX["a"]] * 25)
    assert score_phones([right], [item]).exact == 1.0
    alike = score_phones([torch.tensor([INDEX["b"]] * 25 + [INDEX["ɑ"]] * 25)], [item])
    assert (
        alike.exact == 0.0 and alike.visible == 1.0 and alike.closures == 1.0 and alike.steps == 50
    )
    assert {visible_group(s) for s in SYMBOLS} == set(VISIBLE_GROUPS) and visible_group(
        "u"
    ) == "rounded"
