"""`motet weights list | verify | import | mean | onnx | flame-map`."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
class OnnxWeights:
    """Write a streaming method as one ONNX file: a chunk of 16 kHz sound and the state in, frames
    and the state out (extra `onnx`). For engines, phones and browsers, without Python.
    """

    method: tyro.conf.Positional[str]
    """Method to write."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .onnx file to write."""
    weights: Path | None = None
    """A motet checkpoint instead of the shipped one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method that the file keeps, for example style=warm or commit=2
    (chunks of 80 ms); may be repeated."""
    storage: Literal["float32", "float16", "int8"] = "float16"
    """How large weights are stored; arithmetic is float32. The shipped weights are float16: with it
    nothing is lost. int8 takes 15 MB instead of 26 and changed jawOpen by up to 0.07."""

    def execute(self) -> int:
        """Export and write."""
        from motet.method_options import parse_options
        from motet.nn.stateful_graph import require_onnx, write_onnx
        from motet.registry import method_spec
        from motet.session import load

        if self.out.suffix != ".onnx":
            raise ConfigError(f"an ONNX file ends in .onnx, not {self.out.suffix or 'in nothing'}")
        spec = method_spec(self.method)
        if not spec.onnx:
            raise ConfigError(
                f"{spec.name} cannot be written as ONNX: it is no stream of short windows with a"
                " state of fixed size; artalk is"
            )
        require_onnx()
        loaded = load(spec.name, self.weights)
        condition = loaded.condition(parse_options(spec, self.option))
        module, _, function = spec.onnx.partition(":")
        graph = getattr(importlib.import_module(module), function)(loaded.method, condition)
        write_onnx(graph, self.out, self.storage)
        size = self.out.stat().st_size / 1e6
        print(f"{self.out}  {size:.1f} MB  {len(graph.state)} tensors of state")
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
    "onnx": OnnxWeights,
    "flame-map": FlameMap,
}
