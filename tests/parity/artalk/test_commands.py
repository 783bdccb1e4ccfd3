"""From the authors' checkpoint to files by commands alone: equal to their recorded motion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from tests.parity.artalk.conftest import SET, Reference, released_settings

STYLES = SET.names("released_io", r"gen\.(\w+)\.bits")


@pytest.mark.parametrize("style", STYLES)
def test_import_and_run_give_the_recorded_motion(
    released: Reference, tmp_path: Path, style: str
) -> None:
    torch.save(dict(released.weights), tmp_path / "ARTalk_wav2vec.pt")
    settings, weights = tmp_path / "heads.json", tmp_path / "artalk.safetensors"
    settings.write_text(json.dumps(released_settings(released)))
    command = ["weights", "import", str(tmp_path / "ARTalk_wav2vec.pt"), "-m", "artalk"]
    assert main([*command, "-o", str(weights), "--config", str(settings)]) == 0
    soundfile.write(tmp_path / "a.wav", released["audio_i16"].numpy().astype(np.int16), 16000)
    run = ["run", str(tmp_path / "a.wav"), "-m", "artalk", "--weights", str(weights), "--quiet"]
    run += ["--option", "jaw_only_opens=no", "-o", str(tmp_path / "take.npz")]
    if style == "style":
        torch.save(released["style.motion"][0], tmp_path / "style.pt")  # a bare tensor
        run += ["--style", str(tmp_path / "style.pt")]
    assert main(run) == 0
    take, expected = np.load(tmp_path / "take.npz"), released[f"gen.{style}.motion"].numpy()
    found = np.concatenate([take["expression"], take["head"], take["jaw"]], -1)
    # The authors round the number of frames up, so theirs may have one more.
    assert 0 <= len(expected) - len(found) <= 1
    tolerance = released.tolerance
    np.testing.assert_allclose(
        found, expected[: len(found)], rtol=tolerance["float_rel"], atol=tolerance["float_abs"]
    )
