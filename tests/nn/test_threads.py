from __future__ import annotations

import pytest
import torch

from motet.methods import find_methods
from motet.nn.threads import LARGE, thread_count, threads
from motet.session import _load, load


def test_small_models_compute_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (thread_count(LARGE - 1), thread_count(LARGE)) == (1, 0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count(1) == 0


def test_the_number_is_restored() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError
    with threads(0):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", [name for name, spec in find_methods().items() if spec.weights])
def test_shipped_methods_take_one_thread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    _load.cache_clear()
    assert load(name).threads == 1
    _load.cache_clear()
