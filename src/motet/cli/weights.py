"""`motet weights list | verify | import | mean | flame-map`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from motet.imported import SettingOrigin


@dataclasses.dataclass(frozen=True)
class ListWeights:
    """Every weight file in the package with its size, digest and training record."""

    def execute(self) -> int:
        """Print a table."""
        from rich.console import Console
        from rich.table import Table

        from motet.checkpoint import read_checkpoint

        table = Table("file", "MB", "values", "digest", "trained on", "licence")
        for path in sorted((Path(__file__).parents[1] / "weights").glob("*.safetensors")):
            checkpoint = read_checkpoint(path)
            values = sum(tensor.numel() for tensor in checkpoint.tensors.values())
            size = f"{path.stat().st_size / 1e6:.1f}"
            table.add_row(
                path.name,
                size,
                f"{values / 1e6:.2f} M",
                checkpoint.digest,
                str(checkpoint.facts.get("data", "")),
                str(checkpoint.facts.get("licence", "")),
            )
        Console().print(table)
        return 0


@dataclasses.dataclass(frozen=True)
class VerifyWeights:
    """Read weight files completely and compare their digests; the shipped ones when no file is
    named.
    """

    files: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Checkpoints to verify."""

    def execute(self) -> int:
        """Report each file; a damaged one is an error."""
        from motet.checkpoint import read_checkpoint

        for path in self.files or sorted(
            (Path(__file__).parents[1] / "weights").glob("*.safetensors")
        ):
            print(f"{path.name}  {read_checkpoint(path, verify=True).digest}  intact")
        return 0


@dataclasses.dataclass(frozen=True)
class ImportWeights:
    """Turn an official checkpoint into a checked motet one. Nothing in the file is executed."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The authors' file (.pt as plain tensors, or .safetensors); where a method's weights are
    spread over several files (an audio encoder, a style encoder, statistics as .npz), all of
    them."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])]
    """Method it belongs to."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .safetensors file to write."""
    config: Path | None = None
    """JSON file with settings that cannot be read from the tensors, nested as in the method's
    configuration: {"lip": {"width": 96}}. The import prints which ones it assumed."""

    def execute(self) -> int:
        """Convert, strictly."""
        from motet.checkpoint import read_official, save_checkpoint
        from motet.imported import read_settings
        from motet.registry import method_spec

        if self.out.suffix != ".safetensors":
            raise ConfigError(
                f"weights are written as .safetensors, not {self.out.suffix or 'without an ending'}"
            )
        spec = method_spec(self.method)
        if not spec.convert:
            raise CheckpointError(f"{spec.name} has no official checkpoint to import")
        if not self.files:
            raise ConfigError("no file given to import")
        overrides = read_settings(self.config) if self.config else {}
        imported = spec.convert_official([read_official(file) for file in self.files], overrides)
        digest = save_checkpoint(
            self.out,
            imported.tensors,
            imported.config,
            {
                "data": "official weights of the authors",
                "licence": "the authors' terms",
                "source": ", ".join(file.name for file in self.files),
                "assumed": list(imported.assumed),
            },
        )
        _print_origins(imported.origins)
        print(f"{self.out}  {len(imported.tensors)} tensors  digest {digest}")
        return 0


def _print_origins(origins: Sequence[SettingOrigin]) -> None:
    """Every setting with its origin, what was assumed last."""
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "read from")
    for row in sorted(origins, key=lambda row: row.origin == "assumed"):
        table.add_row(row.name, json.dumps(row.value), row.origin)
    console = Console()
    console.print(table)
    assumed = sum(row.origin == "assumed" for row in origins)
    if assumed:
        console.print(
            f"{assumed} settings stand in no file and are assumed as published;"
            " give others with --config FILE.json"
        )


@dataclasses.dataclass(frozen=True)
class MeanWeights:
    """The mean of several trainings of one model that started from the same weights; usually better
    on unseen people than each of them.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Checkpoints of one configuration; the facts of the last are kept."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])]
    """Method they belong to."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .safetensors file to write."""

    def execute(self) -> int:
        """Average and write."""
        from motet import config as settings
        from motet.checkpoint import mean_checkpoint, save_checkpoint
        from motet.registry import method_spec

        if len(self.files) < 2:
            raise ConfigError("a mean needs two checkpoints and more")
        checkpoint = mean_checkpoint(self.files)
        config = settings.from_json(method_spec(self.method).config_type(), checkpoint.config)
        digest = save_checkpoint(self.out, checkpoint.tensors, config, checkpoint.facts, half=True)
        print(f"{self.out}  mean of {len(self.files)}  digest {digest}")
        return 0


@dataclasses.dataclass(frozen=True)
class FlameMap:
    """Fit, once on your FLAME file, the map from FLAME coefficients to ARKit weights: with it
    imported FLAME models give curves, avatars and the house figure.
    """

    flame: tyro.conf.Positional[Path]
    """Your FLAME file: the official .pkl (read without running anything), .npz or .pt."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("flame_map.npz")
    """The .npz file to write."""

    def execute(self) -> int:
        """Fit, report the residual, write."""
        from motet.rigs.flame import load_flame
        from motet.rigs.flame_fit import fit_flame_arkit

        if self.out.suffix != ".npz":
            raise ConfigError(f"a FLAME map is written as .npz, not {self.out.name}")
        result, overlay = fit_flame_arkit(load_flame(self.flame))
        result.save(self.out)
        print(
            f"{self.out}  residual {result.residual_mm:.2f} mm of {result.motion_mm:.2f} mm"
            f" of motion over {len(overlay.verts)} vertices of the face"
            f" (heads {overlay.distance_mm:.2f} mm apart)"
        )
        return 0


COMMAND = {
    "list": ListWeights,
    "verify": VerifyWeights,
    "import": ImportWeights,
    "mean": MeanWeights,
    "flame-map": FlameMap,
}
