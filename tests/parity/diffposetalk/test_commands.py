"""From the authors' checkpoints to files by commands alone: equal to their recorded coefficients.

The noise of a session is ours; here the recorded noise takes its place.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path, PosixPath

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from motet.export import read_take
from motet.methods.diffposetalk.generate import DiffPoseTalk
from motet.methods.diffposetalk.windows import Randomness
from tests.parity.diffposetalk.conftest import SET, close, facts, options_of, tensors, trunk_config


def official_files(folder: Path, weights: str) -> list[str]:
    """Checkpoint and statistics as the authors' trainer writes them."""
    options = options_of(weights)
    args = argparse.Namespace(**{**options, "style_enc_ckpt": PosixPath("a/style.pt")})
    torch.save({"args": args, "model": dict(tensors(weights)), "iter": 8}, folder / "dpt.pt")
    found = tensors("longform")
    names = [name for name in found if name.startswith("stats.")]
    arrays = {name.removeprefix("stats."): found[name].numpy() for name in names}
    np.savez(folder / "stats_train.npz", **arrays)
    return [str(folder / "dpt.pt"), str(folder / "stats_train.npz")]


def options_for(call: dict, case: str, folder: Path) -> list[str]:
    """Options of `motet run` for a call of the published program."""
    found = tensors("longform")
    np.savez(folder / "shape.npz", shape=found[f"{case}.shape"].numpy())
    scales = call["cfg_scale"]
    options = [f"shape={folder / 'shape.npz'}", f"guidance_audio={scales[0]}", "sampler=ancestral"]
    if not call.get("nostyle"):
        np.save(folder / "style.npy", found[f"{case}.style"].numpy().reshape(-1))
        options += [f"style={folder / 'style.npy'}", f"guidance_style={scales[1]}"]
    if call.get("cfg_mode") == "independent":
        options.append("guidance_mode=independent_published")
    if "dt" in call:
        options.append(f"threshold={call['dt']}")
    if not call.get("ctx", True):
        options.append("encode_windows=true")
    return [word for option in options for word in ("--option", option)]


@pytest.mark.parametrize("case", SET.cases("longform"))
def test_import_and_run_give_the_recorded_coefficients(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, call = tensors("longform"), facts("longform")["cases"][case]
    start, moves = found[f"{call['noise']}.T"], found[f"{call['noise']}.z"]
    recorded = Randomness(lambda window: start, lambda window: lambda k: moves[window, k])
    monkeypatch.setattr(DiffPoseTalk, "_randomness", lambda self, state: recorded)
    settings, weights = tmp_path / "heads.json", tmp_path / "dpt.safetensors"
    settings.write_text(json.dumps({"trunk": {"heads": trunk_config().heads}}))
    command = ["weights", "import", *official_files(tmp_path, call["weights"])]
    command += ["-m", "diffposetalk", "-o", str(weights), "--config", str(settings)]
    assert main(command) == 0
    soundfile.write(tmp_path / "a.wav", found[f"{case}.audio"].float().numpy(), 16000, "FLOAT")
    run = ["run", str(tmp_path / "a.wav"), "-m", "diffposetalk", "--weights", str(weights)]
    run += ["--quiet", "--takes", str(call["nrep"]), "-o", str(tmp_path / "take.npz")]
    assert main([*run, *options_for(call, case, tmp_path)]) == 0
    takes = sorted(tmp_path.glob("take*.npz"))
    assert len(takes) == call["nrep"]
    for number, path in enumerate(takes):
        motion = read_take(path).motion
        assert motion is not None
        expected = torch.cat([found[f"{case}.out.{part}"][number] for part in ("exp", "pose")], -1)
        # The authors round the number of frames down: ours may hold the last for one more.
        assert 0 <= motion.frames - len(expected) <= 1
        close(motion.values[: len(expected)], expected)
        close(motion.values[-1], expected[-1])
