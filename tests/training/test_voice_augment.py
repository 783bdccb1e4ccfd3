import torch

from motet.encoders.phonetic.encoder import load_phonetic
from motet.evaluation.held_out import load_held_out
from motet.training.voice_augment import perturbed_features


def test_a_double_says_the_same_at_the_same_time_with_another_voice() -> None:
    front = load_phonetic()
    audio = load_held_out(None).clips[0].audio
    own, double = front.features(audio), perturbed_features(audio, front, 3)
    assert double.shape == own.shape
    assert torch.equal(double, perturbed_features(audio, front, 3))
    assert not torch.allclose(double, perturbed_features(audio, front, 4))
    likeness = torch.nn.functional.cosine_similarity(own, double, dim=-1).median()
    shifted = torch.nn.functional.cosine_similarity(own, double.roll(25, 0), dim=-1).median()
    assert 0.99 > likeness > shifted + 0.1
