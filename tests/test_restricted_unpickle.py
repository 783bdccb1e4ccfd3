"""Pickled bytes are interpreted, never run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import AssetError
from motet.restricted_unpickle import read_inert

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_plain_values_come_back(value: object, protocol: int) -> None:
    assert read_inert(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype="<f4").reshape(3, 4),
        np.asfortranarray(np.ones((2, 3))),
        np.arange(3, dtype=">i2"),
    ],
)
def test_arrays_come_back(array: np.ndarray, protocol: int) -> None:
    found = read_inert(pickle.dumps({"a": array, "n": np.int64(7)}, protocol))
    assert np.array_equal(found["a"], array)
    assert found["n"] == 7


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize(
    "value", [Evil(), [Evil()], {"a": np.array([object()], dtype=object)}, os.getcwd, np.ndarray]
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(AssetError):
        read_inert(pickle.dumps(value, 4))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_damage_is_a_typed_error(data: bytes) -> None:
    try:
        read_inert(data)
    except AssetError:
        pass


def test_a_value_used_over_and_over_costs_nothing() -> None:
    value: object = []
    for _ in range(60):  # 2^60 uses in a few hundred bytes
        value = [value, value]
    found = read_inert(pickle.dumps(value, protocol=4))
    assert found[0] is found[1]
    key: object = ()
    for _ in range(60):
        key = (key, key)
    # Written by hand: Python itself would never finish the hash of such a key.
    data = pickle.dumps(key, protocol=4)[:-1]
    body = data[2 + 9 :] if data[2:3] == b"\x95" else data[2:]
    with pytest.raises(AssetError, match="keys of the type tuple"):
        read_inert(b"\x80\x04}" + body + b"Ns.")
