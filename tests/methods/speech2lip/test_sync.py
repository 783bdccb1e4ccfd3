"""The sync expert: it learns to tell the right sound from a near one, and the official checkpoint's
shape is the published one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from motet.checkpoint import save_checkpoint
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.dataset import mouth_set
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.stages import begun, stages
from motet.methods.speech2lip.sync.examples import SyncExamples, Watched, sync_examples
from motet.methods.speech2lip.sync.expert import LipExpert, LipExpertConfig, audio_window
from motet.methods.speech2lip.sync.lip_outline import lip_outline
from motet.methods.speech2lip.sync.load import load_expert
from motet.methods.speech2lip.sync.loss import expert_stage, right_choices
from motet.methods.speech2lip.sync.model import (
    SyncConfig,
    SyncExpert,
    mel_window,
    mouth_view,
)

SMALL = LipExpertConfig(
    frames=9, channels=PRESETS["tiny"].hearing.channels, shape=4, width=16, code=6
)


def test_the_published_expert_has_16_million_parameters() -> None:
    with torch.device("meta"):
        assert round(sum(p.numel() for p in SyncExpert(SyncConfig()).parameters()) / 1e6, 1) == 16.4


def taught(frames: int = 120) -> tuple[SyncExamples, Watched]:
    """A person drawn in code whose lip outlines and features follow one opening, as a tracked clip
    and as footage."""
    stand_in = SyntheticPerson(PRESETS["tiny"], frames)
    examples = mouth_set(stand_in, PRESETS["tiny"])
    height = stand_in.opening[examples.frames].unsqueeze(1)
    outlines = torch.linspace(0, 1, 80) * height + 0.01 * torch.randn(len(height), 80)
    views = torch.cat(
        [
            mouth_view(some.float(), PRESETS["tiny"].border).round().byte()
            for some in examples.observed.split(32)
        ]
    )
    person = Watched(views, outlines, examples.frames, stand_in.features, examples)
    return (
        sync_examples(
            SMALL, outlines[None], stand_in.features[None, : 2 * len(outlines)], [(person, None)]
        ),
        person,
    )


@pytest.mark.slow
def test_our_expert_learns_which_moment_of_sound_belongs_to_the_mouths() -> None:
    torch.manual_seed(0)
    given, person = taught()
    stage = expert_stage(SMALL)
    before = right_choices(stage.model, person)
    optimiser = torch.optim.Adam(stage.model.parameters(), lr=3e-3)
    for step in range(40):
        stage.model.train()
        chance = torch.Generator().manual_seed(step)
        terms = stage.loss(stage.batch(given, 4, chance), chance)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    assert right_choices(stage.model, person) > max(0.7, before + 0.1)


def test_frames_left_out_are_in_no_run() -> None:
    person = taught()[1]
    without = torch.zeros(120, dtype=torch.bool)
    without[40:50] = True
    starts = person.runs(20, without)
    assert len(starts)
    assert not any(bool(without[person.frames[row : row + 20]].any()) for row in starts.tolist())


def test_our_expert_hears_neither_face_nor_voice_only_motion() -> None:
    expert = LipExpert(SMALL)
    codes = torch.randn(3, SMALL.frames, SMALL.code)
    torch.testing.assert_close(
        expert.windows(codes), expert.windows(3 * codes + torch.randn(3, 1, SMALL.code))
    )
    features = torch.randn(60, SMALL.channels)
    own = expert.encode_audio(audio_window(features, torch.tensor([10]), SMALL.frames))
    ahead = features.clone()
    ahead[2 * (10 + SMALL.frames - 1) + 16 :] = 0
    torch.testing.assert_close(
        own, expert.encode_audio(audio_window(ahead, torch.tensor([10]), SMALL.frames))
    )


def test_both_experts_are_asked_alike() -> None:
    features, mel, first = (
        torch.randn(200, SMALL.channels),
        torch.randn(80, 400),
        torch.tensor([3, 20]),
    )
    for expert in (LipExpert(SMALL), SyncExpert(SyncConfig(divide=16)).eval()):
        mouths = torch.rand(2, 3, expert.frames, 48, 96)
        seen, heard = (
            expert.encode_lower_faces(mouths),
            expert.encode_audio(expert.audio_windows(mel, features, first)),
        )
        assert seen.shape == heard.shape
        torch.testing.assert_close(seen.norm(dim=1), torch.ones(2))
        assert bool(expert.loss(heard, heard, seen) < expert.loss(heard, seen, heard))


def test_a_judge_of_either_kind_teaches_the_lips_in_the_face_stage() -> None:
    config = dataclasses.replace(
        PRESETS["tiny"], loss=dataclasses.replace(PRESETS["tiny"].loss, sync=1.0)
    )
    examples = mouth_set(SyntheticPerson(config, 40), config)
    for make in (lambda: LipExpert(SMALL), lambda: SyncExpert(SyncConfig(divide=16))):
        # A quarter of the seeds make a published expert of this size that no face moves.
        torch.manual_seed(4)
        judge = make()
        stage = stages(config, begun(config, examples), judge.eval().requires_grad_(False))[1]
        batch = stage.batch(examples, 5, torch.Generator().manual_seed(0))
        assert len(batch["observed"]) == judge.frames
        stage.loss(batch, torch.Generator())["sync"].backward()
        model = stage.model
        assert isinstance(model, Speech2LipModel)
        assert float(model.lip.out.weight.grad.abs().sum()) > 0


def test_runs_of_more_frames_keep_away_from_cuts() -> None:
    examples = mouth_set(SyntheticPerson(PRESETS["tiny"], 40), PRESETS["tiny"])
    cut = dataclasses.replace(
        examples, runs=torch.tensor([r for r in examples.runs.tolist() if not 15 <= r + 4 < 19])
    )
    assert cut.runs_of(5).tolist() == cut.runs.tolist()
    assert cut.runs_of(8).tolist() == [
        r for r in range(len(cut.frames) - 7) if not any(r < border < r + 8 for border in (15,))
    ]


def test_outlines_know_no_place_size_roll_or_side() -> None:
    points = torch.randn(6, 478, 2)
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    numbers = list(range(478))
    torch.testing.assert_close(
        lip_outline(points, numbers),
        lip_outline(3 * points @ turn.T + 7, numbers),
        atol=1e-4,
        rtol=1e-4,
    )
    outline = lip_outline(points, numbers).unflatten(1, (40, 2))
    torch.testing.assert_close(outline[:, 0, 0], -outline[:, 10, 0])
    torch.testing.assert_close(outline[:, 0, 1], outline[:, 10, 1])


def test_an_expert_that_has_not_learnt_does_not_teach(tmp_path: Path) -> None:
    config = SyncConfig(divide=16)
    for share in (0.6, 0.9):
        save_checkpoint(
            tmp_path / f"{share}.safetensors",
            SyncExpert(config).state_dict(),
            config,
            {"right_choices": {"ada": share}},
            half=True,
        )
    assert load_expert(tmp_path / "0.6.safetensors", least=0.75) is None
    found = load_expert(tmp_path / "0.9.safetensors", least=0.75)
    assert found is not None
    assert not any(p.requires_grad for p in found.parameters())
    assert load_expert(tmp_path / "0.6.safetensors") is not None


def test_windows_past_the_ends_hold_the_edge() -> None:
    mel = torch.arange(40.0).expand(80, 40)
    assert torch.equal(mel_window(mel, 11)[0, -3:], torch.tensor([39.0, 39.0, 39.0]))
    assert float(mel_window(mel, 2)[0, 0]) == int(80 * 2 / 25)
