from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.errors import AssetError, ConfigError, InputError, MotetError, SpaceError
from motet.export import FORMATS, check_ending, check_spaces, read_take, write_clip
from motet.types import ARKIT_SHAPES, Audio, Clip, Motion, MotionSpace, Track, arkit_space
from tests.export.takes import take


def test_every_ending_has_a_writer() -> None:
    for ending, kind in FORMATS.items():
        assert ending == ending.lower() and check_ending(f"a{ending.upper()}") is kind
        assert hasattr(kind.load(), "write") and hasattr(kind.load(), "read") == kind.reads
    for path, hint in (("a.jsn", "did you mean '.json'"), ("a", "no ending")):
        with pytest.raises(ConfigError, match=hint):
            check_ending(path)


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.npz", "a.glb", "a.mp4"])
def test_formats_that_hold_a_face(name: str) -> None:
    check_spaces(name, ["arkit"], "artalk")
    check_spaces(name, ["arkit", "smplx25"], "artalk,mospa")
    check_spaces(name, ["another"], "toy")


@pytest.mark.parametrize(
    ("name", "space", "hint"),
    [
        ("a.csv", "smplx25", "holds a face, toy generates a body"),
        ("a.JSON", "smplx25", "holds a face"),
        ("a.bvh", "arkit", "holds a body, toy generates a face"),
        ("a.amass.npz", "arkit", "amass.npz file holds a body"),
    ],
)
def test_formats_refuse_the_other_part(name: str, space: str, hint: str) -> None:
    with pytest.raises(SpaceError, match=hint):
        check_spaces(name, [space], "toy")


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 40),
    fps=st.sampled_from([23.976, 25.0, 29.97, 30.0, 60.0, 12.5]),
    rate=st.sampled_from([8_000, 44_100]),
    channels=st.integers(1, 2),
    sound=st.booleans(),
    seed=st.integers(0, 9),
)
def test_npz_is_the_take_again(
    tmp_path_factory: pytest.TempPathFactory,
    frames: int,
    fps: float,
    rate: int,
    channels: int,
    sound: bool,
    seed: int,
) -> None:
    clip = take(frames, fps, seed=seed, rate=rate, channels=channels, sound=sound)
    folder = tmp_path_factory.mktemp("npz")
    back = read_take(write_clip(clip, folder / "a.npz"))
    assert back.motion is not None and clip.motion is not None
    assert torch.equal(back.motion.values, clip.motion.values)
    assert back.motion.space == clip.motion.space
    assert back.provenance == clip.provenance
    assert (back.audio is None) == (clip.audio is None)
    if clip.audio is not None and back.audio is not None:
        assert (back.audio.sample_rate, back.audio.layout) == (rate, clip.audio.layout)
        assert (back.audio.samples - clip.audio.samples).abs().max() <= 2**-24
    again = write_clip(back, folder / "b.npz").read_bytes()
    assert again == write_clip(back, folder / "c.npz").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_npz_bytes_do_not_depend_on_the_time_or_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_clip(take(), tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr("time.localtime", lambda *_: (2031, 1, 2, 3, 4, 5, 0, 0, 0))
    assert write_clip(take(), tmp_path / "b.npz").read_bytes() == first
    assert write_clip(take(seed=1), tmp_path / "c.npz").read_bytes() != first


def test_npz_opens_with_numpy_alone(tmp_path: Path) -> None:
    clip = take(9)
    with np.load(write_clip(clip, tmp_path / "a.npz"), allow_pickle=False) as found:
        assert found["blendshapes"].shape == (9, 52) and found["head"].shape == (9, 3)
        assert found["blendshapes.channels"].tolist() == list(ARKIT_SHAPES)
        assert found["fps"] == 25 and found["space"] == "arkit" and found["seed"] == 7
        assert found["method"] == "artalk" and found["weights"] == "0123456789ab"
        assert json.loads(str(found["condition"])) == {"style": "warm"}


@pytest.mark.parametrize(
    "samples",
    [
        torch.tensor([[1.0, -1.0, 1.5]]),
        torch.rand(9, 50) - 0.5,
        torch.tensor([[0.5, -1.0]]),
        torch.full((1, 3), 2.0),
    ],
)
def test_sounds_beyond_full_scale_and_of_many_channels_come_back(
    tmp_path: Path, samples: torch.Tensor
) -> None:
    clip = dataclasses.replace(take(3), audio=Audio(samples, 16_000, "other"))
    back = read_take(write_clip(clip, tmp_path / "a.npz")).audio
    assert back is not None and back.samples.shape == samples.shape
    assert (back.samples - samples).abs().max() <= 2**-22


def test_any_space_is_written_by_its_names(tmp_path: Path) -> None:
    space = MotionSpace(
        "body",
        (Track("root", (3,), "m", ("x", "y", "z")), Track("joints", (4, 6), "rotation rows")),
        30.0,
    )
    clip = Clip(None, Motion(torch.rand(5, space.dim), space))
    back = read_take(write_clip(clip, tmp_path / "a.npz")).motion
    assert back is not None and back.space == space and torch.equal(back.values, clip.motion.values)  # type: ignore[union-attr]
    with pytest.raises(SpaceError, match="body -> arkit"):
        write_clip(clip, tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_live_link_file_has_the_layout_of_the_telephone(tmp_path: Path) -> None:
    clip = take(61, 30.0)
    assert clip.motion is not None
    path = write_clip(clip, tmp_path / "a.csv", fps=30.0)
    rows = list(csv.reader(path.read_text().splitlines()))
    head = rows[0]
    assert head[:4] == ["Timecode", "BlendshapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert len(head) == 2 + 52 + 9 and head[53:58] == [
        "TongueOut",
        "HeadYaw",
        "HeadPitch",
        "HeadRoll",
        "LeftEyeYaw",
    ]
    assert (
        head.index("JawRight") == head.index("JawLeft") - 1
        and head.index("MouthRight") == head.index("MouthLeft") - 1
    )
    assert [row[0] for row in rows[1:4]] == [
        "00:00:00:00.000",
        "00:00:00:02.000",
        "00:00:00:04.000",
    ]
    assert rows[61][0] == "00:00:02:00.000" and {row[1] for row in rows[1:]} == {"61"}
    jaw = [float(row[head.index("JawOpen")]) for row in rows[1:]]
    assert np.allclose(jaw, clip.motion.channel("blendshapes", "jawOpen"), atol=1e-7)


def test_angles_turn_the_way_they_say(tmp_path: Path) -> None:
    values = torch.zeros(3, 55)
    values[0, 52], values[1, 53], values[2, 54] = 0.3, 0.2, 0.1  # about x, y, z
    values[0, ARKIT_SHAPES.index("eyeLookOutLeft")] = values[
        0, ARKIT_SHAPES.index("eyeLookInRight")
    ] = 1
    path = write_clip(Clip(None, Motion(values, arkit_space())), tmp_path / "a.csv", fps=25.0)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert float(rows[0]["HeadPitch"]) == pytest.approx(0.3)
    # A turn about +Y goes to the character's left, one about +Z to the right shoulder: both
    # negative in the file.
    assert float(rows[1]["HeadYaw"]) == pytest.approx(-0.2) and float(
        rows[2]["HeadRoll"]
    ) == pytest.approx(-0.1)
    # Both eyes look to the character's left.
    assert float(rows[0]["LeftEyeYaw"]) == float(rows[0]["RightEyeYaw"]) == pytest.approx(-0.6)


# LookDown, LookIn, LookOut, LookUp of the left and of the right eye's columns, then yaw and pitch
# of both: rows of published recordings
# (repository alexdjulin/LiveLinkFace-CSV-Retarget-For-Motionbuilder, anim/alex_rom_3.csv and
# csv/apfel.csv).
RECORDED = [
    ((0.2249, 0.0733, 0, 0), (0.2251, 0.0308, 0, 0), (-0.01865, 0.13754, 0.04434, 0.13754)),
    ((0.2948, 0.0970, 0, 0), (0.2953, 0.0095, 0, 0), (-0.00570, 0.18042, 0.05830, 0.18041)),
    ((0, 0, 0.4959, 0.4056), (0, 0.5903, 0, 0.3978), (-0.35495, -0.18526, -0.29806, -0.18524)),
    ((0, 0, 0.5167, 0.4295), (0, 0.6099, 0, 0.4211), (-0.36600, -0.19692, -0.30989, -0.19691)),
]


@pytest.mark.parametrize("left,right,angles", RECORDED)
def test_eye_angles_are_those_of_real_recordings(
    tmp_path: Path, left: tuple, right: tuple, angles: tuple
) -> None:
    values = torch.zeros(1, 55)
    for side, weights in (("Left", left), ("Right", right)):
        for name, weight in zip(("Down", "In", "Out", "Up"), weights, strict=True):
            values[0, ARKIT_SHAPES.index(f"eyeLook{name}{side}")] = weight
    path = write_clip(Clip(None, Motion(values, arkit_space())), tmp_path / "a.csv")
    row = next(iter(csv.DictReader(path.read_text().splitlines())))
    found = [
        float(row[name]) for name in ("LeftEyeYaw", "LeftEyePitch", "RightEyeYaw", "RightEyePitch")
    ]
    assert found == pytest.approx(angles, abs=0.004)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(2, 200),
    fps=st.sampled_from([24.0, 25.0, 29.97, 30.0, 50.0, 60.0]),
    ending=st.sampled_from([".csv", ".json"]),
)
def test_curves_come_back(
    tmp_path_factory: pytest.TempPathFactory, frames: int, fps: float, ending: str
) -> None:
    clip = take(frames, fps, sound=False)
    path = write_clip(clip, tmp_path_factory.mktemp("curves") / f"a{ending}", fps=fps)
    back = read_take(path).motion
    assert back is not None and clip.motion is not None
    assert back.space.fps == pytest.approx(fps, rel=1e-4) and back.frames == frames
    assert torch.allclose(back.values, clip.motion.values, atol=2e-6)


def test_live_link_reader_goes_by_name_in_any_order_and_case(tmp_path: Path) -> None:
    clip = take(20, 60.0)
    rows = list(csv.reader(write_clip(clip, tmp_path / "a.csv").read_text().splitlines()))
    order = np.random.default_rng(0).permutation(len(rows[0]))
    mixed = [[row[i] for i in order] for row in [[name.upper() for name in rows[0]], *rows[1:]]]
    del mixed[8]  # a dropped frame
    (tmp_path / "b.csv").write_text("\ufeff" + "\n".join(",".join(row) for row in mixed))
    back = read_take(tmp_path / "b.csv").motion
    assert back is not None and back.frames == 20 and back.space.fps == 60
    assert torch.allclose(back.values, clip.motion.values, atol=0.02)  # type: ignore[union-attr]
    assert torch.allclose(back.values[:7], clip.motion.values[:7], atol=2e-6)  # type: ignore[union-attr]


def test_audio2face_file_has_the_layout_of_the_original(tmp_path: Path) -> None:
    clip = take(4, 30.0)
    found = json.loads(write_clip(clip, tmp_path / "a.json").read_text())
    assert list(found) == [
        "exportFps",
        "trackPath",
        "numPoses",
        "numFrames",
        "facsNames",
        "weightMat",
        "joints",
        "rotations",
        "translations",
    ]
    assert (found["exportFps"], found["numPoses"], found["numFrames"], found["trackPath"]) == (
        30,
        52,
        4,
        "hello.wav",
    )
    assert sorted(found["facsNames"], key=str.lower) == sorted(ARKIT_SHAPES, key=str.lower)
    assert found["facsNames"][:2] == ["eyeBlinkLeft", "eyeLookDownLeft"] and found["facsNames"][
        14:18
    ] == ["jawForward", "jawLeft", "jawRight", "jawOpen"]
    assert np.array(found["weightMat"]).shape == (4, 52) and np.array(found["rotations"]).shape == (
        4,
        1,
        4,
    )


@pytest.mark.parametrize("ending", [".npz", ".csv", ".json"])
def test_clips_that_cannot_be_written_leave_nothing(tmp_path: Path, ending: str) -> None:
    whole = take(5)
    broken = dataclasses.replace(
        whole, motion=Motion(torch.full((5, 55), float("nan")), arkit_space())
    )
    batch = dataclasses.replace(whole, motion=Motion(torch.zeros(2, 5, 55), arkit_space()))
    empty = dataclasses.replace(whole, motion=Motion(torch.zeros(0, 55), arkit_space()))
    for clip in (Clip(None, None), broken, batch, empty):
        with pytest.raises(InputError):
            write_clip(clip, tmp_path / f"a{ending}")
    with pytest.raises(InputError):
        write_clip(whole, tmp_path)
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_clip(whole, tmp_path / f"folder{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"folder{ending}"]


def test_an_old_file_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(take(5), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr(
        "motet.export.npz._store",
        lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(InputError, match="No space left"):
        write_clip(take(6), tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def archive(path: Path, **members: np.ndarray) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in members.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, array, allow_pickle=True)
            file.writestr(f"{name}.npy", data.getvalue())
    return path


def test_takes_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(tmp_path / "sprung"), "w"))  # type: ignore[return-value]

    with pytest.raises(AssetError, match="unsafe"):
        read_take(archive(tmp_path / "a.npz", format=np.array([Trap()], dtype=object)))
    assert not (tmp_path / "sprung").exists()


def test_takes_that_promise_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 52)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("blendshapes.npy", head.getvalue() + b"\0" * 64)
    with pytest.raises(AssetError, match="in 64 bytes"):
        read_take(tmp_path / "a.npz")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.array_files.MAX_BYTES", 1 << 20)
    with pytest.raises(AssetError, match="refused"):
        read_take(archive(tmp_path / "a.npz", big=np.zeros(1 << 20)))


def test_files_that_are_no_takes(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 rubbish")
    (tmp_path / "a.json").write_text("[" * 100_000)
    (tmp_path / "b.json").write_text(
        '{"weightMat": [[1, 2], [3]], "facsNames": ["jawOpen", "jawLeft"], "exportFps": 30}'
    )
    (tmp_path / "c.json").write_text(
        '{"weightMat": [[1], [NaN]], "facsNames": ["jawOpen"], "exportFps": 30}'
    )
    (tmp_path / "d.json").write_text(
        '{"weightMat": [[1]], "facsNames": ["jawOppen"], "exportFps": 30}'
    )
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\0\1")
    (tmp_path / "b.csv").write_text("Timecode,JawOpen\n00:00:00:00.0,1\n")
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "folder.npz").mkdir()
    for path in [*tmp_path.iterdir(), tmp_path / "none.npz", Path("a\0.npz")]:
        with pytest.raises(AssetError) as caught:
            read_take(path)
        assert re.fullmatch("[^\n]{1,400}", str(caught.value))


@pytest.mark.parametrize("ending", [".npz", ".csv", ".json"])
def test_damage_of_any_kind_gives_a_take_or_a_typed_line(tmp_path: Path, ending: str) -> None:
    whole = write_clip(take(6), tmp_path / f"whole{ending}").read_bytes()

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        cut=st.integers(0, len(whole)),
        holes=st.lists(
            st.tuples(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=6)), max_size=5
        ),
    )
    def damaged(cut: int, holes: list[tuple[int, bytes]]) -> None:
        data = bytearray(whole)
        for at, new in holes:
            data[at : at + len(new)] = new
        (tmp_path / f"damaged{ending}").write_bytes(bytes(data[:cut]))
        try:
            motion = read_take(tmp_path / f"damaged{ending}").motion
            assert motion is not None and torch.isfinite(motion.values).all()
        except MotetError as error:
            assert "\n" not in str(error)

    damaged()
