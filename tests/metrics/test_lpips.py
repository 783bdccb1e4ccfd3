"""LPIPS against its definition written out with the layers of torchvision's networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from motet.cli import main
from motet.errors import CheckpointError, InputError
from motet.metrics.lpips import SCALE, SHIFT, Lpips, read_lpips


def alexnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def vgg16() -> nn.Sequential:
    layers: list[nn.Module] = []
    source = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += [nn.Conv2d(source, width, 3, padding=1), nn.ReLU()]
            source = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


NETWORKS = {
    "AlexNet": (alexnet, (1, 4, 7, 9, 11), (64, 192, 384, 256, 256)),
    "VGG-16": (vgg16, (3, 8, 15, 22, 29), (64, 128, 256, 512, 512)),
}


def files(folder: Path, name: str) -> tuple[list[Path], nn.Sequential, list[Tensor]]:
    torch.manual_seed(0)
    network, _, widths = NETWORKS[name]
    layers = network()
    backbone = {f"features.{k}": value for k, value in layers.state_dict().items()}
    torch.save({**backbone, "classifier.1.bias": torch.zeros(3)}, folder / "backbone.pth")
    linear = [torch.rand(1, width, 1, 1) for width in widths]
    torch.save({f"lin{k}.model.1.weight": w for k, w in enumerate(linear)}, folder / "linear.pth")
    return [folder / "backbone.pth", folder / "linear.pth"], layers, linear


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_distances_are_those_of_the_definition(name: str, tmp_path: Path) -> None:
    paths, layers, linear = files(tmp_path, name)
    metric = read_lpips(paths)
    assert metric.name == name
    one, two = torch.rand(2, 2, 3, 64, 48)
    shift, scale = torch.tensor(SHIFT).view(3, 1, 1), torch.tensor(SCALE).view(3, 1, 1)
    expected, values = torch.zeros(2), [(2 * p - 1 - shift) / scale for p in (one, two)]
    taps = dict(zip(NETWORKS[name][1], linear, strict=True))
    for number, layer in enumerate(layers[:-1]):  # the last pooling is not compared
        values = [layer(value) for value in values]
        if number in taps:
            units = [v / v.norm(dim=1, keepdim=True).clamp(min=1e-10) for v in values]
            expected += ((units[0] - units[1]) ** 2 * taps[number]).sum(1).mean((1, 2))
    torch.testing.assert_close(metric(one, two), expected, rtol=1e-4, atol=1e-6)
    assert float(metric(one, one).abs().max()) == 0


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    paths, _, linear = files(tmp_path, "AlexNet")
    with pytest.raises(CheckpointError, match=r"lacks lin0\.model\.1\.weight; give both files"):
        read_lpips(paths[:1])
    with pytest.raises(CheckpointError, match="needs a backbone"):
        read_lpips(paths[1:])
    stored = torch.load(paths[0]) | {f"lin{k}.model.1.weight": linear[0] for k in range(5)}
    with pytest.raises(CheckpointError, match="belong to another backbone"):
        Lpips(stored)
    with pytest.raises(InputError, match="at least 32 pixels"):
        read_lpips(paths)(torch.rand(1, 3, 20, 64), torch.rand(1, 3, 20, 64))


def test_only_the_study_of_pictures_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, _, _ = files(tmp_path, "AlexNet")
    command = ["eval", "speech2lip", "--data", str(tmp_path), "--lpips", *map(str, paths)]
    assert main(command) == 2
    assert "--lpips is for --study pictures" in capsys.readouterr().err
    assert main([*command[:-1], str(tmp_path / "none.pth"), "--study", "pictures"]) == 2
    assert "none.pth" in capsys.readouterr().err
