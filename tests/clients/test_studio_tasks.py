"""What a new user does on the studio's page, in Chromium against `motet serve`: the five tasks that
the page is made for, by what the page shows.

Pictures of each task's end lie in the folder of the test run (`TASK.png`).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from motet.export import read_take
from motet.export.gltf.container import pack_glb, read_glb
from tests.clients.programs import ROOT, chromium, node
from tests.serve.conftest import unpacked

pytestmark = [pytest.mark.clients, pytest.mark.slow]
MODULES = ROOT / "studio" / "node_modules"
SENTENCES = ROOT / "src" / "motet" / "data" / "librivox"
BONES = {
    "root": "hips", "spine1": "spine", "spine3": "chest", "spine5": "upperChest", "neck1": "neck",
    "head": "head", "clavicle": "Shoulder", "upperarm": "UpperArm", "lowerarm": "LowerArm",
    "wrist": "Hand", "upperleg": "UpperLeg", "lowerleg": "LowerLeg", "foot": "Foot",
}  # fmt: skip


class Page:
    """The running studio, and a folder for what the page hands out."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}/api{path}", timeout=60) as answer:
            return answer.read()

    def task(self, name: str, *files: object) -> dict[str, Any]:
        """Do a task on the page; what it found."""
        script = ROOT / "tests" / "clients" / "studio_tasks.mjs"
        command = [node(), script, MODULES, self.address, self.folder, name, *files]
        run = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "CHROMIUM": chromium()},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        found = json.loads(run.stdout.splitlines()[-1])
        assert found.pop("errors") == []
        return found

    def edited(self) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
        """Newest edits, and their take's raw numbers (frames, 55) without and with them."""
        takes = json.loads(self.get("/takes?count=50"))["takes"]  # newest first
        changed = next(take for take in takes if take["edited"])
        layers = json.loads(self.get(f"/takes/{changed['id']}/edits"))["layers"]
        base, new = (
            unpacked(self.get(f"/takes/{take}/curves?avatar=raw"))[1]
            for take in (changed["id"], changed["edited"])
        )
        return layers, base, new


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not (MODULES / "playwright-core").is_dir():
        pytest.fail("playwright-core is missing; run npm ci in studio/")
    folder = tmp_path_factory.mktemp("studio")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "motet.cli", "serve", "--port", str(port)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--data", str(folder / "data")], stdout=log, stderr=subprocess.STDOUT
        )
        studio = Page(f"http://127.0.0.1:{port}", folder)
        try:
            _wait(studio, server)
            yield studio
        finally:
            server.terminate()
            server.wait(60)


def _wait(studio: Page, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert server.poll() is None, (studio.folder / "log").read_text()
        try:
            if json.loads(studio.get("/health"))["state"] == "ready":
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError((studio.folder / "log").read_text())


def recording(folder: Path, name: str, *, rate: int = 16_000, seconds: float = 2.4) -> Path:
    """The beginning of the demo as a user's own file."""
    samples, own = soundfile.read(ROOT / "examples" / "demo.flac", dtype="float32")
    part = samples[: round(seconds * own)]
    times = np.arange(round(seconds * rate)) / rate
    soundfile.write(folder / name, np.interp(times, np.arange(len(part)) / own, part), rate)
    return folder / name


def own_avatar(page: Page) -> Path:
    """The shipped figure as a VRM 1 file, as an avatar of someone's own."""
    path = page.folder / "own.vrm"
    path.write_bytes(page.get("/figure.glb"))
    content, data = read_glb(path)
    bones = {}
    for number, entry in enumerate(content["nodes"]):
        name, _, side = entry["name"].partition(".")
        if name in BONES:
            bones[{"L": "left", "R": "right"}.get(side, "") + BONES[name]] = {"node": number}
    shapes = {"aa": "jawOpen", "blinkLeft": "eyeBlinkLeft", "blinkRight": "eyeBlinkRight"}
    preset = {name: {"morphTargetBinds": _binds(content, shape)} for name, shape in shapes.items()}
    meta = {"name": "own", "authors": ["motet"], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
    content["extensionsUsed"] = [*content.get("extensionsUsed", ()), "VRMC_vrm"]
    content.setdefault("extensions", {})["VRMC_vrm"] = {
        "specVersion": "1.0",
        "meta": meta,
        "humanoid": {"humanBones": bones},
        "expressions": {"preset": preset},
    }
    path.write_bytes(pack_glb(content, data))
    return path


def _binds(content: dict[str, Any], shape: str) -> list[dict[str, Any]]:
    """A morph target in every mesh that has it."""
    names = [mesh.get("extras", {}).get("targetNames", ()) for mesh in content["meshes"]]
    return [
        {"node": number, "index": names[entry["mesh"]].index(shape), "weight": 1.0}
        for number, entry in enumerate(content["nodes"])
        if "mesh" in entry and shape in names[entry["mesh"]]
    ]


def test_an_own_recording_becomes_mp4_and_vrma_of_an_own_avatar(page: Page) -> None:
    sound = recording(page.folder, "mine.wav")
    found = page.task("avatar", sound, own_avatar(page))
    assert found["video"]["command"] == "motet run mine.wav --size 720 --avatar own.vrm -o mine.mp4"
    import av

    with av.open(found["video"]["path"]) as video:
        assert {stream.type for stream in video.streams} == {"video", "audio"}
        pictures = [frame.to_ndarray(format="gray") for frame in video.decode(video=0)]
    assert len(pictures) == 60  # 2.4 s of 25 a second
    assert np.abs(pictures[30].astype(int) - pictures[0]).mean() > 0.1
    assert "VRMC_vrm_animation" in read_glb(Path(found["animation"]["path"]))[0]["extensions"]


def test_the_mouth_of_one_word_is_corrected(page: Page) -> None:
    text = json.loads((SENTENCES / "sentences.json").read_text())["0870"]
    found = page.task("word", SENTENCES / "0870.flac", text, max(text.lower().split(), key=len))
    assert found["words"] == len(text.split())
    layers, base, new = page.edited()
    assert [(layer["type"], layer["groups"], layer["gain"]) for layer in layers] == [
        ("region", ["mouth"], 1.5)
    ]
    assert layers[0]["t0"] == pytest.approx(found["t0"], abs=1e-3)
    changed = np.abs(new - base).max(axis=1) > 1e-6  # (frames,)
    within = np.arange(len(base)) / 25.0
    fade = layers[0]["fade"]
    outside = (within < found["t0"] - fade) | (within > found["t1"] + fade)
    assert changed.any() and not changed[outside].any()


def test_the_head_is_rolled_again_and_the_mouth_keeps_its_bits(page: Page) -> None:
    page.task("head", recording(page.folder, "head.wav"))
    layers, base, new = page.edited()
    assert [(layer["type"], layer["groups"]) for layer in layers] == [("take", ["head"])]
    np.testing.assert_array_equal(new[:, :52], base[:, :52])
    assert np.abs(new[:, 52:] - base[:, 52:]).max() > 1e-3  # radians


def test_a_microphone_moves_the_face(page: Page) -> None:
    microphone = recording(page.folder, "microphone.wav", rate=48_000, seconds=6.0)
    found = page.task("microphone", microphone, 5)
    assert found["moved"]
    assert len(found["delays"]) >= 5 and min(found["delays"]) > 100  # ms


def test_a_sound_is_placed_and_the_body_is_taken_away(page: Page) -> None:
    found = page.task("body", recording(page.folder, "left.wav"))
    body = read_take(found["file"]).motion
    assert body is not None and body.frames > 50
