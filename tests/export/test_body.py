"""Bodies to files and back: BVH, archives of SMPL-X, GLB, video; rotations compared as numbers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motet.body.bvh_format import read_bvh
from motet.body.skeleton import body_motion, local_rotations, pose_body
from motet.errors import AssetError, InputError, SpaceError
from motet.export import read_take, write_clip
from motet.export.mp4 import EAR_HEIGHT_M, loudness, source_of
from motet.export.smplx_npz import PELVIS_M, TO_Z_UP
from motet.geometry.rotation import matrix_from_axis_angle
from motet.rigs.house.body import load_house_body
from motet.rigs.house.face_body import join, split
from motet.types import SMPLX25_JOINTS, Audio, Clip, Motion, arkit_space
from tests.export.takes import take


def body(frames: int = 12, fps: float = 30.0, seed: int = 0, size: float = 0.6) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    base, wave = (
        size * torch.randn(25, 3, generator=generator),
        torch.linspace(0, 2, frames)[:, None, None],
    )
    root = torch.stack(
        [
            torch.linspace(0, 1, frames),
            0.9 + 0 * torch.linspace(0, 1, frames),
            torch.linspace(0, -0.5, frames),
        ],
        1,
    )
    return body_motion(root, matrix_from_axis_angle(base * torch.cos(wave + base)), fps)


def angle_deg(one: torch.Tensor, two: torch.Tensor) -> float:
    """Largest angle between rotations."""
    return float(
        np.degrees(
            Rotation.from_matrix((one.mT @ two).double().reshape(-1, 3, 3).numpy())
            .magnitude()
            .max()
        )
    )


def test_bvh_stands_where_the_skeleton_stands(tmp_path: Path) -> None:
    motion = body()
    bvh = read_bvh(write_clip(Clip(None, motion), tmp_path / "a.bvh"))
    rotations, places = bvh.world()
    pose = pose_body(motion)
    order = [bvh.names.index(name) for name in SMPLX25_JOINTS]
    assert bvh.frame_time_s == pytest.approx(1 / 30, abs=1e-9)
    np.testing.assert_allclose(places[:, order] / 100, pose.positions.numpy(), atol=2e-6)
    assert angle_deg(torch.from_numpy(rotations[:, order]), pose.rotations.double()) < 0.03


def test_bvh_says_its_channels_as_programs_read_them(tmp_path: Path) -> None:
    """R = Rz Rx Ry, written out here once more by hand, from the text alone."""
    motion = body(4, size=0.4)
    text = write_clip(Clip(None, motion), tmp_path / "a.bvh").read_text()
    assert text.split("CHANNELS 6 ")[1].startswith(
        "Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    )
    assert "OFFSET 0.000000 0.000000 0.000000" in text.split("JOINT")[0]
    numbers = [float(word) for word in text.splitlines()[-1].split()]
    z, x, y = np.radians(numbers[3:6])
    cz, sz, cx, sx, cy, sy = np.cos(z), np.sin(z), np.cos(x), np.sin(x), np.cos(y), np.sin(y)
    rz, rx, ry = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]),
        np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]),
    )
    np.testing.assert_allclose(rz @ rx @ ry, local_rotations(motion)[-1, 0].numpy(), atol=1e-5)


def test_curves_of_bvh_do_not_jump_by_whole_turns(tmp_path: Path) -> None:
    frames = 60
    turns = torch.zeros(frames, 25, 3)
    turns[:, 0, 1] = torch.linspace(0, 9, frames)
    motion = body_motion(torch.zeros(frames, 3), matrix_from_axis_angle(turns))
    table = read_bvh(write_clip(Clip(None, motion), tmp_path / "a.bvh")).frames
    assert np.abs(np.diff(table, axis=0)).max() < 15
    assert table[-1, 5] - table[0, 5] == pytest.approx(np.degrees(9), abs=1e-3)


@pytest.mark.parametrize("name", ["a.bvh", "a.smplx.npz", "a.amass.npz", "a.beat2.npz", "a.npz"])
def test_what_is_written_comes_back(tmp_path: Path, name: str) -> None:
    motion = body()
    back = read_take(write_clip(Clip(None, motion), tmp_path / name)).motion
    assert (
        back is not None
        and back.space.name == "smplx25"
        and back.frames == motion.frames
        and back.space.fps == pytest.approx(30, abs=1e-6)
    )
    torch.testing.assert_close(back["root"], motion["root"], atol=2e-6, rtol=0)
    assert angle_deg(local_rotations(back), local_rotations(motion)) < 0.05


def test_archives_have_the_keys_of_their_programs(tmp_path: Path) -> None:
    motion = body(7)
    clip = Clip(None, motion)
    with np.load(write_clip(clip, tmp_path / "a.amass.npz"), allow_pickle=False) as amass:
        assert (
            amass["poses"].shape == (7, 165)
            and amass["trans"].shape == (7, 3)
            and amass["betas"].shape == (16,)
        )
        assert (
            str(amass["surface_model_type"]) == "smplx" and float(amass["mocap_frame_rate"]) == 30
        )
        np.testing.assert_array_equal(
            np.concatenate(
                [
                    amass[key]
                    for key in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
                ],
                1,
            ),
            amass["poses"],
        )
        # AMASS stands on z = 0: what was up along Y is up along Z.
        pelvis = amass["trans"] + PELVIS_M
        np.testing.assert_allclose(pelvis, motion["root"].numpy() @ TO_Z_UP.T, atol=1e-6)
    with np.load(write_clip(clip, tmp_path / "a.beat2.npz"), allow_pickle=False) as beat:
        assert (
            beat["poses"].shape == (7, 165)
            and beat["expressions"].shape == (7, 100)
            and beat["betas"].shape == (300,)
        )
        assert str(beat["model"]) == "smplx2020" and float(beat["mocap_frame_rate"]) == 30
    with np.load(write_clip(clip, tmp_path / "a.smplx.npz"), allow_pickle=False) as smplx:
        assert smplx["body_pose"].shape == (7, 63) and smplx["transl"].shape == (7, 3)
        np.testing.assert_allclose(smplx["transl"] + PELVIS_M, motion["root"].numpy(), atol=1e-6)


def test_foreign_archives_and_skeletons_are_told_apart(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "x.npz", poses=np.zeros((3, 165)), trans=np.zeros((4, 3)), mocap_frame_rate=30.0
    )
    with pytest.raises(AssetError, match="SMPL-X"):
        read_take(tmp_path / "x.npz")
    np.savez(
        tmp_path / "y.npz",
        poses=np.full((3, 165), np.nan),
        trans=np.zeros((3, 3)),
        mocap_frame_rate=30.0,
    )
    with pytest.raises(AssetError, match="finite"):
        read_take(tmp_path / "y.npz")
    np.savez(
        tmp_path / "w.npz",
        poses=np.zeros((3, 165)),
        trans=np.zeros((3, 3)),
        mocap_frame_rate=30.0,
        pelvis_rest=np.zeros(2),
    )
    with pytest.raises(AssetError, match="SMPL-X"):
        read_take(tmp_path / "w.npz")
    (tmp_path / "z.bvh").write_text(
        "HIERARCHY\nROOT hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation"
        " Yrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0 0 0\n"
    )
    with pytest.raises(AssetError, match="another skeleton"):
        read_take(tmp_path / "z.bvh")
    with pytest.raises(SpaceError, match="holds a body"):
        write_clip(take(), tmp_path / "face.bvh")


def glb_of(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def numbers_of(content: dict, binary: bytes, accessor: int) -> np.ndarray:
    entry = content["accessors"][accessor]
    view = content["bufferViews"][entry["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]
    start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
    return np.frombuffer(binary, np.float32, entry["count"] * width, start).reshape(
        entry["count"], width
    )


def test_glb_moves_every_joint_as_the_figure_moves(tmp_path: Path) -> None:
    """The skeleton is put together from the file alone and compared with the figure's own
    joints."""
    motion = body(9, size=0.4)
    content, binary = glb_of(write_clip(Clip(None, motion), tmp_path / "a.glb"))
    figure = load_house_body()
    (animation,) = content["animations"]
    local = {number: [None, None] for number in content["skins"][0]["joints"]}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        if channel["target"]["path"] in ("rotation", "translation"):
            local[channel["target"]["node"]][channel["target"]["path"] == "translation"] = (
                numbers_of(content, binary, sampler["output"])
            )
    parents = {
        child: number
        for number, node in enumerate(content["nodes"])
        for child in node.get("children", ())
    }
    names = figure.rig.joint_names
    transforms = figure.transforms(motion)
    places = (
        (transforms[..., :3] @ figure.shaped.joints[..., None]).squeeze(-1) + transforms[..., 3]
    ).numpy()
    world: dict[int, tuple[Rotation, np.ndarray]] = {}
    for number in content["skins"][0]["joints"]:
        turns, offset = local[number]
        assert turns is not None and (offset is not None) == (number not in parents)
        turn = Rotation.from_quat(turns)
        offset = (
            np.tile(content["nodes"][number]["translation"], (9, 1)) if offset is None else offset
        )
        if number in parents:
            above, base = world[parents[number]]
            turn, offset = above * turn, base + above.apply(offset)
        world[number] = turn, offset
        joint = names.index(content["nodes"][number]["name"])
        np.testing.assert_allclose(offset, places[:, joint], atol=1e-4)
        assert (
            np.degrees(
                (turn.inv() * Rotation.from_matrix(transforms[:, joint, :, :3].numpy()))
                .magnitude()
                .max()
            )
            < 0.05
        )


def test_face_and_body_are_in_one_glb_and_one_take(tmp_path: Path) -> None:
    talk = take(20, 25.0).motion
    assert talk is not None
    both = join(talk, body(24))
    content, _ = glb_of(write_clip(Clip(None, both), tmp_path / "a.glb"))
    paths = {channel["target"]["path"] for channel in content["animations"][0]["channels"]}
    assert paths == {"weights", "rotation", "translation"}
    back = read_take(write_clip(Clip(None, both), tmp_path / "a.npz")).motion
    assert back is not None and back.space.name == both.space.name
    torch.testing.assert_close(back.values, both.values)
    # Formats of one of the two take their part.
    assert read_take(write_clip(Clip(None, both), tmp_path / "a.csv")).motion.space.name == "arkit"
    assert read_take(write_clip(Clip(None, both), tmp_path / "a.bvh")).motion.frames == both.frames
    assert split(back)[0].space == arkit_space(30.0)


def test_a_video_of_a_body_shows_the_source_and_only_there(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    sound = Audio.mono(0.1 * torch.sin(torch.arange(3200) / 3), 16_000)
    pictures = []
    for marker in (True, False):
        clip = Clip(sound, body(6, size=0.1), provenance={"sound_source": [0.8, 1.2, 0.0]})
        with av.open(
            str(write_clip(clip, tmp_path / f"{marker}.mp4", size=96, marker=marker))
        ) as file:
            pictures.append(
                np.stack(
                    [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
                ).astype(int)
            )
    assert pictures[0].shape == pictures[1].shape == (6, 96, 96, 3)
    orange = (pictures[0][..., 0] - pictures[0][..., 2]) - (
        pictures[1][..., 0] - pictures[1][..., 2]
    )
    assert (orange[0] > 60).sum() > 20 and np.abs(orange[:, :, :20]).mean() < 6
    with pytest.raises(InputError, match="sound_source"):
        write_clip(
            Clip(None, body(2), provenance={"sound_source": [1.0, 2.0]}),
            tmp_path / "bad.mp4",
            size=64,
        )


def test_a_source_given_by_angles_is_shown_round_the_head() -> None:
    clip = Clip(None, body(2), provenance={"options": {"source": "90,0,2"}})
    np.testing.assert_allclose(source_of(clip), [[2.0, EAR_HEIGHT_M, 0.0]], atol=1e-9)
    for options in ({}, {"source": "path.csv"}, {"source": "1,2"}, {"source": "0,0,-1"}):
        assert source_of(Clip(None, body(2), provenance={"options": options})) is None


def test_loudness_follows_the_sound() -> None:
    samples = torch.zeros(16_000)
    samples[8000:12_000] = 0.5
    level = loudness(Audio.mono(samples, 16_000), 20, 20.0)
    assert level[:10].max() == 0 and level[10:15].min() > 0.99 and level[15:].max() == 0
