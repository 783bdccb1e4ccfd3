"""Takes of any length: they begin in a pose, chain, and know which sound they attend to."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.body.skeleton import heading, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.data.training_set import SpatialItem, SpatialSet
from motet.errors import AssetError, ConfigError
from motet.geometry.rotation import rotation_6d_rows
from motet.methods.mospa import sound_events
from motet.methods.mospa.config import PRESETS, MospaCondition
from motet.methods.mospa.generate import build
from motet.methods.mospa.item_progress import REACTION, ItemProgress, held_before, plan_window
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.loss import training_loss
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_classifier import SoundKind
from motet.methods.mospa.start_pose import read_start, standing_start
from motet.methods.mospa.training_draws import draw_attended, draw_known
from motet.types import Audio, Motion
from tests.methods.mospa.test_mospa import TINY, body_vectors, noise_sound, tiny


def moving_model() -> MospaModel:
    """A model whose new parts are not zero."""
    torch.manual_seed(3)
    model = MospaModel(TINY)
    torch.nn.init.normal_(model.embed_known.weight)
    torch.nn.init.normal_(model.embed_role)
    return model.eval().requires_grad_(False)


def test_a_take_begins_standing_at_the_origin() -> None:
    motion = tiny().run(noise_sound(1.0), MospaCondition(), (0,)).item(0)
    pose = pose_body(motion)
    torch.testing.assert_close(motion["root"][0], standing_root(), atol=1e-5, rtol=0)
    assert float(heading(pose.turn("pelvis")[0]).abs()) < 1e-5
    rows = rotation_6d_rows(standing_rotations())
    torch.testing.assert_close(motion["joints"][0], rows, atol=1e-5, rtol=0)


def test_takes_chain(tmp_path: Path) -> None:
    method = tiny()
    first = method.run(noise_sound(1.5), MospaCondition(source="60,0,2"), (1,)).item(0)
    path = tmp_path / "take.npz"
    np.savez(path, root=first["root"].numpy(), joints=first["joints"].numpy())
    second = method.run(noise_sound(1.0, 5), MospaCondition(start=str(path)), (2,)).item(0)
    torch.testing.assert_close(second.values[0], first.values[-1], atol=1e-4, rtol=0)
    step = pose_body(Motion.joined([first, second])).positions.diff(dim=0).norm(dim=-1).amax(-1)
    assert float(step[first.frames - 1]) < 1e-3 and float(step[first.frames]) < 0.3


def test_the_start_is_read_in_smplx_order_and_wrong_files_are_refused(tmp_path: Path) -> None:
    poses = np.zeros((3, 55, 3), np.float32)
    poses[-1, 0, 1] = 0.7
    np.savez(tmp_path / "body.npz", poses=poses, trans=np.array([[0, 0.9, 0]] * 2 + [[1, 0.9, 2]]))
    start = read_start(tmp_path / "body.npz")
    assert start.angle == pytest.approx(0.7, abs=1e-5) and start.shift == (1.0, 2.0)
    world = start.placed(start.vector.view(1, 1, -1))
    torch.testing.assert_close(world[0, 0, :3], torch.tensor([1.0, 0.9, 2.0]))
    standing = standing_start()
    assert standing.placed(standing.vector.view(1, 1, -1)) is not None
    np.savez(tmp_path / "face.npz", blendshapes=np.zeros((3, 52)))
    np.savez(tmp_path / "nan.npz", root=np.full((2, 3), np.nan), joints=np.zeros((2, 25, 6)))
    for name in ("face.npz", "nan.npz", "missing.npz"):
        with pytest.raises(AssetError):
            read_start(tmp_path / name)


def test_the_network_sees_known_frames_clean_and_knows_which_they_are() -> None:
    model = moving_model()
    motion = model.normalised(body_vectors(48, 4, (1,)).float())
    conditions = model.embed_conditions(
        torch.zeros(1, 48, 68), torch.zeros(1, 48, 4), torch.tensor([1])
    )
    step, noise = torch.tensor([50]), torch.randn(1, 48, 300)
    known = KnownFrames.first(motion[:, :12], 48)
    seen = model.estimate(noise, step, conditions, known)
    other = KnownFrames.first(motion[:, :12] + 1, 48)
    unseen = model.estimate(noise, step, conditions)
    assert float((seen - unseen)[:, 12:].abs().max()) > 1e-3
    assert float((model.estimate(noise, step, conditions, other) - seen).abs().max()) > 1e-3
    same = noise.clone()
    same[:, :12] += 5  # what is noisy there does not count
    torch.testing.assert_close(model.estimate(same, step, conditions, known), seen)


def test_speakers_and_listeners_differ() -> None:
    model = moving_model()
    audio, source = torch.zeros(1, 48, 68), torch.zeros(1, 48, 4)
    rows = [
        model.embed_conditions(audio, source, torch.tensor([1]), role=torch.tensor([role])).tokens
        for role in (0, 1)
    ]
    assert float((rows[0] - rows[1]).abs().max()) > 1e-2
    with pytest.raises(ConfigError, match="is the sound source"):
        MospaCondition(role="speaker", source="0,0,1").check(TINY)
    with pytest.raises(ConfigError, match="no speakers"):
        MospaCondition(role="speaker").check(dataclasses.replace(TINY, roles=False))


def batch(size: int = 4, frames: int = 48) -> dict[str, torch.Tensor]:
    return {
        "motion": body_vectors(frames, 5, (size,)).float(),
        "audio": torch.randn(size, frames, 68),
        "source": torch.tensor([1.0, 0.5, 2.0]).expand(size, frames, 3).clone(),
        "genre": torch.tensor([0, 1, 2, 1])[:size],
        "role": torch.tensor([0, 0, 1, 0])[:size],
        "attended": torch.full((size, frames), 2),
    }


def test_prefixes_of_all_kinds_are_drawn() -> None:
    model = MospaModel(TINY)
    clean = body_vectors(48, 6, (200,)).float()
    known = draw_known(model, clean, torch.Generator().manual_seed(0))
    counts = known.mask.sum(1)
    assert (counts == 0).any() and (counts == 1).any()
    assert int(counts.max()) == TINY.overlap and len(counts.unique()) > 2
    assert (known.mask.long().diff(dim=1) <= 0).all(), "prefixes"
    item = int((counts == TINY.overlap).nonzero()[0])
    last = known.motion[item, TINY.overlap - 1]
    assert float(last[225:].abs().max()) == 0, "the last known velocity leads to an unknown frame"
    torch.testing.assert_close(known.motion[item, 0], clean[item, 0])


def test_windows_drawn_for_an_event_know_what_the_figure_did_until_its_reaction() -> None:
    item = SpatialItem(
        "a0", body_vectors(120, 3).float(), torch.zeros(120, 68), torch.zeros(120, 3), 0,
        events=(4, 50, 115),
    )  # fmt: skip
    before = TINY.overlap - REACTION
    drawn = SpatialSet((item,)).draw(
        200,
        48,
        torch.Generator().manual_seed(0),
        at_events=0.5,
        before_event=before,
    )
    event = drawn["event"]
    assert 0.3 < float((event >= 0).float().mean()) < 0.7
    # The event of frame 50 with enough before it, that of frame 4 as near to the start as it is;
    # after the one of frame 115 there is no whole window.
    assert set(event[event >= 0].tolist()) <= {2, 3, 4, *range(before - 2, before + 3)}
    clean = drawn["motion"]
    counts = draw_known(MospaModel(TINY), clean, torch.Generator().manual_seed(1), event).mask.sum(
        1
    )
    expected = (event + REACTION).clamp(max=TINY.overlap)
    assert torch.equal(counts[event >= 0], expected[event >= 0])


def test_sources_are_known_as_they_are_when_generating() -> None:
    source = torch.tensor([0.0, 0.5, 2.0]).expand(300, 48, 3).clone()
    attended = torch.ones(300, 48, dtype=torch.long)
    attended[:, 20:] = 2
    attended[0] = 0
    seen = draw_attended(source, attended, torch.Generator().manual_seed(1))
    assert float(seen[0].abs().max()) == 0
    told = seen[1:, 0].norm(dim=-1) > 0
    assert 0.3 < float(told.float().mean()) < 0.7
    torch.testing.assert_close(seen[1:][told][:, 40], source[1:][told][:, 40])
    angles = torch.atan2(seen[1:, 40, 0], seen[1:, 40, 2])
    assert 0.1 < float(angles[~told].std()) < 0.25 and float(angles[told].abs().max()) < 1e-6
    steps = seen.diff(dim=1).norm(dim=-1).max()
    assert float(steps) < 0.8, "no frame jumps to the new source"


def test_training_learns_from_what_is_not_known() -> None:
    torch.manual_seed(0)
    model = MospaModel(TINY)
    terms = training_loss(model, batch(), torch.Generator().manual_seed(2), torch.zeros(25, 3))
    sum(terms.values()).backward()
    for name in ("embed_known.weight", "embed_role"):
        assert float(model.get_parameter(name).grad.abs().max()) > 0, name


def bursts(*moments: tuple[float, int], seconds: float = 6.0) -> Audio:
    """Half a second of noise at each moment, louder and earlier in one ear."""
    rate = 30720
    samples = 1e-4 * torch.randn(
        2, round(seconds * rate), generator=torch.Generator().manual_seed(0)
    )
    for moment, ear in moments:
        start = round(moment * rate)
        sound = 0.3 * torch.randn(rate // 2, generator=torch.Generator().manual_seed(start))
        samples[ear, start : start + rate // 2] += sound
        samples[1 - ear, start + 20 : start + 20 + rate // 2] += 0.35 * sound
    return Audio(samples, rate, "binaural")


def test_events_are_found_where_and_when_they_are() -> None:
    found = sound_events.find_events(bursts((1.0, 0), (4.0, 1)))
    assert [round(event.seconds, 1) for event in found] == [1.0, 4.0]
    assert found[0].azimuth_deg > 30 > -30 > found[1].azimuth_deg
    again = sound_events.find_events(bursts((1.0, 0), (2.5, 0), (4.0, 0)))
    assert len(again) == 1, "the same sound from the same side is one event"
    assert len(sound_events.onsets(bursts((1.0, 0), (2.5, 0), (4.0, 0)))) == 3
    assert not sound_events.find_events(bursts())


def test_a_sound_that_goes_on_is_no_event_in_the_next_window() -> None:
    audio = bursts((0.0, 0), (1.5, 1))
    assert len(sound_events.find_events(audio)) == 2
    assert len(sound_events.find_events(audio, continues=True)) == 1
    right = sound_events.Attention(-76.0)
    assert not sound_events.find_events(audio, right, continues=True)


def test_after_a_pause_the_same_side_is_another_event() -> None:
    assert len(sound_events.find_events(bursts((0.5, 0), (3.0, 0)))) == 2
    assert len(sound_events.find_events(bursts((0.5, 0), (2.0, 0)))) == 1


def kinds(*families: str) -> sound_events.KindOf:
    """Each onset that is asked about is of the next of these families."""
    coming, known = iter(families), dict[float, str]()

    def kind_of(start: float, stop: float) -> SoundKind:
        assert stop > start
        family = known[start] if start in known else known.setdefault(start, next(coming))
        return SoundKind(family, family, 0.9)

    return kind_of


def test_an_alarm_from_the_same_side_is_another_event() -> None:
    audio = bursts((0.5, 0), (2.0, 0), (3.5, 0))
    found = sound_events.find_events(audio, kind_of=kinds("greet", "greet", "flee"))
    assert [round(event.seconds, 1) for event in found] == [0.5, 3.5]
    assert [event.kind.family for event in found if event.kind] == ["greet", "flee"]


def test_a_voice_that_pauses_is_one_event() -> None:
    audio = bursts((0.5, 0), (3.0, 0), (5.2, 0))
    assert len(sound_events.find_events(audio, kind_of=kinds("greet", "greet", "greet"))) == 1
    assert len(sound_events.find_events(audio, kind_of=kinds("greet", "attend", "attend"))) == 2


def test_one_voice_whose_direction_wavers_is_one_event_and_its_end_none() -> None:
    speech, other = SoundKind("speech", "greet", 0.9), SoundKind("bark", "avoid", 0.9)
    level = np.full(200, -20.0)
    level[105:] = -70.0  # silent 0.1 s after the moment that is asked about
    wavers, moment = 1.3, 2.0
    assert sound_events._goes_on(np.full(200, -20.0), moment, wavers, speech, "greet")
    assert not sound_events._goes_on(np.full(200, -20.0), moment, wavers, other, "greet")
    assert sound_events._goes_on(level, moment, wavers, other, "greet"), "it is the end"
    level[100:105] = -5.0
    assert not sound_events._goes_on(level, moment, wavers, other, "greet"), "it is a bang"


def test_a_given_source_that_moves_is_one_event_and_a_jump_another() -> None:
    audio = bursts((0.5, 0), (1.5, 0), (2.5, 0), (3.5, 0))
    moves = sound_events.find_events(audio, bearing=lambda moment: -80 + 40 * moment)
    assert len(moves) == 1 and moves[0].azimuth_deg == pytest.approx(-56, abs=2)
    jumps = sound_events.find_events(audio, bearing=lambda t: -60.0 if t < 2.5 else 60.0)
    assert [round(event.azimuth_deg) for event in jumps] == [-60, 60]
    assert abs(jumps[1].seconds - 2.5) < 0.2


def test_the_direction_is_that_of_what_is_new() -> None:
    rate, noise = 30720, torch.Generator().manual_seed(1)
    hum = 0.1 * torch.sin(torch.arange(4 * rate) * (2 * math.pi * 300 / rate))
    samples = torch.stack([hum, hum]) + 1e-4 * torch.randn(2, 4 * rate, generator=noise)
    bang = 0.25 * torch.randn(rate // 2, generator=noise)
    samples[1, 2 * rate : 2 * rate + rate // 2] += bang
    samples[0, 2 * rate + 20 : 2 * rate + 20 + rate // 2] += 0.3 * bang
    found = sound_events.find_events(Audio(samples, rate, "binaural"))
    assert len(found) == 2 and found[1].azimuth_deg < -30


def item(known: int, attended: np.ndarray | None = None) -> ItemProgress:
    return ItemProgress(torch.zeros(0, 300), known, 1, torch.zeros(known, 300), attended, attended)


def test_a_window_ends_where_the_next_event_begins() -> None:
    events = sound_events.find_events(bursts((1.0, 0), (4.0, 1)))
    first = plan_window(events, ItemProgress(torch.zeros(0, 300)), 180, 172, 30.0)
    assert first.stop == 35 and first.event == 30 and np.isnan(first.rows).all()
    assert first.attended is not None and first.attended[0] > 0 and first.before is None
    second = plan_window(events, item(35, first.attended), 180, 172, 30.0)
    assert second.stop == 125 and second.attended is not None and second.attended[0] < 0
    np.testing.assert_array_equal(second.before, first.attended)
    last = plan_window(events, item(125, second.attended), 180, 172, 30.0)
    assert last.stop == 172 and last.event is None
    np.testing.assert_array_equal(last.attended, second.attended)


def test_what_begins_with_the_next_window_is_not_seen() -> None:
    features = torch.arange(100.0).unsqueeze(1).expand(-1, 3)
    held = held_before(features, 60)
    torch.testing.assert_close(held[:60], features[:60])
    assert float(held[60:].max()) < 60 and len(held) == 100
    assert held_before(features, 100) is features
    assert len(held_before(features, 1)) == 100


def test_a_take_attends_to_events_over_window_borders() -> None:
    method = tiny()
    audio = bursts((0.5, 0), (3.0, 1), seconds=4.5)
    samples = audio.samples.unsqueeze(0)
    state = method.begin(MospaCondition(), (0,))
    out, state = method.step(state, Audio(samples, 30720, "binaural"))
    assert out.frames > TINY.window
    attended = state.items[0].attended
    assert attended is not None and attended[0] < 0


def test_items_with_other_events_do_not_disturb_each_other() -> None:
    method = tiny()
    sounds = [bursts((0.5, 0), (3.0, 1), seconds=4.5), bursts((1.4, 1), seconds=4.5)]
    both = torch.stack([sound.samples for sound in sounds])
    together = method.run(Audio(both, 30720, "binaural"), MospaCondition(), (3, 4))
    for row, sound in enumerate(sounds):
        single = Audio(sound.samples.unsqueeze(0), 30720, "binaural")
        alone = method.run(single, MospaCondition(), (3 + row,)).item(0)
        torch.testing.assert_close(together.item(row).values, alone.values, atol=2e-2, rtol=0)


def test_models_without_known_frames_stay_as_they_are() -> None:
    for name in ("published", "published_steps100", "published_steps4", "tiny_published"):
        config = PRESETS[name]
        assert not (config.known_frames or config.roles or config.events)
    method = build(PRESETS["tiny_published"], None, {})
    assert method.begin(MospaCondition(), (0,)).start is None
    with pytest.raises(ConfigError):
        dataclasses.replace(PRESETS["published"], known_frames=True)


def test_items_without_attention_attend_always() -> None:
    from motet.data.training_set import spatial_window

    item = SpatialItem(
        "a1", body_vectors(60).float(), torch.zeros(60, 68), torch.zeros(60, 3), 1, ears=1
    )
    cut = spatial_window(item, 0, 40)
    assert cut["attended"].tolist() == [2] * 40 and int(cut["role"]) == 0
