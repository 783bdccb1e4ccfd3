"""The on-disk format: what goes in comes out, masks and facts included; broken files are typed
errors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.data.clip import (
    Interval,
    Recording,
    RecordingFacts,
    RecordingFile,
    load_clip,
    save_clip,
)
from motet.data.corpus import (
    SHIPPABLE,
    Corpus,
    CorpusWriter,
    corpus_summary,
    index_folder,
    save_indexed,
)
from motet.errors import AssetError, ConfigError, InputError, MotetError
from motet.types import Audio, Motion, MotionSpace, Track, arkit_space


def recording(
    name: str = "one", frames: int = 30, seed: int = 0, licence: str = "CC-BY-4.0", **facts
) -> Recording:
    random = torch.Generator().manual_seed(seed)
    values = torch.rand(frames, 55, generator=random)
    sound = torch.rand(frames * 640, generator=random) * 1.8 - 0.9
    known = {
        "source": "made up",
        "phones": (Interval(0.0, 0.1, "sil"), Interval(0.1, 0.3, "a")),
        "settings": {"lag_s": 0.04, "deep": {"a": [1, 2]}},
    }
    return Recording(
        RecordingFacts(name=name, licence=licence, **{**known, **facts}),
        Motion(values, arkit_space()),
        Audio.mono(sound, 16_000),
        torch.rand(frames, generator=random) > 0.2,
        torch.rand(55, generator=random) > 0.2,
    )


def test_round_trip_keeps_everything(tmp_path):
    one, two = recording("one", seed=1), recording("two", 7, 2, split="test")
    path = save_clip(tmp_path / "clips.safetensors", [one, two])
    file = RecordingFile(path)
    assert len(file) == 2
    for number, given_one in enumerate((one, two)):
        back = file.read(number)
        assert back.facts == given_one.facts
        assert (back.motion.values - given_one.motion.values).abs().max() < 5e-4
        assert back.motion.space == given_one.motion.space
        assert (back.audio.samples - given_one.audio.samples).abs().max() <= 1 / 32768
        assert torch.equal(back.valid, given_one.valid)


def test_a_written_file_is_written_the_same_again(tmp_path):
    first = save_clip(tmp_path / "a.safetensors", recording())
    second = save_clip(tmp_path / "b.safetensors", load_clip(first))
    assert first.read_bytes() == second.read_bytes()


def test_other_spaces_and_no_sound(tmp_path):
    space = MotionSpace("toy", (Track("pose", (2, 3), "rad"), Track("root", (3,), "m")), 30.0)
    bare = Recording(
        RecordingFacts(name="x", licence="MIT", source="toy"), Motion(torch.rand(4, 9), space)
    )
    back = load_clip(save_clip(tmp_path / "x.safetensors", bare))
    assert back.audio is None and back.valid_frames is None and back.motion.space == space
    assert back.valid.all()


def test_the_clip_view_carries_the_facts():
    clip = recording().clip()
    assert clip.provenance["licence"] == "CC-BY-4.0"
    assert clip.motion.frames == 30


def test_nothing_appears_when_writing_fails(tmp_path):
    bad = recording()
    bad.motion.values[3, 3] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        save_clip(tmp_path / "x.safetensors", bad)
    with pytest.raises(InputError, match="no recordings"):
        save_clip(tmp_path / "x.safetensors", [])
    stereo = dataclasses.replace(recording(), audio=Audio(torch.zeros(2, 100), 16_000, "stereo"))
    with pytest.raises(InputError, match="mono"):
        save_clip(tmp_path / "x.safetensors", stereo)
    assert list(tmp_path.iterdir()) == []


def test_masks_must_fit():
    with pytest.raises(AssetError, match="55 channels"):
        dataclasses.replace(recording(), valid_channels=torch.ones(54, dtype=torch.bool))


def test_times_must_run_forward():
    with pytest.raises(ConfigError, match="before it starts"):
        recording(words=(Interval(1.0, 0.5, "word"),))


@pytest.mark.parametrize("number", [-1, 1, 99])
def test_unknown_number(tmp_path, number):
    path = save_clip(tmp_path / "x.safetensors", recording())
    with pytest.raises(AssetError, match="there is no number"):
        load_clip(path, number)


def test_missing_and_foreign_files(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(AssetError, match="no file of recordings"):
        load_clip(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(AssetError, match="something else"):
        load_clip(tmp_path / "foreign.safetensors")


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> bytes:
    return save_clip(
        tmp_path_factory.mktemp("clips") / "x.safetensors", recording(frames=4)
    ).read_bytes()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_typed_errors_or_still_whole(tmp_path, stored, data):
    """Cut or overwrite anything: either a recording of the right shape comes out or an AssetError,
    never another exception."""
    broken = bytearray(stored)
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(broken) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            broken[data.draw(st.integers(0, min(len(broken) - 1, 4000)))] = data.draw(
                st.integers(0, 255)
            )
    path = tmp_path / "broken.safetensors"
    path.write_bytes(bytes(broken))
    try:
        back = load_clip(path)
    except MotetError as error:
        assert isinstance(error, AssetError) and "\n" not in str(error)
    else:
        assert torch.isfinite(back.motion.values).all()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda head: head[0]["facts"].update(licence=3), "malformed"),
        (lambda head: head[0]["facts"].update(surprise=1), "surprise"),
        (lambda head: head[0]["facts"].update(split="sometimes"), "malformed"),
        (lambda head: head[0].update(frames=99), "expected"),
        (lambda head: head[0].update(samples=5), "expected"),
        (lambda head: head[0].update(sample_rate=-5), "sample rate"),
        (lambda head: head[0]["space"].update(fps=0), "space"),
        (lambda head: head[0]["space"]["tracks"][0].update(shape=[-1]), "space"),
        (lambda head: head[0]["space"].update(tracks=[]), "space"),
        (lambda head: head[0]["facts"].update(settings=[1]), "settings"),
        (lambda head: head.clear(), "lists no recordings"),
    ],
)
def test_inconsistent_facts(tmp_path, change, message):
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = save_clip(tmp_path / "x.safetensors", recording())
    with safe_open(str(path), framework="pt") as file:
        metadata, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    heads = json.loads(metadata["recordings"])
    change(heads)
    save_file(tensors, path, {**metadata, "recordings": json.dumps(heads)})
    with pytest.raises(AssetError, match=message):
        load_clip(path)


def small_corpus(folder: Path) -> Corpus:
    writer = CorpusWriter(folder, seconds_per_file=2.0)
    for k, licence in enumerate(["CC-BY-4.0", "CC-BY-SA-3.0", "MIT", "private"]):
        split = "test" if k == 2 else "train"
        writer.add(
            recording(f"r{k}", seed=k, licence=licence, speaker=f"s{k % 2}", split=split), "group"
        )
    writer.flush("group")
    return Corpus(folder)


def test_corpus_filters_by_licence_speaker_and_split(tmp_path):
    corpus = small_corpus(tmp_path)
    assert len(corpus) == 4 and len({e.file for e in corpus.entries}) == 2
    assert [e.facts.name for e in corpus.select(licences=SHIPPABLE)] == ["r0", "r2"]
    assert [e.facts.name for e in corpus.select(licences=SHIPPABLE, split="train")] == ["r0"]
    assert [e.facts.name for e in corpus.select(speaker="s1")] == ["r1", "r3"]
    assert [r.facts.name for r in corpus] == ["r0", "r1", "r2", "r3"]
    assert torch.allclose(
        corpus.read(corpus.entries[3]).motion.values,
        recording("r3", seed=3).motion.values,
        atol=5e-4,
    )


def test_corpus_grows_and_replaces_groups(tmp_path):
    small_corpus(tmp_path)
    writer = CorpusWriter(tmp_path)
    old = writer.remove_group("group")
    writer.add(recording("fresh"), "group")
    writer.flush("group")
    assert [e.facts.name for e in Corpus(tmp_path).entries] == ["fresh"]
    assert Corpus(tmp_path).entries[0].file not in [f.name for f in old]


def test_loose_files_become_a_corpus(tmp_path):
    for name in ("b", "a"):
        save_clip(tmp_path / f"{name}.safetensors", recording(name, seed=ord(name)))
    assert [entry.file for entry in index_folder(tmp_path)] == ["a.safetensors", "b.safetensors"]
    assert [r.facts.name for r in Corpus(tmp_path)] == ["a", "b"]
    save_clip(tmp_path / "c.safetensors", recording("a"))
    with pytest.raises(InputError, match="'a'"):
        index_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no clip file"):
        index_folder(tmp_path / "empty")


def test_corpus_refuses_equal_names(tmp_path):
    writer = CorpusWriter(tmp_path)
    writer.add(recording("twin"), "g")
    writer.add(recording("twin"), "g")
    with pytest.raises(InputError, match="twin"):
        writer.flush("g")


_HEAD = '{"format":"motet-recordings","version":'


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\x00", _HEAD + '9,"entries":[]}', _HEAD + '1,"entries":[{}]}']
)
def test_broken_index(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(AssetError, match="build"):
        Corpus(tmp_path)


def test_index_cannot_point_outside(tmp_path):
    small_corpus(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["entries"][0]["file"] = "../secret.safetensors"
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(AssetError, match="outside"):
        Corpus(tmp_path)
    with pytest.raises(AssetError, match="no corpus"):
        Corpus(tmp_path / "nowhere")


def test_single_files_become_a_corpus_that_can_be_read(tmp_path):
    save_indexed(tmp_path / "a.safetensors", recording("a"))
    save_indexed(tmp_path / "b.safetensors", recording("b", 40))
    save_indexed(tmp_path / "a.safetensors", recording("a", 50))
    corpus = Corpus(tmp_path)
    assert {e.facts.name: e.seconds for e in corpus.entries} == {"a": 2.0, "b": 1.6}
    with pytest.raises(InputError, match="'a'"):
        save_indexed(tmp_path / "c.safetensors", recording("a"))
    assert not (tmp_path / "c.safetensors").exists()
    assert "2 recordings, 0.00 h" in corpus_summary(tmp_path)
