"""Sessions on a person's folder: real pixels stay where no mouth is drawn, silence brings rest,
colours follow the frame."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.checkpoint import save_checkpoint
from motet.errors import AssetError, ConfigError
from motet.methods.speech2lip.config import PRESETS, Speech2LipCondition
from motet.methods.speech2lip.generate import Speaker, build
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Box, Person, write_facts
from motet.methods.speech2lip.person.mouth_region import Mouth, keep_filmed, warp_lips
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.speech_activity import HOLD, speech_activity
from motet.types import Audio

TINY = PRESETS["tiny"]


def model() -> Speech2LipModel:
    torch.manual_seed(0)
    made = Speech2LipModel(TINY).requires_grad_(False)
    made.lip.out.weight.mul_(6)  # random weights draw faint mouths
    return made


def speech(seconds: float, level: float = 0.2) -> Audio:
    return Audio(
        level
        * torch.randn(1, 1, round(seconds * 16000), generator=torch.Generator().manual_seed(0)),
        16000,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    person = SyntheticPerson(TINY, 60)
    person.write(tmp_path / "ada")
    save_checkpoint(tmp_path / "ada" / "weights.safetensors", model().state_dict(), TINY, {})
    return tmp_path / "ada"


def test_a_fitted_person_speaks_and_only_the_mouth_changes(folder: Path) -> None:
    method = build(TINY, None, {})
    frames = method.run(speech(2.0), Speech2LipCondition(person=str(folder)), (0,)).rgb[0].numpy()
    assert frames.shape == (50, 48, 48, 3)
    person = Person(folder)
    mouth = Mouth(person, TINY)
    width, height = mouth.size
    changed = 0
    for index in range(0, 50, 7):
        filmed = person.crops.frame(index)
        left, top = int(mouth.left[index]), int(mouth.top[index])
        difference = np.abs(frames[index].astype(int) - filmed)
        changed += int(difference[top : top + height, left : left + width].sum())
        difference[top : top + height, left : left + width] = 0
        assert difference.max() == 0
    assert changed > 0


def test_fine_edges_of_the_filmed_lips_do_not_stay_in_the_drawn_ones(folder: Path) -> None:
    person, facts = (
        Person(folder),
        dataclasses.replace(
            SyntheticPerson(TINY, 60).facts, scene=(96, 96), crop=Box(0, 0, 96, 96)
        ),
    )

    class Fine:
        """The same person filmed twice as fine, with grain that the crops do not have."""

        def __init__(self, grain: int) -> None:
            self.facts, self.track, self.geometry, self.crops, self.scene, self.grain = (
                facts,
                person.track,
                person.geometry,
                person.crops,
                self,
                grain,
            )

        def frame(self, index: int) -> np.ndarray:
            row, column = np.mgrid[:96, :96]
            grain = self.grain * (2 * ((row + column) % 2) - 1)[..., None]
            return (
                person.crops.frame(index).repeat(2, 0).repeat(2, 1).clip(40, 215) + grain
            ).astype(np.uint8)

    heard = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    plain, grained = (
        Speaker(Fine(grain), model()).pictures(heard, torch.arange(2)).int() for grain in (0, 20)
    )
    kept = (plain - grained).abs().amax(-1)
    mouth = Mouth(person, TINY)
    middle = facts.lip.top + facts.lip.height // 2, facts.lip.left + facts.lip.width // 2
    assert (
        int(
            kept[
                :, 2 * middle[0] - 3 : 2 * middle[0] + 3, 2 * middle[1] - 3 : 2 * middle[1] + 3
            ].max()
        )
        <= 2
    )
    assert int(kept[0, : 2 * int(mouth.top[0])].min()) >= 19


def test_the_whole_picture_keeps_its_size_and_what_lies_outside_the_crop(folder: Path) -> None:
    person = Person(folder)
    scene = SyntheticPerson(TINY, 60)
    facts = dataclasses.replace(scene.facts, scene=(110, 100), crop=Box(6, 2, 96, 96))

    class Wide:
        """The same person filmed from afar: a scene twice as fine around the crop."""

        def __init__(self) -> None:
            self.facts, self.track, self.geometry, self.crops, self.scene = (
                facts,
                person.track,
                person.geometry,
                person.crops,
                self,
            )

        def frame(self, index: int) -> np.ndarray:
            picture = np.full((100, 110, 3), 77, np.uint8)
            picture[2:98, 6:102] = person.crops.frame(index).repeat(2, 0).repeat(2, 1)
            return picture

    wide = Wide()
    drawn = Speaker(wide, model()).pictures(torch.randn(4, 8), torch.arange(4)).numpy()
    assert drawn.shape == (4, 100, 110, 3)
    filmed = np.stack([wide.frame(k) for k in range(4)])
    assert (drawn[:, :2] == 77).all()
    assert (drawn != filmed).any()
    assert (drawn[:, 2:30] == filmed[:, 2:30]).all()


def test_silence_brings_the_lips_to_rest(folder: Path) -> None:
    method = build(TINY, None, {})
    quiet = Audio(torch.zeros(1, 1, 16000 * 2), 16000)
    loop = Speech2LipCondition(person=str(folder), loop="hold")
    frames = (
        method.run(Audio(torch.cat([speech(1.0).samples, quiet.samples], -1), 16000), loop, (0,))
        .rgb[0]
        .float()
    )
    assert float((frames[45:] - frames[-1:]).abs().max()) <= 1
    assert float((frames[5:20] - frames[-1:]).abs().max()) > 3


def test_how_much_is_spoken_begins_at_once_and_fades() -> None:
    level = torch.full((60,), -90.0)
    level[20:30] = -20.0
    share = speech_activity(level, 0, 60, ahead=3)
    assert float(share[:16].max()) == 0
    assert (share[20 : 30 + HOLD - 1] == 1).all()
    assert bool((share[17:20].diff() > 0).all())
    assert bool((share[33:39].diff() < 0).all())
    assert float(share[45:].max()) == 0
    pieces = torch.cat(
        [speech_activity(level, start, start + 5, ahead=3) for start in range(0, 60, 5)]
    )
    assert torch.equal(pieces, share)


def test_the_mouth_turned_into_the_canonical_view_and_back_is_the_footage() -> None:
    person = SyntheticPerson(TINY, 30)
    mouth = Mouth(person, TINY)
    frames = [3, 11, 25]
    filmed = (
        torch.from_numpy(np.stack([person.frame(k) for k in frames])).movedim(-1, 1).float() / 255
    )
    lips = mouth.lips_seen(filmed, frames)
    observed = (
        torch.from_numpy(np.stack([mouth.cut(person.frame(k), k) for k in frames]))
        .movedim(-1, 1)
        .float()
        / 255
    )
    mixed, share = warp_lips(lips, mouth.mask, mouth.region(frames).mesh, observed)
    assert float(share.max()) > 0.9
    still, _ = warp_lips(
        mouth.canonical.expand(3, -1, -1, -1), mouth.mask, mouth.region(frames).mesh, observed
    )
    assert float((mixed - observed).abs().mean() / share.mean()) < 0.04
    assert float((mixed - observed).abs().mean()) < 0.3 * float((still - observed).abs().mean())
    untouched = keep_filmed(torch.zeros_like(observed), share, observed)[
        (share == 0).expand_as(observed)
    ]
    assert torch.equal(untouched, observed[(share == 0).expand_as(observed)])


def test_the_colour_of_the_skin_is_followed() -> None:
    person = SyntheticPerson(TINY, 30)
    mouth = Mouth(person, TINY)
    filmed = torch.from_numpy(person.frame(0)).movedim(-1, 0)[None].float() / 255
    plain, warm = (
        mouth.tone(filmed, [0]),
        mouth.tone(filmed * torch.tensor([1.1, 1.0, 0.9]).reshape(1, 3, 1, 1), [0]),
    )
    assert torch.allclose(plain, torch.ones(1, 3), atol=0.01)
    assert torch.allclose(warm / plain, torch.tensor([[1.1, 1.0, 0.9]]), atol=0.01)


def test_what_cannot_speak_says_why(folder: Path, tmp_path: Path) -> None:
    method = build(TINY, None, {})
    with pytest.raises(AssetError, match="not a person"):
        method.begin(Speech2LipCondition(person=str(tmp_path / "nobody")), (0,))
    with pytest.raises(ConfigError, match="60 frames"):
        method.begin(Speech2LipCondition(person=str(folder), start=60), (0,))
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ConfigError, match="motet fit"):
        method.begin(Speech2LipCondition(person=str(folder)), (0,))
    deep = dataclasses.replace(TINY, front="deepspeech")
    with pytest.raises(ConfigError, match="DeepSpeech"):
        build(deep, None, {}).begin(Speech2LipCondition(), (0,))


def test_another_shot_is_never_entered(folder: Path) -> None:
    person = Person(folder)
    write_facts(folder, dataclasses.replace(person.facts, cuts=(20,)))
    frames = (
        build(TINY, None, {})
        .run(speech(3.0), Speech2LipCondition(person=str(folder), start=25), (0,))
        .rgb[0]
        .numpy()
    )
    shot = np.stack([Person(folder).crops.frame(k)[:10] for k in range(20, 60)]).astype(int)
    assert all(np.abs(shot - frame[:10]).sum((1, 2, 3)).min() == 0 for frame in frames)
