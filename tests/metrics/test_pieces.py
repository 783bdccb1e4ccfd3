"""The long file is streamed in large pieces; the motion and its borders must be those of small
ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from motet.evaluation import face as evaluation
from motet.evaluation.face import long_audio, window_by_window
from motet.evaluation.held_out import load_held_out
from motet.session import load
from motet.types import Audio, Motion, arkit_space, concatenate

FRAME = 640


class Windows:
    """A stream that answers whole windows: the first of one length, the others of lengths that
    repeat."""

    def __init__(self, first: int, *others: int) -> None:
        self.first, self.others, self.heard, self.said, self.pushes, self.windows = (
            first,
            others,
            0,
            0,
            0,
            0,
        )

    def push(self, chunk: Audio) -> Iterator[Motion]:
        self.heard += chunk.samples.shape[-1]
        self.pushes += 1
        frames = 0
        while (self.said + frames + self._next()) * FRAME <= self.heard:
            frames += self._next()
            self.windows += 1
        return self._out(frames)

    def finish(self) -> Iterator[Motion]:
        return self._out(round(self.heard / FRAME) - self.said)

    def _next(self) -> int:
        return self.others[self.windows % len(self.others)] if self.windows else self.first

    def _out(self, frames: int) -> Iterator[Motion]:
        if frames:
            values = (
                torch.arange(self.said, self.said + frames, dtype=torch.float32)
                .unsqueeze(1)
                .expand(-1, 55)
            )
            self.said += frames
            yield Motion(values, arkit_space(25.0))


def small(session: object, audio: Audio) -> list[Motion]:
    pieces: list[Motion] = []
    for start in range(0, audio.samples.shape[-1], FRAME):
        pieces += session.push(audio.slice(start, start + FRAME))  # type: ignore[attr-defined]
    return [*pieces, *session.finish()]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "windows,quick", [((16, 12), True), ((12, 12), True), ((7, 5, 9), False), ((16, 200), False)]
)
def test_windows_are_found_and_kept(windows: tuple[int, ...], quick: bool) -> None:
    audio = Audio.mono(torch.zeros(1, 60 * 16000 + 333), 16000)
    expected, session = small(Windows(*windows), audio), Windows(*windows)
    found = list(window_by_window(session, audio, FRAME))
    assert [piece.frames for piece in found[:-1]] == [piece.frames for piece in expected[:-1]]
    assert torch.equal(concatenate(found).values, concatenate(expected).values)
    assert (session.pushes < 600) == quick


def test_a_real_stream_gives_the_same_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "PROBE_S", 3.0)
    monkeypatch.setattr(evaluation, "LARGE_CHUNK_S", 2.0)
    loaded = load("artalk")
    audio = loaded.prepare(long_audio(load_held_out(None).clips, 6.0))
    found, expected = (
        list(window_by_window(loaded.stream({"mode": "stream"}), audio, FRAME)),
        small(loaded.stream({"mode": "stream"}), audio),
    )
    assert len(found) == len(expected) > 8
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=0, atol=2e-5)
