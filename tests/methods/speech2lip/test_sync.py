"""The sync expert: it learns to tell the right sound from a near one, and the official checkpoint's shape is the published one."""

from __future__ import annotations

from pathlib import Path

import torch

from motet.checkpoint import save_checkpoint
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.mouth_set import mouth_set
from motet.methods.speech2lip.stand_in import StandIn
from motet.methods.speech2lip.sync import SyncConfig, SyncExpert, load_expert, mel_window
from motet.methods.speech2lip.sync_stage import expert_stage, picked_share, watched


def test_the_published_expert_has_16_million_parameters() -> None:
    with torch.device("meta"):
        assert round(sum(p.numel() for p in SyncExpert(SyncConfig()).parameters()) / 1e6, 1) == 16.4


def test_the_expert_learns_which_sounds_belong_to_the_mouths_of_a_batch() -> None:
    torch.manual_seed(0)
    person = watched(mouth_set(StandIn(PRESETS["tiny"], 80), PRESETS["tiny"]), PRESETS["tiny"].border)
    stage = expert_stage(SyncConfig(divide=8))
    batch = stage.batch([person], 6, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(stage.model.parameters(), lr=2e-3)
    stage.model.train()
    contests = []
    for _ in range(25):
        terms = stage.loss(batch, torch.Generator())
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        contests.append(float(terms["contest"].detach()))
    assert min(contests[-5:]) < 0.6 * contests[0]
    assert 0.0 <= picked_share(stage.model, person, torch.Generator().manual_seed(1), count=8) <= 1.0


def test_an_expert_that_has_not_learnt_does_not_teach(tmp_path: Path) -> None:
    config = SyncConfig(divide=16)
    for share in (0.6, 0.9):
        save_checkpoint(tmp_path / f"{share}.safetensors", SyncExpert(config).state_dict(), config, {"right_choices": {"ada": share}}, half=True)
    assert load_expert(tmp_path / "0.6.safetensors", least=0.75) is None
    found = load_expert(tmp_path / "0.9.safetensors", least=0.75)
    assert found is not None
    assert not any(p.requires_grad for p in found.parameters())
    assert load_expert(tmp_path / "0.6.safetensors") is not None


def test_windows_past_the_ends_hold_the_edge() -> None:
    mel = torch.arange(40.0).expand(80, 40)
    assert torch.equal(mel_window(mel, 11)[0, -3:], torch.tensor([39.0, 39.0, 39.0]))
    assert float(mel_window(mel, 2)[0, 0]) == int(80 * 2 / 25)
