"""Weights on disk: safetensors with the configuration, a digest and facts about the training.

Loading is strict: a missing, extra or misshapen tensor, a wrong digest or an unknown setting is an
error. Nothing here can run code: pickles are read only as plain tensors and only on request
(`read_official`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from motet import config as settings
from motet.array_files import read_arrays
from motet.atomic_write import make_folder, write_bytes
from motet.config import JsonValue, Settings, parse_json
from motet.errors import AssetError, CheckpointError, nearest

C = TypeVar("C")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Tensors with what is needed to use them."""

    tensors: dict[str, Tensor]
    """Parameters and buffers by their names in the model."""
    config: dict[str, JsonValue]
    """The model's configuration as JSON values."""
    facts: dict[str, JsonValue]
    """Training record of the weights: data, licences, steps, seed, commit."""
    digest: str
    """Twelve hex digits over names, shapes, types and bytes of all tensors."""


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Twelve hex digits that identify a set of named tensors."""
    state = hashlib.sha256()
    # sorted: the order in a file is of no account
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        state.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        # `view` needs an element; an empty tensor has its shape alone.
        state.update(
            tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        )
    return state.hexdigest()[:12]


def save_checkpoint(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: Settings,
    facts: Mapping[str, JsonValue],
    *,
    half: bool = False,
) -> str:
    """Write weights and return their digest. The file appears only when it is complete.

    Args:
        config: a dataclass, kept as JSON inside the file.
        facts: JSON values about the training, kept inside the file.
        half: store floating-point tensors as float16.
    """
    # The digest is of what is stored, so it is taken after rounding to float16.
    stored = {name: _stored(tensor, half) for name, tensor in tensors.items()}
    digest = tensor_digest(stored)
    metadata = {
        "format": "motet/1",
        "config": json.dumps(settings.to_json(config)),
        "facts": json.dumps(dict(facts)),
        "digest": digest,
    }
    path = Path(path)
    make_folder(path.parent)
    write_bytes(path, save(stored, metadata=metadata))
    return digest


def read_checkpoint(path: Path, *, verify: bool = True) -> Checkpoint:
    """Read a file written by `save_checkpoint`, float16 tensors as float32.

    Raises:
        CheckpointError: missing, damaged, without configuration, or (with `verify`) of another
            digest than the one recorded.
    """
    metadata, tensors = _read_safetensors(Path(path))
    config, facts, digest = _facts_of(metadata, Path(path))
    if verify and tensor_digest(tensors) != digest:
        raise CheckpointError(f"{path} is damaged: its digest is not {digest}; fetch it again")
    # Half precision is a format of storage; everything is computed in float32.
    wide = {
        n: t.float() if t.dtype in (torch.float16, torch.bfloat16) else t
        for n, t in tensors.items()
    }
    return Checkpoint(wide, config, facts, digest)


def mean_checkpoint(paths: Sequence[Path]) -> Checkpoint:
    """The mean of the parameters of several checkpoints of one configuration, with the facts of the
    last and the digests of all.

    Raises:
        CheckpointError: a file is unusable, or they are not of one model.

    Source: Wortsman et al. 2022, Model soups (uniform).
    """
    checkpoints = [read_checkpoint(path) for path in paths]
    first = checkpoints[0]
    for path, other in zip(paths, checkpoints, strict=True):
        if other.config != first.config or other.tensors.keys() != first.tensors.keys():
            raise CheckpointError(
                f"{path} is of another configuration than {paths[0]}; only trainings of one model"
                " have a mean"
            )
    tensors = {
        name: (
            torch.stack([c.tensors[name] for c in checkpoints]).mean(0)
            # counters and tables are no parameters: those of the first file stand
            if tensor.is_floating_point()
            else tensor
        )
        for name, tensor in first.tensors.items()
    }
    return Checkpoint(
        tensors,
        first.config,
        {**checkpoints[-1].facts, "mean_of": [c.digest for c in checkpoints]},
        tensor_digest(tensors),
    )


def read_config(path: Path, cls: type[C]) -> C:
    """The configuration inside a checkpoint, without reading its tensors.

    Raises:
        CheckpointError: missing, damaged or without configuration.
    """
    metadata, _ = _read_safetensors(Path(path), tensors=False)
    return settings.from_json(cls, _facts_of(metadata, Path(path))[0])


def load_strict(
    module: nn.Module, tensors: Mapping[str, Tensor], source: str = "the checkpoint"
) -> None:
    """Put tensors into a module; every name and shape must fit.

    Raises:
        CheckpointError: names the first missing, extra and misshapen tensors and the nearest
            existing names.
    """
    own = module.state_dict()
    problems = [f"lacks {name}" for name in own if name not in tensors]
    problems += [
        f"has the unknown {name} ({nearest(name, own, 1)})" for name in tensors if name not in own
    ]
    problems += [
        f"has {name} of shape {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    # Three are enough to see what is wrong; a wrong model has hundreds.
    if problems:
        more = f" and {len(problems) - 3} more problems" if len(problems) > 3 else ""
        raise CheckpointError(
            f"{source} does not fit {type(module).__name__}: it {'; it '.join(problems[:3])}{more}"
        )
    module.load_state_dict(dict(tensors))


def read_official(path: Path, *, bare: bool = False) -> dict[str, object]:
    """Read the authors' weights (`.safetensors`, `.npz`, or `.pt`/`.pth`/`.bin` as plain tensors
    only), or a folder of the package `transformers`.

    The pickle inside a `.pt` is read by PyTorch's weights-only unpickler, which knows tensors and
    plain containers; a file that asks for more is refused. Option sets (`argparse.Namespace`) and
    paths inside become dictionaries and strings: inert classes are built in their place, so nothing
    that the file names is called.

    Args:
        bare: accept a file with one tensor and no name for it; it gets the name "".

    Raises:
        CheckpointError: missing, damaged, or containing anything but tensors and plain values.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".safetensors":
        return dict(_read_safetensors(path)[1])
    if path.suffix == ".npz":
        return _read_arrays(path)
    try:
        with torch.serialization.safe_globals(_INERT):
            # weights_only: the pickle can name nothing but tensors, containers and `_INERT`.
            tensors = _plain(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist") from error
    # PyTorch raises many kinds here, UnpicklingError and RuntimeError among them.
    except Exception as error:
        raise CheckpointError(
            f"{path} is not a plain tensor file and is refused; save its state dict as safetensors"
            " first"
        ) from error
    if bare and isinstance(tensors, Tensor):
        return {"": tensors}
    if not isinstance(tensors, dict):
        raise CheckpointError(
            f"{path} holds a {type(tensors).__name__}, expected a dictionary of tensors"
        )
    return tensors


def _read_folder(folder: Path) -> dict[str, object]:
    """All tensors of a model as `transformers` saves it: one file, or several and their index."""
    # `transformers` prefers safetensors when a folder has both
    for names in (("model.safetensors",), ("pytorch_model.bin",)):
        if (folder / names[0]).is_file():
            return read_official(folder / names[0])
    parts = sorted([*folder.glob("model-*.safetensors"), *folder.glob("pytorch_model-*.bin")])
    if not parts:
        raise CheckpointError(
            f"{folder} holds no weights of a model: neither model.safetensors nor"
            " pytorch_model.bin; name the file itself"
        )
    return {name: value for part in parts for name, value in read_official(part).items()}


class _Options:
    """An option set inside the authors' file: attributes and nothing else."""


_INERT: list[Callable[..., object] | tuple[Callable[..., object], str]] = [
    (_Options, "argparse.Namespace"),
    (_Options, "types.SimpleNamespace"),
    *(
        (PurePosixPath, f"pathlib{module}.{kind}")
        for module in ("", "._local")
        for kind in ("PosixPath", "WindowsPath", "PurePosixPath")
    ),
]


def _plain(value: object) -> object:
    if isinstance(value, _Options):
        return {name: _plain(item) for name, item in vars(value).items()}
    if isinstance(value, PurePosixPath):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _read_arrays(path: Path) -> dict[str, object]:
    """Numeric arrays of an `.npz` as tensors; arrays of objects are refused by the reader
    itself.
    """
    try:
        stored = read_arrays(path)
        return {name: torch.from_numpy(np.ascontiguousarray(stored[name])) for name in stored}
    except AssetError as error:
        raise CheckpointError(str(error)) from error
    except TypeError as error:
        raise CheckpointError(f"{path} holds arrays that are not numbers: {error}") from error


def _stored(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() else tensor.clone()


def _facts_of(
    metadata: Mapping[str, str], path: Path
) -> tuple[dict[str, JsonValue], dict[str, JsonValue], str]:
    """Configuration, facts and digest from the header of a checkpoint."""
    if metadata.get("format") != "motet/1":
        raise CheckpointError(
            f"{path} is not a motet checkpoint (no configuration inside); official files are"
            " converted by 'motet weights import'"
        )
    try:
        config, facts = parse_json(metadata["config"]), parse_json(metadata["facts"])
        if not isinstance(config, dict) or not isinstance(facts, dict):
            raise ValueError("not objects")
        return config, facts, metadata["digest"]
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged: its configuration cannot be read; fetch it again"
        ) from error


def _read_safetensors(
    path: Path, *, tensors: bool = True
) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            names = file.keys() if tensors else ()
            return dict(file.metadata() or {}), {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist") from error
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path} is damaged or is not a safetensors file: {reason}"
        ) from error
