"""Frames at their time, for receivers that show whatever has just come."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from motet.live.session import LivePiece
from motet.types import Motion


class Pacer:
    """Hands single frames to a function when their sound plays, a fixed delay after it came in.

    Args:
        send: takes a motion of one frame; called on a thread of the pacer's.
        fps: frame rate.
        delay_s: from the sound to its frame.
    """

    def __init__(self, send: Callable[[Motion], None], fps: float, delay_s: float) -> None:
        self._send, self._fps, self._delay_s = send, fps, delay_s
        self._frames: queue.SimpleQueue[tuple[float, Motion] | None] = queue.SimpleQueue()
        self._began_s: float | None = None
        self.late = 0
        """Frames that came after their time and were sent at once."""
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()

    def sound_arrived(self, sample: int, rate: int) -> None:
        """Sound up to this sample has come in now; the earliest sound sets the clock."""
        began = time.monotonic() - sample / rate
        self._began_s = began if self._began_s is None else min(began, self._began_s)

    def add(self, piece: LivePiece[Motion], rate: int) -> None:
        """Frames to send.

        Raises:
            Exception: sending failed.
        """
        if self._error is not None:
            raise self._error
        if self._began_s is None:
            self.sound_arrived(piece.first_sample, rate)
        assert self._began_s is not None
        first_s = self._began_s + piece.first_sample / rate + self._delay_s
        for frame in range(piece.out.frames):
            self._frames.put((first_s + frame / self._fps, piece.out.slice(frame, frame + 1)))

    def close(self) -> None:
        """Send what waits, each at its time, then end."""
        self._frames.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._frames.get()) is not None:
                due_s, frame = item
                wait_s = due_s - time.monotonic()
                if wait_s > 0:
                    time.sleep(wait_s)
                else:
                    self.late += 1
                self._send(frame)
        except Exception as error:  # told to the thread that adds frames
            self._error = error
