"""ARTalk sets: `released`, `training` and `common`."""

from __future__ import annotations

import pytest
import torch

from motet.checkpoint import load_strict
from motet.methods.artalk.config import TrainingConfig
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.state_dict import from_official
from tests.parity.fixture_set import FixtureSet, ReferenceTensors

SET = FixtureSet("artalk")


class Reference:
    """One generation: description, official weights, recorded tensors."""

    def __init__(self, name: str) -> None:
        self.facts = SET.facts(name)
        self.tolerance = self.facts["tolerance"]
        self._name = name

    @property
    def weights(self) -> ReferenceTensors:
        """Tensors under their official names."""
        return SET.tensors(f"{self._name}_weights")

    @property
    def io(self) -> ReferenceTensors:
        """Recorded inputs and outputs."""
        return SET.tensors(f"{self._name}_io")

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.io[key]

    def close(self, found: torch.Tensor, key: str, tolerance: float = 0.0) -> None:
        """Compare with a recorded tensor, by default within the tolerance of the set."""
        expected = self[key]
        assert found.shape == expected.shape, (key, found.shape, expected.shape)
        torch.testing.assert_close(
            found.float(),
            expected.float(),
            rtol=tolerance or self.tolerance["float_rel"],
            atol=tolerance or self.tolerance["float_abs"],
        )

    def close_where_kept(self, found: torch.Tensor, key: str) -> None:
        """Compare a step on the way; the compact subset keeps only where the way leads."""
        if SET.whole or key in self.io:
            self.close(found, key)

    def same(self, found: torch.Tensor, key: str) -> None:
        """Compare codes and counts exactly."""
        differing = found.long() != self[key].long()
        assert not differing.any(), f"{key}: {int(differing.sum())} differ"


@pytest.fixture(scope="session")
def released() -> Reference:
    return Reference("released")


@pytest.fixture(scope="session")
def training() -> Reference:
    return Reference("training")


@pytest.fixture(scope="session")
def pieces() -> Reference:
    return Reference("common")


def official(training: Reference) -> dict[str, torch.Tensor]:
    """The official checkpoint: without the miniature head model that the file also holds."""
    return {n: tensor for n, tensor in training.weights.items() if not n.startswith("flame.")}


def training_model(training: Reference) -> TrainingModel:
    """The model as `motet weights import` makes it from weights and `meta_cfg`."""
    file = {"model": official(training), "meta_cfg": training.facts["config"]}
    imported = from_official([file])
    assert isinstance(imported.config.training, TrainingConfig)
    model = TrainingModel(imported.config.training)
    load_strict(model, imported.tensors)
    return model.eval()


def released_settings(released: Reference) -> dict[str, dict]:
    """Numbers of heads, which no tensor says."""
    sizes = next(
        value
        for name, value in released.facts["shrunk_literals"].items()
        if name.startswith("style encoder (d_model")
    )
    return {
        "released": {
            "codec": {"heads": released.facts["config"]["VAE_CONFIG"]["T_NUM_HEADS"]},
            "audio": {"heads": released.facts["wav2vec2_config"]["num_attention_heads"]},
            "style_heads": sizes[1],
        }
    }
