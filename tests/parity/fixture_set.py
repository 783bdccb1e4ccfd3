"""Reference tensors of published code: one folder a method, read by the set's own JSON.

`MOTET_PARITY` names a folder of sets; without it `../shared/parity` beside the repository counts,
and without that (or as `MOTET_PARITY=compact`) the compact subset in the repository.
A whole set must be complete: a missing file or tensor fails the test. The compact subset leaves
tensors out, and their tests skip.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors import safe_open
from torch import Tensor

from motet.config import JsonValue

HERE = Path(__file__).resolve().parent
BESIDE = HERE.parents[2] / "shared" / "parity"
Facts = dict[str, JsonValue]


class MissingReference(LookupError):
    """A file or tensor that a whole set must hold."""


class FixtureSet:
    """Reference tensors and their description of one method.

    Args:
        method: folder name, the same in whole sets and beside the tests.
    """

    def __init__(self, method: str) -> None:
        named = os.environ.get("MOTET_PARITY", "")
        self.whole = named != "compact" and bool(named or BESIDE.is_dir())
        folder = Path(named) if named else BESIDE
        self.folder = folder / method if self.whole else HERE / method / "fixtures"

    def missing(self, what: str) -> MissingReference:
        """What to raise for a missing file or tensor; skips the test in the compact subset."""
        if not self.whole:
            pytest.skip(f"{what} is only in the whole set; point MOTET_PARITY to it")
        return MissingReference(f"{what} is missing in {self.folder}")

    def path(self, name: str) -> Path:
        """A file of the set."""
        path = self.folder / name
        if not path.exists():
            raise self.missing(name)
        return path

    @functools.cache  # noqa: B019  (a set lives as long as its test module)
    def tensors(self, name: str) -> ReferenceTensors:
        """The tensors of `<name>.safetensors`."""
        return ReferenceTensors(self, self.path(f"{name}.safetensors"))

    @functools.cache  # noqa: B019
    def facts(self, name: str) -> dict:
        """The description `<name>.json`."""
        return json.loads(self.path(f"{name}.json").read_text())

    def names(self, file: str, pattern: str = "(.+)") -> list[str]:
        """What the group of a pattern matches among the tensor names of a file, without repeats.

        For the parameters of tests: where the file is missing there is one name, with which the
        test runs into the missing file.
        """
        path = self.folder / f"{file}.safetensors"
        if not path.exists():
            return ["missing"]
        with safe_open(str(path), framework="pt") as stored:
            names = list(stored.keys()) + self.named(file)
        found = [match[1] for name in names if (match := re.fullmatch(pattern, name))]
        return list(dict.fromkeys(found)) or ["missing"]

    def files(self, pattern: str) -> list[str]:
        """Names of tensor files, for the parameters of tests."""
        found = sorted(path.stem for path in self.folder.glob("*.safetensors"))
        return [name for name in found if re.fullmatch(pattern, name)] or ["missing"]

    def named(self, file: str) -> list[str]:
        """Tensor names that the description of a file lists."""
        path = self.folder / f"{file.removesuffix('_io')}.json"
        return list(json.loads(path.read_text()).get("tensors", {})) if path.exists() else []

    def cases(self, file: str, key: str = "cases") -> list[str]:
        """Case names in a description, for the parameters of tests."""
        path = self.folder / f"{file}.json"
        return list(json.loads(path.read_text())[key]) if path.exists() else ["missing"]


class ReferenceTensors(Mapping[str, Tensor]):
    """Tensors of one file: float16 as float32, and sounds kept as FLAC beside it."""

    def __init__(self, owner: FixtureSet, path: Path) -> None:
        self._owner, self._path = owner, path
        with safe_open(str(path), framework="pt") as stored:
            self._tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        for sound in path.parent.glob(f"{path.stem}.*.flac"):
            # The compact subset packs 16-bit sounds without loss: file.tensor-name.flac
            name = sound.stem.removeprefix(f"{path.stem}.")
            samples = torch.from_numpy(soundfile.read(sound, dtype="int16", always_2d=True)[0].T)
            self._tensors[name] = samples[0] if len(samples) == 1 else samples

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise self._owner.missing(f"{self._path.name}: {name}")
        return self._tensors[name]

    def get(self, name: str, default: Tensor | None = None) -> Tensor | None:
        """A tensor that a set may rightly lack."""
        return self._tensors.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Tensors whose names begin with a prefix, which is taken off."""
        return {n.removeprefix(prefix): t for n, t in self.items() if n.startswith(prefix)}


def numbers_in(text: str, pattern: str) -> tuple[int, ...]:
    """Integers that a pattern finds in a sentence of a description.

    Raises:
        MissingReference: it finds none.
    """
    match = re.search(pattern, text)
    if match is None:
        raise MissingReference(f"no {pattern!r} in {text!r}")
    return tuple(int(number) for group in match.groups() for number in re.findall(r"\d+", group))
