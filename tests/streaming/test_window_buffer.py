"""The window buffer equals the stream it is cut from, and forgets what it may."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.streaming.window_buffer import WindowBuffer


def stream(steps: int) -> torch.Tensor:
    return torch.arange(1.0, steps + 1).view(1, -1, 1)


@settings(deadline=None, max_examples=80)
@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=20),
    start=st.integers(-10, 60),
    size=st.integers(0, 40),
    drop=st.integers(0, 60),
)
def test_every_chunking_gives_the_same_windows(
    sizes: list[int], start: int, size: int, drop: int
) -> None:
    whole = stream(sum(sizes))
    buffer = WindowBuffer.empty(1, 1)
    for piece in whole.split(sizes, 1):
        buffer = buffer.append(piece)
    assert buffer.stop == sum(sizes)
    kept = buffer.drop_before(drop)
    assert kept.stop == buffer.stop
    assert kept.first == min(drop, buffer.stop)
    padded = torch.nn.functional.pad(whole, (0, 0, 100, 100))
    expected = padded[:, 100 + start : 100 + start + size]
    assert torch.equal(buffer.window(start, start + size), expected)
    if start >= kept.first:
        assert torch.equal(kept.window(start, start + size), expected)


def test_dropped_steps_are_not_given_out_as_silence() -> None:
    buffer = WindowBuffer.empty(1, 1).append(stream(8)).drop_before(5)
    with pytest.raises(ValueError, match="dropped"):
        buffer.window(3, 7)


def test_known_gives_no_padding_and_resized_ends_the_stream() -> None:
    buffer = WindowBuffer.empty(1, 1).append(stream(8))
    assert buffer.known(-2, 3).flatten().tolist() == [1, 2, 3]
    assert buffer.known(6, 12).flatten().tolist() == [7, 8]
    assert buffer.resized(6).known(4, 12).flatten().tolist() == [5, 6]
    assert buffer.resized(10).known(6, 12).flatten().tolist() == [7, 8, 0, 0]


def test_a_buffer_is_a_value() -> None:
    one = WindowBuffer.empty(1, 1).append(stream(4))
    left, right = one.append(stream(2)), one.append(-stream(2))
    assert left.known(4, 6).flatten().tolist() == [1, 2]
    assert right.known(4, 6).flatten().tolist() == [-1, -2]


def test_many_small_pieces_are_joined_and_old_memory_is_freed() -> None:
    buffer = WindowBuffer.empty(1, 1)
    for _ in range(1000):
        buffer = buffer.append(stream(1))
    assert len(buffer.pieces) <= 11
    late = buffer.drop_before(990)
    assert sum(piece.untyped_storage().nbytes() for piece in late.pieces) <= 4 * 500
