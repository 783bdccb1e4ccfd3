"""VMC and Live Link Face as their receivers see them, and frames at their time."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from motet.errors import InputError, SpaceError
from motet.live.live_link import PACKET_SHAPES, LiveLinkSender
from motet.live.pacing import Pacer
from motet.live.session import LivePiece
from motet.live.vmc import VmcSender
from motet.types import ARKIT_SHAPES, Motion, arkit_space, smplx25_space

osc = pytest.importorskip("pythonosc.osc_bundle")


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(20)
        yield found


def face() -> Motion:
    motion = Motion(torch.zeros(2, 55), arkit_space())
    motion.channel("blendshapes", "jawOpen")[:] = torch.tensor([0.25, 0.75])
    motion.channel("blendshapes", "mouthLeft")[:] = 0.5
    motion["head"][:] = torch.tensor([0.0, 0.3, 0.0])  # looks to its left
    return motion


def messages(receiver: socket.socket) -> list[tuple[str, list]]:
    """All messages of a frame."""
    found: list[tuple[str, list]] = []
    while not found or not found[-1][0].endswith("Apply"):
        data = receiver.recv(65_536)
        assert len(data) < 1400
        bundle = osc.OscBundle(data)
        found += [(message.address, message.params) for message in bundle]
    return found


def test_a_vmc_receiver_gets_shapes_vowels_and_mirrored_bones(receiver: socket.socket) -> None:
    sender = VmcSender(*receiver.getsockname())
    sender.send(face().slice(1, 2))
    sender.close()
    found = messages(receiver)
    addresses = [address for address, _ in found]
    assert addresses[:2] == ["/VMC/Ext/OK", "/VMC/Ext/T"]
    assert addresses[-1] == "/VMC/Ext/Blend/Apply"
    blends = {values[0]: values[1] for address, values in found if address.endswith("Blend/Val")}
    assert {name[0].upper() + name[1:] for name in ARKIT_SHAPES} <= set(blends)
    assert blends["JawOpen"] == 0.75 and blends["A"] > 0.3 and {"I", "U", "E", "O"} <= set(blends)
    bones = {values[0]: values[1:] for address, values in found if address.endswith("Bone/Pos")}
    # +0.3 about +Y in right-handed axes is -0.3 in Unity's; neck and head share it.
    turned = sum(2 * np.arcsin(bones[name][4]) for name in ("Neck", "Head"))
    assert turned == pytest.approx(-0.3, abs=1e-5)


def test_unreal_gets_packets_of_the_application(receiver: socket.socket) -> None:
    sender = LiveLinkSender(*receiver.getsockname())
    sender.send(face())
    packets = [receiver.recv(2048) for _ in range(2)]
    sender.close()
    assert [len(packet) for packet in packets] == [311, 311]
    version, device, length = struct.unpack("<I37s", packets[1][:41]) + (packets[1][44],)
    assert version == 6 and device.startswith(b"$") and packets[1][45 : 45 + length] == b"motet"
    frame, fraction, rate, denominator = struct.unpack_from("!if2i", packets[1], 50)
    assert (frame + fraction) / (rate / denominator) == pytest.approx(0.04, abs=1e-6)
    count, *numbers = struct.unpack_from("!B61f", packets[1], 66)
    assert count == 61
    assert numbers[PACKET_SHAPES.index("JawOpen")] == 0.75
    assert numbers[PACKET_SHAPES.index("MouthLeft")] == 0.5
    assert PACKET_SHAPES.index("JawLeft") == 15 and PACKET_SHAPES.index("MouthLeft") == 21
    assert numbers[52] == pytest.approx(-0.3, abs=1e-6), "yaw to the left is negative"


def test_bodies_and_unknown_hosts_are_refused(receiver: socket.socket) -> None:
    body = Motion(torch.zeros(1, smplx25_space().dim), smplx25_space())
    for sender in (VmcSender(*receiver.getsockname()), LiveLinkSender(*receiver.getsockname())):
        with pytest.raises(SpaceError, match="face"):
            sender.send(body)
        sender.close()
    with pytest.raises(InputError, match="no host"):
        LiveLinkSender("no.such.host.invalid")


def test_frames_are_sent_when_their_sound_plays() -> None:
    sent: list[float] = []
    pacer = Pacer(lambda motion: sent.append(time.monotonic()), 25.0, 0.1)
    began = time.monotonic()
    pacer.sound_arrived(0, 16_000)
    pacer.add(LivePiece(0, 0, Motion(torch.zeros(5, 55), arkit_space())), 16_000)
    pacer.close()
    due = began + 0.1 + np.arange(5) / 25
    assert (np.array(sent) >= due - 0.005).all() and len(sent) == 5


def test_a_failing_receiver_is_reported() -> None:
    def fail(motion: Motion) -> None:
        raise OSError("unplugged")

    pacer = Pacer(fail, 25.0, 0.0)
    piece = LivePiece(0, 0, Motion(torch.zeros(1, 55), arkit_space()))
    pacer.add(piece, 16_000)
    pacer._thread.join(10)
    with pytest.raises(OSError, match="unplugged"):
        pacer.add(piece, 16_000)


@pytest.mark.parametrize("kind", ["vmc", "livelink"])
def test_motet_live_drives_them_from_a_file(
    receiver: socket.socket, kind: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(size=8_000) * 0.05
    soundfile.write(tmp_path / "speech.wav", noise, 16_000)
    host, port = receiver.getsockname()
    line = ["live", "--from", str(tmp_path / "speech.wav"), "--to", kind, "--delay", "auto"]
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(main([*line, "--receiver", f"{host}:{port}"]))
    )
    receiver.settimeout(120)
    thread.start()
    sizes = [len(receiver.recv(65_536)) for _ in range(13 * (3 if kind == "vmc" else 1))]
    thread.join(60)
    assert codes == [0] and min(sizes) > 100


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--receiver", "a:b", "--to", "vmc"], "HOST:PORT"),
        (["--receiver", "host"], "--to vmc"),
        (["--to", "vmc", "-m", "mospa", "--source", "90,0,2"], "takes a face"),
        (["--delay", "soon"], "auto"),
        (["--delay", "0.1"], "at least 0.16 "),
        (["--delay", "0.35", "--option", "commit=2"], "one of the two"),
        (["--from", "none.wav"], "does not exist"),
        (["--from", "none.wav", "--rate", "8000"], "leave --rate out"),
        (["--from", "mic", "--channels", "2"], "--channels belongs"),
    ],
)
def test_impossible_lines_are_refused(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", *arguments]) == 2
    assert remedy in capsys.readouterr().err
