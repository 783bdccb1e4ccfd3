"""A second device without a GPU: tensors that compute on the CPU and say that they are elsewhere.

Wrapped tensors report the device `meta`; an operation that mixes them with plain tensors of the
CPU raises, as it does on a GPU (a number, that is a CPU tensor without axes, may be mixed in).
Generators of the CPU cannot fill wrapped tensors. Values are real, so that whole losses and
samplers run, `.item()` included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
COPIES = ("aten::copy_", "aten::_to_copy", "aten::to", "aten::_local_scalar_dense", "aten::set_")
"""Operations between devices."""
INDEXED = ("aten::index.Tensor", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
"""Operations whose indices may lie on the CPU."""


class DeviceMismatch(RuntimeError):
    """An operation on tensors of two devices."""


class Elsewhere(Tensor):
    """A CPU tensor that says it is on `DEVICE`."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        """Wrap a tensor of the CPU."""
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=DEVICE,
            requires_grad=inner.requires_grad,
        )
        made.inner = inner
        return made

    def __repr__(self, **_: Any) -> str:
        return f"Elsewhere({self.inner!r})"

    def item(self) -> Any:
        """The one value, as on any device."""
        return self.inner.item()

    def __bool__(self) -> bool:
        return bool(self.inner)

    def __int__(self) -> int:
        return int(self.inner)

    def __index__(self) -> int:
        return int(self.inner)

    def __float__(self) -> float:
        return float(self.inner)

    def tolist(self) -> Any:
        """Values as on any device."""
        return self.inner.tolist()

    def numpy(self, **_: Any) -> Any:
        """As on a GPU: first `.cpu()`."""
        raise DeviceMismatch("a tensor elsewhere has no numpy array; call .cpu() first")

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _run(func, args, kwargs or {})


class EmulatedDevice(TorchDispatchMode):
    """While it is active, what is made on `DEVICE` holds real values."""

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _run(func, args, kwargs or {})


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = func.name().rpartition(".")[0] or func.name()
    leaves, _ = tree_flatten((args, kwargs))
    there = any(isinstance(leaf, Elsewhere) for leaf in leaves)
    target = _target(func, args, kwargs)
    if there and name not in COPIES:
        _check(func, args, kwargs)
    wants = there if target is None else target == DEVICE
    if wants and isinstance(kwargs.get("generator"), torch.Generator):
        raise DeviceMismatch(f"{name}: a generator of the CPU cannot fill a tensor elsewhere")
    if not wants and not there:
        return func(*args, **kwargs)
    out = func(*tree_map(_plain, args), **tree_map(_plain, kwargs))
    if not wants:
        return out
    if name == "aten::copy_" and not isinstance(args[0], Elsewhere):
        return out
    if torch.is_inference_mode_enabled():
        if name.endswith("_"):
            return args[0]
        with torch.inference_mode(False):
            return _wrapped(out)
    return return_and_correct_aliasing(func, args, kwargs, _wrapped(out))


def _target(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    """The device that an operation asks for."""
    if func.name() == "aten::to.other":
        return args[1].device
    named = [leaf for leaf in (*args, kwargs.get("device")) if isinstance(leaf, torch.device)]
    return named[0] if named else None


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, Elsewhere):
        return leaf.inner
    return torch.device("cpu") if isinstance(leaf, torch.device) else leaf


def _wrapped(out: Any) -> Any:
    return tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, Tensor) else leaf, out)


def _check(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    checked = (args, kwargs)
    if func.name().startswith(INDEXED):
        checked = ((args[0], *args[2:]), kwargs)
    for leaf in tree_flatten(checked)[0]:
        if isinstance(leaf, Tensor) and not isinstance(leaf, Elsewhere) and leaf.ndim:
            raise DeviceMismatch(
                f"{func.name()}: a tensor of shape {tuple(leaf.shape)} is on the CPU, another is"
                " elsewhere"
            )


def _tensor_indices(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_tensor_indices(part) for part in index)
    return torch.tensor(index, device="cpu") if isinstance(index, list) else index


class _Constructors(TorchFunctionMode):
    """`torch.tensor` on the device, and lists as indices: made on the CPU, because a true `meta`
    tensor would hold no values.
    """

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = torch.device(kwargs.pop("device"))
            return func(*args, **kwargs, device=torch.device("cpu")).to(device)
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            args = (args[0], _tensor_indices(args[1]), *args[2:])
        return func(*args, **kwargs)


@contextmanager
def emulated() -> Iterator[None]:
    """The device, for a `with` block."""
    with EmulatedDevice(), _Constructors():
        yield


def to_emulated(module: nn.Module) -> nn.Module:
    """Move a module there, in place."""
    moved: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and not isinstance(parameter, Elsewhere):
                if id(parameter) not in moved:
                    data = Elsewhere(parameter.detach().clone())
                    moved[id(parameter)] = nn.Parameter(data, parameter.requires_grad)
                part._parameters[name] = moved[id(parameter)]
        for name, buffer in part._buffers.items():
            if buffer is not None and not isinstance(buffer, Elsewhere):
                part._buffers[name] = Elsewhere(buffer.clone())
    return module


def batch_to_emulated(batch: dict[str, Any]) -> dict[str, Any]:
    """Move a batch there."""
    return tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, Tensor) else leaf, batch)
